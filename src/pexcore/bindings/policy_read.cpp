// SPDX-License-Identifier: BSD-3-Clause
// Policy in Python: asking and reading.
#include <pybind11/stl.h>

#include <optional>
#include <string>

#include "policy/text.hpp"
#include "policy_bind.hpp"
#include "policy_convert.hpp"
#include "policy_errors.hpp"

namespace pex::bindings {

using policy::Policy;
using policy::ValueType;
using Names = policy::Policy::Names;

namespace {

template <ValueType TYPE>
bool is_type(const Policy& policy, const std::string& name) {
    return policy.type(name) == TYPE;
}

template <Names WHICH>
py::list names(const Policy& policy, bool top_level_only) {
    return to_py(policy.names(WHICH, top_level_only));
}

// The typed calls check the type first; the conversion is that of get() and getArray().
template <class T>
py::object typed(const Policy& policy, const std::string& name) {
    (void)policy.get_array<T>(name);
    return last_of(policy, name);
}

template <class T>
py::list typed_array(const Policy& policy, const std::string& name) {
    (void)policy.get_array<T>(name);
    return list_of(policy, name);
}

py::object file(const Policy& policy, const std::string& name) {
    (void)policy.get_file_array(name);
    return last_of(policy, name);
}

py::list file_array(const Policy& policy, const std::string& name) {
    (void)policy.get_file_array(name);
    return list_of(policy, name);
}

py::str text_of(const Policy& policy, const std::string& name, const std::string& indent) {
    const policy::Entry* entry = policy.find(name);
    return entry == nullptr ? py::str("<null>") : to_py(policy::values_text(*entry, indent));
}

std::string type_name_of(const Policy& policy, const std::string& name) {
    return std::string(type_name(policy.type(name)));
}

// The value with that index, counted from the end where it is negative; the policy itself without a name.
py::object place_of(const Policy& policy, const std::optional<std::string>& name, long index) {
    policy::Place place = policy.node()->opened();
    if (name) {
        const policy::Entry& entry = policy.require(*name);
        const long count = static_cast<long>(entry.size());
        const long position = index < 0 ? index + count : index;
        if (position < 0 || position >= count) {
            throw py::index_error("place of \"" + *name + "\": there is no value " + std::to_string(index) +
                                  ", for the parameter has " + std::to_string(count));
        }
        place = entry.place_of(static_cast<std::size_t>(position));
    }
    const py::dict fields = place_fields(place);
    return fields.empty() ? py::object(py::none()) : py::object(fields);
}

void bind_questions(PolicyClass& cls) {
    cls.def("exists", &Policy::exists, py::arg("name"), "Whether the parameter has values.")
        .def("valueCount", &Policy::count, py::arg("name"),
             "The number of values, 0 where the parameter is absent.")
        .def(
            "isArray", [](const Policy& self, const std::string& name) { return self.count(name) > 1; },
            py::arg("name"), "Whether the parameter has more than one value.")
        .def("isBool", &is_type<ValueType::BOOL>, py::arg("name"), "Whether the parameter exists and holds bools.")
        .def("isInt", &is_type<ValueType::INT>, py::arg("name"), "Whether the parameter exists and holds ints.")
        .def("isDouble", &is_type<ValueType::DOUBLE>, py::arg("name"),
             "Whether the parameter exists and holds doubles.")
        .def("isString", &is_type<ValueType::STRING>, py::arg("name"),
             "Whether the parameter exists and holds strings.")
        .def("isPolicy", &is_type<ValueType::POLICY>, py::arg("name"),
             "Whether the parameter exists and holds policies.")
        .def("isFile", &is_type<ValueType::FILE>, py::arg("name"),
             "Whether the parameter exists and holds unresolved files.")
        .def(
            "getValueType", [](const Policy& self, const std::string& name) { return type_to_py(self.type(name)); },
            py::arg("name"), "The type of the values, UNDEF where there are none.")
        .def("getTypeName", &type_name_of, py::arg("name"),
             "The name of the type, \"undefined\" where there are no values.")
        .def(
            "getTypeInfo",
            [](const Policy& self, const std::string& name) { return type_to_py(self.require(name).type()); },
            py::arg("name"), "The type of the values. Raises NameNotFound where there are none.")
        .def_static(
            "getTypeByName", [](const std::string& name) { return type_to_py(policy::type_by_name(name)); },
            py::arg("name"), "The type called so. Raises BadNameError where there is none.")
        .def("place", &place_of, py::arg("name") = py::none(), py::arg("index") = -1,
             "Where a value stands, by default the last one; where the policy itself opens without a name.\n\n"
             "A dict with the keys file, chain, line, column and source_line, as the attributes of\n"
             "harness.policy.errors.Located; the last three are missing where only the file is known.\n"
             "None for what was not read from text. Raises NameNotFound, IndexError.")
        .def("isDictionary", &Policy::is_dictionary, "Whether there is a top-level parameter \"definitions\".");
}

void bind_values(PolicyClass& cls) {
    cls.def("get", &last_of, py::arg("name"), "The last value. Raises NameNotFound.")
        .def("getArray", &list_of, py::arg("name"), "All values. Raises NameNotFound.")
        .def("getBool", &typed<bool>, py::arg("name"), "The last bool. Raises NameNotFound, TypeError.")
        .def("getInt", &typed<std::int32_t>, py::arg("name"), "The last int. Raises NameNotFound, TypeError.")
        .def("getDouble", &typed<double>, py::arg("name"), "The last double. Raises NameNotFound, TypeError.")
        .def("getString", &typed<policy::StringValue>, py::arg("name"), "The last string. Raises NameNotFound, TypeError.")
        .def("getPolicy", &Policy::get_policy, py::arg("name"),
             "The last sub-policy; changes of it show here. Raises NameNotFound, TypeError.")
        .def("getFile", &file, py::arg("name"), "The last unresolved file. Raises NameNotFound, TypeError.")
        .def("getBoolArray", &typed_array<bool>, py::arg("name"), "All bools. Raises NameNotFound, TypeError.")
        .def("getIntArray", &typed_array<std::int32_t>, py::arg("name"),
             "All ints. Raises NameNotFound, TypeError.")
        .def("getDoubleArray", &typed_array<double>, py::arg("name"),
             "All doubles. Raises NameNotFound, TypeError.")
        .def("getStringArray", &typed_array<policy::StringValue>, py::arg("name"),
             "All strings. Raises NameNotFound, TypeError.")
        .def(
            "getPolicyArray",
            [](const Policy& self, const std::string& name) {
                py::list list;
                for (const policy::PolicyPtr& element : self.get_policy_array(name)) list.append(element);
                return list;
            },
            py::arg("name"), "All sub-policies; changes of them show here. Raises NameNotFound, TypeError.")
        .def("getFileArray", &file_array, py::arg("name"), "All unresolved files. Raises NameNotFound, TypeError.");
}

}  // namespace

py::object type_to_py(ValueType type) { return py::type::of<Policy>().attr("ValueType")(static_cast<int>(type)); }

void bind_value_types(PolicyClass& cls) {
    // An IntEnum, because DC3b code compares types with numbers.
    py::dict members;
    members["UNDETERMINED"] = static_cast<int>(ValueType::UNDETERMINED);
    members["UNDEF"] = static_cast<int>(ValueType::UNDEF);
    members["BOOL"] = static_cast<int>(ValueType::BOOL);
    members["INT"] = static_cast<int>(ValueType::INT);
    members["DOUBLE"] = static_cast<int>(ValueType::DOUBLE);
    members["STRING"] = static_cast<int>(ValueType::STRING);
    members["POLICY"] = static_cast<int>(ValueType::POLICY);
    members["FILE"] = static_cast<int>(ValueType::FILE);
    const py::object enumeration = py::module_::import("enum").attr("IntEnum")(
        "ValueType", members, py::arg("module") = "harness._core", py::arg("qualname") = "Policy.ValueType");
    cls.attr("ValueType") = enumeration;
    for (const auto& [name, number] : members) cls.attr(py::str(name)) = enumeration(number);
}

void bind_policy_reading(PolicyClass& cls) {
    bind_questions(cls);
    bind_values(cls);
    cls.def(
           "nameCount", [](const Policy& self) { return self.node()->size(); },
           "The number of top-level parameters.")
        .def("names", &names<Names::ALL>, py::arg("topLevelOnly") = false,
             "All names in order of first insertion; nested ones dotted, each after the policy that holds it.")
        .def("paramNames", &names<Names::PARAMETERS>, py::arg("topLevelOnly") = false,
             "The names of plain values: neither policies nor files.")
        .def("policyNames", &names<Names::POLICIES>, py::arg("topLevelOnly") = false, "The names of sub-policies.")
        .def("fileNames", &names<Names::FILES>, py::arg("topLevelOnly") = false, "The names of unresolved files.")
        .def("str", &text_of, py::arg("name"), py::arg("indent") = "",
             "The values as text, separated by commas; \"<null>\" where there are none.")
        .def(
            "toString", [](const Policy& self) { return to_py(policy::listing(*self.node())); },
            "An indented listing for people.")
        .def("__str__", [](const Policy& self) { return to_py(policy::listing(*self.node())); })
        .def(
            "asPropertySet",
            [](const py::object& self) {
                return py::module_::import("harness.policy.property_sets").attr("PolicyProperties")(self);
            },
            "The parameters as a harness.properties.PropertySet that shows later changes, and changes this policy;\n"
            "unresolved files show as their paths.");
}

}  // namespace pex::bindings
