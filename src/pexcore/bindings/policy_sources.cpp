// SPDX-License-Identifier: BSD-3-Clause
// Python face of the places policies are read from.
#include "policy/policy_file.hpp"

#include "policy_bind.hpp"
#include "policy_convert.hpp"
#include "policy_formats.hpp"

namespace pex::bindings {

using policy::DefaultPolicyFile;
using policy::Policy;
using policy::PolicyFile;
using policy::PolicySource;
using policy::PolicyString;
using policy::UrnPolicyFile;

namespace {

template <class T, class... Bases>
using Class = py::class_<T, Bases..., std::shared_ptr<T>>;

std::string product_of(const std::string& urn) { return policy::split_urn(urn, false).product; }
std::string repository_of(const std::string& urn) { return policy::split_urn(urn, false).repository; }
std::string file_of(const std::string& urn) { return policy::split_urn(urn, false).file; }

std::shared_ptr<DefaultPolicyFile> make_default(const std::string& product, const py::object& file,
                                                const py::object& repos, bool strict) {
    return std::make_shared<DefaultPolicyFile>(product, path_from_py(file), path_from_py(repos), strict,
                                               python_options());
}

std::shared_ptr<UrnPolicyFile> make_urn(const std::string& urn, bool strict_urn, bool strict_loads) {
    return std::make_shared<UrnPolicyFile>(urn, strict_urn, strict_loads, python_options());
}

py::tuple class_and(const py::object& self, const py::tuple& arguments) {
    return py::make_tuple(py::type::handle_of(self), arguments);
}

// None where nothing but blank lines and comments came.
py::object recognises_paf(const py::str& text) {
    using Format = policy::FormatVerdict::Format;
    const Format format = policy::recognise_format(from_py(text)).format;
    return format == Format::UNDECIDED ? py::object(py::none()) : py::bool_(format == Format::PAF);
}

void bind_files(py::module_& module) {
    Class<PolicyFile, PolicySource>(module, "PolicyFile",
                                    "A policy file, as an unresolved reference or to be loaded.")
        .def(py::init([](const py::object& path) { return std::make_shared<PolicyFile>(path_from_py(path)); }),
             py::arg("path"))
        .def(
            "getPath", [](const PolicyFile& self) { return to_py(self.path()); }, "The path.")
        .def("exists", &PolicyFile::exists, "Whether there is such a file.")
        .def("__eq__",
             [](const PolicyFile& self, const py::object& other) -> py::object {
                 if (!py::isinstance<PolicyFile>(other))
                     return py::reinterpret_borrow<py::object>(Py_NotImplemented);
                 return py::bool_(self == other.cast<const PolicyFile&>());
             })
        .def("__hash__", [](const PolicyFile& self) { return py::hash(to_py(self.path())); })
        .def("__repr__",
             [](const py::object& self) {
                 return py::str("{}({!r})")
                     .format(py::type::handle_of(self).attr("__name__"), self.attr("getPath")());
             })
        .def("__reduce__",
             [](const py::object& self) { return class_and(self, py::make_tuple(self.attr("getPath")())); })
        .def(
            "reference", [](const PolicyFile& self) { return to_py(self.reference()); },
            "The text behind the '@' of an include that reads back to this file: its path, or its URN.")
        .def_property_readonly_static("EXT_PAF", [](const py::object&) { return ".paf"; })
        .def_property_readonly_static("EXT_JSON", [](const py::object&) { return ".json"; })
        .def_property_readonly_static("EXT_TOML", [](const py::object&) { return ".toml"; })
        .def_property_readonly_static("EXT_XML", [](const py::object&) { return ".xml"; });
}

void bind_product_files(py::module_& module) {
    Class<DefaultPolicyFile, PolicyFile>(module, "DefaultPolicyFile",
                                         "A file of an installed product: $<PRODUCT>_DIR/<repos>/<filepath>.")
        .def(py::init(&make_default), py::arg("productName"), py::arg("filepath"), py::arg("repos") = "",
             py::arg("strict") = true, "Raises NotFoundError where the product's directory is not known.")
        .def(
            "getRepositoryPath", [](const DefaultPolicyFile& self) { return to_py(self.repository_path()); },
            "The directory in which the file's includes are looked up.")
        .def("__reduce__", [](const py::object& object) {
            const auto& self = object.cast<const DefaultPolicyFile&>();
            return class_and(object, py::make_tuple(to_py(self.product()), to_py(self.file()),
                                                    to_py(self.repository()), self.strict_loads()));
        });
    Class<UrnPolicyFile, PolicyFile> urn(
        module, "UrnPolicyFile", "A file of an installed product: [@...][urn:eupspkg:]product[:repository]:path.");
    urn.def(py::init(&make_urn), py::arg("urn"), py::arg("strictUrn") = false, py::arg("strictLoads") = true,
            "Raises BadNameError for a malformed URN, NotFoundError where the product's directory is not known.")
        .def(
            "getRepositoryPath", [](const UrnPolicyFile& self) { return to_py(self.repository_path()); },
            "The directory in which the file's includes are looked up.")
        .def("__reduce__",
             [](const py::object& object) {
                 const auto& self = object.cast<const UrnPolicyFile&>();
                 return class_and(object, py::make_tuple(to_py(self.urn()), false, self.strict_loads()));
             })
        .def_static("productNameFromUrn", &product_of, py::arg("urn"), "The product. Raises BadNameError.")
        .def_static("filePathFromUrn", &file_of, py::arg("urn"), "The path in the repository. Raises BadNameError.")
        .def_static("reposFromUrn", &repository_of, py::arg("urn"),
                    "The repository, \"\" if none. Raises BadNameError.")
        .def_static("looksLikeUrn", &policy::looks_like_urn, py::arg("s"), py::arg("strict") = false,
                    "Whether the text starts like a URN; strict: with the prefix and at most one '@'.");
    urn.attr("URN_PREFIX") = std::string(policy::URN_PREFIX);
    urn.attr("URN_PREFIX_ABBREV") = std::string(policy::URN_PREFIX_ABBREVIATED);
}

}  // namespace

void bind_policy_sources(py::module_& module) {
    Class<PolicySource>(module, "PolicySource", "Something policies are read from.")
        .def(
            "load", [](const PolicySource& self, Policy& into) { self.load(into.node(), python_options()); },
            py::arg("policy"), "Add the parameters of the source to the policy.")
        .def("getFormatName", &format_name,
             "The format that load() reads the source as, by extension, else by content: \"PAF\", \"JSON\", \"TOML\" or "
             "one\nthat was registered; \"\" where load() would find none. Raises IoError where a file has to be read and "
             "cannot.");
    Class<PolicyString, PolicySource>(module, "PolicyString", "Policy text in memory.")
        .def(py::init([](const py::object& data) {
                 const bool bytes = PyBytes_Check(data.ptr()) != 0;
                 return std::make_shared<PolicyString>(bytes ? std::string(py::reinterpret_borrow<py::bytes>(data))
                                                             : from_py(data));
             }),
             py::arg("data"))
        .def(
            "getData", [](const PolicyString& self) { return to_py(self.data()); }, "The text.")
        .def("__reduce__",
             [](const py::object& self) { return class_and(self, py::make_tuple(self.attr("getData")())); });
    bind_files(module);
    bind_product_files(module);
    module.def("_recognises_paf", &recognises_paf, py::arg("text"));
}

}  // namespace pex::bindings
