// SPDX-License-Identifier: BSD-3-Clause
// Values of policies to and from Python objects.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>

#include "policy/dictionary.hpp"
#include "policy/loading.hpp"
#include "policy/policy.hpp"
#include "policy/policy_file.hpp"

namespace pex::bindings {

namespace py = pybind11;

// Bytes that are no UTF-8 travel as lone surrogates, as in file names, so that any PAF text passes unharmed.
py::str to_py(std::string_view text);
std::string from_py(py::handle text);
py::list to_py(const std::vector<std::string>& texts);
// The file system path of a str or os.PathLike. Errors: Python's TypeError.
std::string path_from_py(py::handle path);

// All values of an entry as a list, its sub-policies as they come from `policy`.
py::list list_of(const policy::Policy& policy, std::string_view name);
// The last of them.
py::object last_of(const policy::Policy& policy, std::string_view name);
// The only value, or a list of several.
py::object plain_or_list(const policy::Policy& policy, std::string_view name);

// One value, or a list or tuple of values of one type; a mapping becomes a policy.
// Errors: policy RuntimeError for None and empty lists, policy TypeError for anything a policy cannot hold.
policy::Values values_from_py(py::handle value, std::string_view name);

// A mapping with all it holds, as nested mappings and back.
policy::PolicyPtr policy_from_mapping(py::handle mapping);
py::dict dict_of(const policy::Policy& policy);

// Options that look products up as harness.policy.products does, and know the formats of harness.policy.formats.
policy::LoadOptions python_options(bool strict = true);

}  // namespace pex::bindings
