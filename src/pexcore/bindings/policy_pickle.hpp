// SPDX-License-Identifier: BSD-3-Clause
// Policies as flat lists of primitives, so that a deep one pickles without deep recursion.
#pragma once

#include <pybind11/pybind11.h>

#include "policy/policy.hpp"

namespace pex::bindings {

// (function, arguments) as pickle wants it. Places in files are not kept.
pybind11::tuple reduce_policy(const pybind11::object& policy);
pybind11::tuple reduce_dictionary(const pybind11::object& dictionary);

// Registers the functions that make policies from such arguments.
void bind_policy_pickling(pybind11::module_& module);

}  // namespace pex::bindings
