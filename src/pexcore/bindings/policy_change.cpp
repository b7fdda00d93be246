// SPDX-License-Identifier: BSD-3-Clause
// Policy in Python: changing and completing.
#include "policy_bind.hpp"
#include "policy_convert.hpp"

namespace pex::bindings {

using policy::Policy;

namespace {

void set(Policy& self, const std::string& name, const py::object& value) {
    self.set_values(name, values_from_py(value, name));
}

void add(Policy& self, const std::string& name, const py::object& value) {
    self.add_values(name, values_from_py(value, name));
}

std::size_t load_files(Policy& self, const std::string& repository, bool strict) {
    policy::LoadOptions options = python_options(strict);
    options.breadcrumb = self.path();
    return policy::load_policy_files(self.node(), repository, options);
}

}  // namespace

void bind_policy_changing(PolicyClass& cls) {
    cls.def("set", &set, py::arg("name"), py::arg("value"),
            "Replace all values; a list or tuple gives several. May change the type.\n\n"
            "Raises RuntimeError for None and empty lists, TypeError for what a policy cannot hold,\n"
            "InvalidParameterError below a plain value, ValidationError where an attached dictionary forbids it.")
        .def("add", &add, py::arg("name"), py::arg("value"),
             "Append a value, or the values of a list. Raises TypeError where existing values have another type,\n"
             "else as set() does.")
        .def("remove", &Policy::remove, py::arg("name"), "Forget a parameter; nothing happens where it is absent.")
        .def(
            "loadPolicyFiles", [](Policy& self, bool strict) { return load_files(self, "", strict); },
            py::arg("strict").noconvert() = true,
            "Replace every unresolved file, at any depth, by the sub-policy it holds; return the number of "
            "files.\n\n"
            "Relative paths are looked up in the repository, by default the current directory, at every depth.\n"
            "Not strict: a file that cannot be read or parsed leaves an empty or partial sub-policy.")
        .def(
            "loadPolicyFiles",
            [](Policy& self, const py::object& repository, bool strict) {
                return load_files(self, path_from_py(repository), strict);
            },
            py::arg("repository"), py::arg("strict") = true);
}

}  // namespace pex::bindings
