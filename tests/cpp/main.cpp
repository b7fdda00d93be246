// SPDX-License-Identifier: BSD-3-Clause
// Runs the registered cases; an argument selects those whose name contains it.
#include "check.hpp"

int main(int argc, char** argv) { return check::run(argc, argv); }
