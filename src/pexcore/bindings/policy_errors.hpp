// SPDX-License-Identifier: BSD-3-Clause
// Turns the exceptions of the policy room into the classes of harness.policy.errors.
#pragma once

#include <pybind11/pybind11.h>

#include "policy/error.hpp"
#include "policy/validation.hpp"

namespace pex::bindings {

void register_policy_errors();

// Tells a harness.policy.ValidationError of each violation.
void add_issues(const pybind11::object& errors, const policy::Issues& issues);

// Issues a DictionaryWarning. Errors: Python's, where warnings are errors.
void warn_in_python(const policy::Report& report);

// The dict of a place: file, line, column, source_line, chain of includes.
pybind11::dict place_fields(const policy::Place& place);

}  // namespace pex::bindings
