// SPDX-License-Identifier: BSD-3-Clause
// Policy in Python: constructors and createPolicy.
#include <filesystem>

#include "policy/defaults.hpp"
#include "policy_bind.hpp"
#include "policy_convert.hpp"
#include "policy_errors.hpp"

namespace pex::bindings {

using policy::Policy;
using policy::PolicyPtr;
using policy::PolicySource;

namespace {

std::shared_ptr<PolicySource> source_of(const py::object& input) {
    if (py::isinstance<PolicySource>(input)) return input.cast<std::shared_ptr<PolicySource>>();
    std::string path = path_from_py(input);
    if (policy::has_urn_prefix(path)) {
        return std::make_shared<policy::UrnPolicyFile>(std::move(path), false, true, python_options());
    }
    return std::make_shared<policy::PolicyFile>(std::move(path));
}

PolicyPtr load(const py::object& input) {
    auto policy = std::make_shared<Policy>();
    source_of(input)->load(policy->node(), python_options());
    return policy;
}

// Files that a URN brings in come from its repository, those of a path from beside the file, and those of any other
// source from the current directory.
std::string default_repository(const py::object& input, const PolicySource& source) {
    if (py::isinstance<PolicySource>(input)) return {};
    if (const auto* urn = dynamic_cast<const policy::UrnPolicyFile*>(&source)) return urn->repository_path();
    return std::filesystem::path(path_from_py(input)).parent_path().string();
}

// `repository` is None where the input decides.
PolicyPtr create(const py::object& input, bool includes, const py::object& repository, bool validate) {
    const auto source = source_of(input);
    policy::CreateOptions options;
    options.resolve_includes = includes;
    options.repository = repository.is_none() ? default_repository(input, *source) : path_from_py(repository);
    options.attach_dictionary = validate;
    options.load = python_options();
    options.warn = warn_in_python;
    return policy::create_policy(*source, options);
}

PolicyPtr create_from_urn(const std::string& urn, bool validate) {
    const policy::UrnPolicyFile source(urn, true, true, python_options());
    policy::CreateOptions options;
    options.repository = source.repository_path();
    options.attach_dictionary = validate;
    options.load = python_options();
    options.warn = warn_in_python;
    return policy::create_policy(source, options);
}

PolicyPtr copy(const Policy& original, bool deep) {
    return deep ? original.deep_copy() : std::make_shared<Policy>(original);
}

PolicyPtr defaults_of(bool validate, const PolicyPtr& dictionary, const py::object& repository) {
    const policy::DefaultOptions options{path_from_py(repository), python_options(), warn_in_python};
    return policy::default_policy(dictionary_from(dictionary), validate, options);
}

}  // namespace

void bind_policy_making(PolicyClass& cls) {
    cls.def(py::init<>(), "An empty policy.")
        .def(py::init(&copy), py::arg("policy"), py::arg("deep") = false,
             "A copy; a shallow one shows the changes of the original and the other way round.")
        .def(py::init(&defaults_of), py::arg("validate").noconvert(), py::arg("dictionary").none(false),
             py::arg("repository") = "",
             "The defaults of a dictionary, which is attached if `validate`. Raises ValidationError for bad "
             "defaults.")
        .def(py::init(&load), py::arg("input"),
             "The contents of a file, URN or source. Includes are resolved for URNs and product files only.")
        .def_static(
            "createPolicy",
            [](const py::object& input, bool includes, bool validate) {
                return create(input, includes, py::none(), validate);
            },
            py::arg("input"), py::arg("doIncludes").noconvert() = true, py::arg("validate") = true,
            "The policy in a file (path or source), its includes resolved if asked.\n\n"
            "A dictionary gives a policy of its defaults, with the dictionary attached if `validate`.\n"
            "Includes are looked up in the given repository; else beside a file given by its path, or in\n"
            "the repository of a URN; else in the current directory.")
        .def_static(
            "createPolicy",
            [](const py::object& input, const py::object& repos, bool validate) {
                return create(input, true, repos, validate);
            },
            py::arg("input"), py::arg("repos"), py::arg("validate") = true)
        .def_static("createPolicyFromUrn", &create_from_urn, py::arg("urn"), py::arg("validate") = true,
                    "The policy of [@]urn:eupspkg:product[:repository]:path, includes resolved.\n"
                    "Raises BadNameError for any other form, NotFoundError for an unknown product.");
}

}  // namespace pex::bindings
