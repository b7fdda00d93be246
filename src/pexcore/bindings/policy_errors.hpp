// SPDX-License-Identifier: BSD-3-Clause
// Turns the exceptions of the policy room into the classes of harness.policy.errors.
#pragma once

#include <pybind11/pybind11.h>

#include "policy/error.hpp"

namespace pex::bindings {

void register_policy_errors();

// The dict of a place: file, line, column, source_line, chain of includes.
pybind11::dict place_fields(const policy::Place& place);

}  // namespace pex::bindings
