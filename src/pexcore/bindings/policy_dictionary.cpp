// SPDX-License-Identifier: BSD-3-Clause
// Python face of dictionaries, definitions and validation.
#include <string>

#include "policy/defaults.hpp"
#include "policy/text.hpp"
#include "policy_bind.hpp"
#include "policy_convert.hpp"
#include "policy_errors.hpp"
#include "policy_pickle.hpp"

namespace pex::bindings {

using policy::Definition;
using policy::Dictionary;
using policy::DictionaryPtr;
using policy::Issues;
using policy::Policy;
using policy::PolicyPtr;

namespace keyword = policy::keyword;

namespace {

// Into the collector if there is one; else raised.
void deliver(Issues issues, const py::object& errors, const std::string& heading) {
    if (!errors.is_none()) return add_issues(errors, issues);
    if (!issues.empty()) throw policy::ValidationError(heading, std::move(issues));
}

std::string heading_for(const Policy& policy) {
    const std::string& path = policy.path();
    return path.empty() ? "the policy breaks its dictionary"
                        : "the policy " + policy::in_quotes(path) + " breaks its dictionary";
}

void validate(const Policy& self, const py::object& errors) {
    if (self.dictionary() == nullptr) {
        policy::Report report;
        report.problem = "the policy cannot be validated: no dictionary is attached";
        report.expected = "setDictionary() or mergeDefaults() first";
        throw policy::DictionaryError(std::move(report));
    }
    Issues issues;
    self.dictionary()->validate(self, issues);
    deliver(std::move(issues), errors, heading_for(self));
}

std::size_t merge_defaults(Policy& self, const PolicyPtr& defaults, bool keep, const py::object& errors) {
    Issues issues;
    const policy::DefaultOptions options{"", python_options(), warn_in_python};
    const std::size_t count = policy::merge_defaults(self, defaults, keep, issues, options);
    deliver(std::move(issues), errors, heading_for(self));
    return count;
}

DictionaryPtr load_dictionary(const policy::PolicySource& source) {
    const auto policy = std::make_shared<Policy>();
    source.load(policy->node(), python_options());
    if (!policy->is_dictionary() && !policy->exists(keyword::DICTIONARY)) {
        policy::Report report;
        report.problem = "this is no dictionary: it has no \"definitions\"";
        report.place = policy->node()->opened();
        report.expected = "exactly one policy called definitions";
        throw policy::RuntimeError(std::move(report));
    }
    return std::make_shared<Dictionary>(policy->node(), "", warn_in_python);
}

DictionaryPtr dictionary_at(const py::object& path) {
    return load_dictionary(policy::PolicyFile(path_from_py(path)));
}

DictionaryPtr dictionary_of(const Policy& policy) {
    return std::make_shared<Dictionary>(policy.node(), "", warn_in_python);
}

DictionaryPtr copy_of(const Dictionary& dictionary) {
    auto node = policy::deep_copy(*dictionary.node());
    return std::make_shared<Dictionary>(std::move(node), dictionary.prefix(), policy::WarningSink{}, false);
}

// What had to be said about the original was said when it was made.
DictionaryPtr checked_copy_of(const Dictionary& dictionary) {
    DictionaryPtr copy = copy_of(dictionary);
    copy->check();
    return copy;
}

std::size_t load_files(Dictionary& self, const std::string& repository, bool strict) {
    return self.load_files(repository, python_options(strict), warn_in_python);
}

using DictionaryClass = py::class_<Dictionary, Policy, DictionaryPtr>;

void bind_constructors(DictionaryClass& cls) {
    cls.def(py::init<>(), "An empty dictionary, without definitions.")
        .def(py::init(&checked_copy_of), py::arg("dictionary"), "A copy of a dictionary. Raises DictionaryError.")
        .def(py::init(&dictionary_of), py::arg("policy"),
             "The dictionary in a policy, or in its top-level \"dictionary\". Raises DictionaryError.")
        .def(py::init(&load_dictionary), py::arg("source"))
        .def(py::init(&dictionary_at), py::arg("path"),
             "The dictionary in a file. Raises RuntimeError where it has no definitions, DictionaryError where "
             "they\n"
             "are malformed. Files it refers to are loaded by loadPolicyFiles().");
}

void bind_look_up(DictionaryClass& cls) {
    cls.def(
           "check", [](const Dictionary& self) { self.check(warn_in_python); },
           "Check structure, keywords, types, counts and bounds of all definitions. Raises DictionaryError.")
        .def("getDefinitions", &Dictionary::definitions,
             "The definitions. Raises DictionaryError where there are none.")
        .def(
            "definedNames",
            [](const Dictionary& self) { return to_py(self.definitions()->names(Policy::Names::ALL, true)); },
            "The top-level names that are defined, childDefinition included.")
        .def("getDef", &Dictionary::get_definition, py::arg("name"),
             "The definition of a hierarchical name. Raises NameNotFound, DictionaryError.")
        .def("makeDef", &Dictionary::get_definition, py::arg("name"), "The same as getDef().")
        .def("hasSubDictionary", &Dictionary::has_sub_dictionary, py::arg("name"),
             "Whether the top-level parameter has a dictionary of its own.")
        .def("getSubDictionary", &Dictionary::sub_dictionary, py::arg("name"),
             "The dictionary of a top-level parameter. Raises LogicError, DictionaryError.")
        .def("getPrefix", &Dictionary::prefix, "The dotted prefix of a sub-dictionary, \"\" else.")
        .def(
            "loadPolicyFiles", [](Dictionary& self, bool strict) { return load_files(self, "", strict); },
            py::arg("strict").noconvert() = true,
            "Load the dictionary files and includes, and those in what they bring in; return the number of files.")
        .def(
            "loadPolicyFiles",
            [](Dictionary& self, const py::object& repository, bool strict) {
                return load_files(self, path_from_py(repository), strict);
            },
            py::arg("repository"), py::arg("strict") = true)
        .def(
            "validate",
            [](const Dictionary& self, const Policy& policy, const py::object& errors) {
                Issues issues;
                self.validate(policy, issues);
                deliver(std::move(issues), errors, heading_for(policy));
            },
            py::arg("policy"), py::arg("errs") = py::none(),
            "Hold a policy against the definitions. All violations go into `errs`, or into one ValidationError.");
}

void bind_keywords(DictionaryClass& cls) {
    const auto constant = [&](const char* name, std::string_view word) { cls.attr(name) = std::string(word); };
    constant("KW_DICT", keyword::DICTIONARY);
    constant("KW_DICT_FILE", keyword::DICTIONARY_FILE);
    constant("KW_TYPE", keyword::TYPE);
    constant("KW_DESCRIPTION", keyword::DESCRIPTION);
    constant("KW_DEFAULT", keyword::DEFAULT);
    constant("KW_DEFINITIONS", keyword::DEFINITIONS);
    constant("KW_CHILD_DEF", keyword::CHILD_DEFINITION);
    constant("KW_ALLOWED", keyword::ALLOWED);
    constant("KW_MIN_OCCUR", keyword::MIN_OCCURS);
    constant("KW_MAX_OCCUR", keyword::MAX_OCCURS);
    constant("KW_MIN", keyword::MIN);
    constant("KW_MAX", keyword::MAX);
    constant("KW_VALUE", keyword::VALUE);
}

py::str default_text(const Definition& definition) {
    const policy::Entry* entry = definition.data()->node()->find(keyword::DEFAULT);
    return entry == nullptr ? py::str("<null>") : to_py(policy::values_text(*entry));
}

void bind_definition(py::module_& module) {
    py::class_<Definition>(module, "Definition", "One parameter as a dictionary defines it.")
        .def(py::init(
                 [](const std::string& name) { return Definition("", name, std::make_shared<Policy>(), false); }),
             py::arg("name") = "")
        .def("getName", &Definition::name, "The last field of the name.")
        .def("setName", &Definition::set_name, py::arg("name"))
        .def("getPrefix", &Definition::prefix, "What stands before the name, with its last dot.")
        .def("setPrefix", &Definition::set_prefix, py::arg("prefix"))
        .def("isChildDefinition", &Definition::is_wildcard,
             "Whether it applies to names that are not defined themselves.")
        .def("setChildDefinition", &Definition::set_wildcard, py::arg("isChildDefinition"))
        .def("isWildcard", &Definition::is_wildcard, "The same as isChildDefinition().")
        .def("setWildcard", &Definition::set_wildcard, py::arg("isWildcard"))
        .def("getData", &Definition::data, "The definition as written.")
        .def("setData", &Definition::set_data, py::arg("data").none(false))
        .def(
            "getType", [](const Definition& self) { return type_to_py(self.type()); },
            "The type; UNDEF for any. Raises DictionaryError.")
        .def(
            "getTypeName", [](const Definition& self) { return std::string(type_name(self.type())); },
            "The name of the type. Raises DictionaryError.")
        .def("getDefault", &default_text, "The default as text, \"<null>\" where there is none.")
        .def(
            "getDescription", [](const Definition& self) { return to_py(self.description()); },
            "The text for people.")
        .def(
            "getMinOccurs", [](const Definition& self) { return self.rules().min_occurs; },
            "The least number of values.")
        .def(
            "getMaxOccurs", [](const Definition& self) { return self.rules().max_occurs; },
            "The greatest number of values, negative for any number.")
        .def(
            "check", [](const Definition& self) { (void)self.rules(warn_in_python); },
            "Raises DictionaryError if malformed.");
}

}  // namespace

DictionaryPtr dictionary_from(const PolicyPtr& policy) {
    if (auto dictionary = std::dynamic_pointer_cast<Dictionary>(policy)) return dictionary;
    return std::make_shared<Dictionary>(policy->node(), "", warn_in_python);
}

void bind_policy_validation(PolicyClass& cls) {
    cls.def(
           "canValidate", [](const Policy& self) { return self.dictionary() != nullptr; },
           "Whether a dictionary is attached.")
        .def("getDictionary", &Policy::dictionary, "The attached dictionary, or None.")
        .def("setDictionary", &Policy::set_dictionary, py::arg("dictionary").none(true),
             "Attach a dictionary, against which every later change is checked; None detaches. Validates nothing.")
        .def("validate", &validate, py::arg("errs") = py::none(),
             "Hold the policy against its dictionary. All violations go into `errs`, or into one ValidationError.\n"
             "Raises DictionaryError where no dictionary is attached.")
        .def("mergeDefaults", &merge_defaults, py::arg("defaultPol").none(false), py::arg("keepForValidation") = true,
             py::arg("errs") = py::none(),
             "Copy what is absent here from a policy, or from the defaults of a dictionary; return the number of "
             "names.\n\n"
             "keepForValidation attaches the dictionary of `defaultPol`, and validates against what is attached;\n"
             "else only a `defaultPol` that is a dictionary validates. Violations go into `errs`, or are raised.");
}

void bind_dictionary(py::module_& module) {
    bind_definition(module);
    DictionaryClass cls(module, "Dictionary",
                        "A policy that defines other policies: types, defaults, allowed values, counts.");
    bind_constructors(cls);
    bind_look_up(cls);
    bind_keywords(cls);
    cls.def("__deepcopy__", [](const Dictionary& self, const py::dict&) { return copy_of(self); })
        .def("__copy__", &copy_of)
        .def("__reduce__", &reduce_dictionary);
    module.def("_validation_message", &policy::message_for, py::arg("bits"));
}

}  // namespace pex::bindings
