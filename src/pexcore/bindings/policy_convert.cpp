// SPDX-License-Identifier: BSD-3-Clause
// Conversion of policy values: bool stays bool, int has 32 bits, nothing is converted silently.
#include "policy_convert.hpp"

#include <cstdint>
#include <utility>
#include <vector>

#include "policy/name_path.hpp"
#include "policy/value_type.hpp"
#include "policy_formats.hpp"

namespace pex::bindings {

using policy::Entry;
using policy::FilePtr;
using policy::NodePtr;
using policy::Policy;
using policy::PolicyPtr;
using policy::Report;
using policy::SmallArray;
using policy::StringValue;
using policy::Values;
using policy::ValueType;

namespace {

[[noreturn]] void refuse(py::handle value, std::string_view name, const std::string& problem) {
    Report report;
    report.problem = "parameter " + policy::in_quotes(name) + ": " + problem;
    report.expected = "bool, int of 32 bits, float, str, Policy, PolicyFile, a mapping, or a list of one of them";
    report.seen = from_py(py::repr(py::type::handle_of(value))) + " " + policy::in_quotes(from_py(py::repr(value)));
    throw policy::TypeError(std::move(report));
}

std::string type_name_of(py::handle value) { return Py_TYPE(value.ptr())->tp_name; }

bool is_bool(py::handle value) {
    if (PyBool_Check(value.ptr()) != 0) return true;
    const std::string name = type_name_of(value);
    return name == "numpy.bool_" || name == "numpy.bool";
}

bool is_list(py::handle value) {
    if (PyList_Check(value.ptr()) != 0 || PyTuple_Check(value.ptr()) != 0) return true;
    return type_name_of(value) == "numpy.ndarray" && py::len(value.attr("shape")) == 1;
}

bool is_mapping(py::handle value) {
    return PyDict_Check(value.ptr()) != 0 || (PyMapping_Check(value.ptr()) != 0 && py::hasattr(value, "keys"));
}

// A float of any kind, but not text or containers that happen to convert.
bool is_float(py::handle value) {
    if (PyFloat_Check(value.ptr()) != 0) return true;
    const PyNumberMethods* number = Py_TYPE(value.ptr())->tp_as_number;
    return number != nullptr && number->nb_float != nullptr && type_name_of(value).starts_with("numpy.float");
}

ValueType type_of(py::handle value, std::string_view name) {
    if (is_bool(value)) return ValueType::BOOL;
    if (PyIndex_Check(value.ptr()) != 0 && type_name_of(value) != "numpy.ndarray") return ValueType::INT;
    if (is_float(value)) return ValueType::DOUBLE;
    if (PyUnicode_Check(value.ptr()) != 0) return ValueType::STRING;
    if (py::isinstance<Policy>(value)) return ValueType::POLICY;
    if (py::isinstance<policy::PolicyFile>(value)) return ValueType::FILE;
    if (is_mapping(value)) return ValueType::POLICY;
    refuse(value, name, "a policy cannot hold this");
}

std::int32_t int_from(py::handle value, std::string_view name) {
    const auto index = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
    if (!index) throw py::error_already_set();
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
    if (overflow != 0 || number < INT32_MIN || number > INT32_MAX)
        refuse(value, name, "the integer needs more than 32 bits");
    return static_cast<std::int32_t>(number);
}

NodePtr node_from(py::handle value) {
    if (py::isinstance<Policy>(value)) return value.cast<const Policy&>().node();
    return policy_from_mapping(value)->node();
}

FilePtr file_from(py::handle value) { return value.cast<std::shared_ptr<policy::PolicyFile>>(); }

template <class T, class Convert>
Values collect(const std::vector<py::object>& items, Convert convert) {
    SmallArray<T> array;
    array.reserve(items.size());
    for (const py::object& item : items) array.push_back(convert(item));
    return array;
}

Values collect(const std::vector<py::object>& items, ValueType type, std::string_view name) {
    switch (type) {
        case ValueType::BOOL:
            return collect<bool>(items, [](py::handle item) { return PyObject_IsTrue(item.ptr()) == 1; });
        case ValueType::INT:
            return collect<std::int32_t>(items, [&](py::handle item) { return int_from(item, name); });
        case ValueType::DOUBLE:
            return collect<double>(items, [](py::handle item) { return PyFloat_AsDouble(item.ptr()); });
        case ValueType::STRING: return collect<StringValue>(items, [](py::handle item) { return from_py(item); });
        case ValueType::POLICY: return collect<NodePtr>(items, [](py::handle item) { return node_from(item); });
        case ValueType::FILE: return collect<FilePtr>(items, [](py::handle item) { return file_from(item); });
        default: return {};
    }
}

std::vector<py::object> items_of(py::handle value) {
    std::vector<py::object> items;
    if (!is_list(value)) {
        items.push_back(py::reinterpret_borrow<py::object>(value));
        return items;
    }
    for (const py::handle item : py::iter(value)) items.push_back(py::reinterpret_borrow<py::object>(item));
    return items;
}

template <class Span, class Convert>
py::list converted(const Span& values, Convert convert) {
    py::list list(values.size());
    std::size_t i = 0;
    for (const auto& value : values) list[i++] = convert(value);
    return list;
}

py::object file_object(const FilePtr& file) { return py::cast(std::const_pointer_cast<policy::PolicyFile>(file)); }

std::string resolve_product(std::string_view product) {
    const py::module_ products = py::module_::import("harness.policy.products");
    try {
        return path_from_py(products.attr("product_directory")(to_py(product)));
    } catch (py::error_already_set& error) {
        if (!error.matches(py::module_::import("harness.exceptions").attr("NotFoundError"))) throw;
        Report report;
        report.problem = from_py(py::str(error.value()));
        throw policy::NotFoundError(std::move(report));
    }
}

}  // namespace

py::str to_py(std::string_view text) {
    PyObject* decoded = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape");
    if (decoded == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::str>(decoded);
}

std::string from_py(py::handle text) {
    const auto bytes =
        py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogateescape"));
    if (!bytes) throw py::error_already_set();
    return std::string(bytes);
}

py::list to_py(const std::vector<std::string>& texts) {
    return converted(texts, [](const std::string& text) { return to_py(text); });
}

std::string path_from_py(py::handle path) {
    PyObject* bytes = nullptr;
    if (PyUnicode_FSConverter(path.ptr(), &bytes) == 0) throw py::error_already_set();
    return std::string(py::reinterpret_steal<py::bytes>(bytes));
}

py::list list_of(const Policy& policy, std::string_view name) {
    switch (policy.require(name).type()) {
        case ValueType::BOOL:
            return converted(policy.get_array<bool>(name), [](bool value) { return py::bool_(value); });
        case ValueType::INT:
            return converted(policy.get_array<std::int32_t>(name),
                             [](std::int32_t value) { return py::int_(value); });
        case ValueType::DOUBLE:
            return converted(policy.get_array<double>(name), [](double value) { return py::float_(value); });
        case ValueType::STRING:
            return converted(policy.get_array<StringValue>(name),
                             [](std::string_view value) { return to_py(value); });
        case ValueType::POLICY:
            return converted(policy.get_policy_array(name), [](const PolicyPtr& value) { return py::cast(value); });
        default: return converted(policy.get_file_array(name), file_object);
    }
}

py::object last_of(const Policy& policy, std::string_view name) {
    switch (policy.require(name).type()) {
        case ValueType::BOOL: return py::bool_(policy.get<bool>(name));
        case ValueType::INT: return py::int_(policy.get<std::int32_t>(name));
        case ValueType::DOUBLE: return py::float_(policy.get<double>(name));
        case ValueType::STRING: return to_py(policy.get<StringValue>(name));
        case ValueType::POLICY: return py::cast(policy.get_policy(name));
        default: return file_object(policy.get_file(name));
    }
}

py::object plain_or_list(const Policy& policy, std::string_view name) {
    if (policy.require(name).size() == 1) return last_of(policy, name);
    return list_of(policy, name);
}

Values values_from_py(py::handle value, std::string_view name) {
    if (value.is_none()) {
        Report report;
        report.problem = "parameter " + policy::in_quotes(name) + " cannot be None";
        report.expected = "a value; remove() forgets a parameter";
        throw policy::RuntimeError(std::move(report));
    }
    const std::vector<py::object> items = items_of(value);
    if (items.empty()) return {};
    const ValueType type = type_of(items.front(), name);
    for (const py::object& item : items) {
        if (type_of(item, name) != type) refuse(value, name, "the values have several types");
    }
    return collect(items, type, name);
}

policy::LoadOptions python_options(bool strict) {
    policy::LoadOptions options;
    options.strict = strict;
    options.products = resolve_product;
    options.foreign = load_registered_format;
    return options;
}

}  // namespace pex::bindings
