// SPDX-License-Identifier: BSD-3-Clause
// Policy in Python: mapping protocol, dicts, comparison, pickling.
#include "policy/name_path.hpp"
#include "policy_bind.hpp"
#include "policy_convert.hpp"
#include "policy_pickle.hpp"

namespace pex::bindings {

using policy::Policy;
using policy::PolicyPtr;
using policy::ValueType;

namespace {

py::list top_names(const Policy& self) { return to_py(self.names(Policy::Names::ALL, true)); }

bool contains(const Policy& self, const py::object& name) {
    if (PyUnicode_Check(name.ptr()) == 0) return false;
    try {
        return self.exists(from_py(name));
    } catch (const policy::BadNameError&) {
        return false;
    }
}

py::list values(const Policy& self) {
    py::list list;
    self.node()->for_each([&](const policy::Entry& entry) { list.append(plain_or_list(self, entry.name)); });
    return list;
}

py::list items(const Policy& self) {
    py::list list;
    self.node()->for_each([&](const policy::Entry& entry) {
        list.append(py::make_tuple(to_py(entry.name), plain_or_list(self, entry.name)));
    });
    return list;
}

// Names with their counts: "Policy with 3 parameters: name, appStage[2], dir".
py::str represent(const py::object& object) {
    const auto& self = object.cast<const Policy&>();
    const std::size_t count = self.node()->size();
    std::string text = "<" + from_py(py::type::handle_of(object).attr("__name__"));
    if (self.node()->opened().known()) text += " of " + self.node()->opened().source->name();
    text += " with " + std::to_string(count) + (count == 1 ? " parameter" : " parameters");
    std::size_t shown = 0;
    self.node()->for_each([&](const policy::Entry& entry) {
        if (++shown <= 8) text += (shown == 1 ? ": " : ", ") + entry.name;
        if (shown <= 8 && entry.size() > 1) text += "[" + std::to_string(entry.size()) + "]";
    });
    return to_py(text + (shown > 8 ? ", ...>" : ">"));
}

PolicyPtr copy_top_level(const Policy& self) {
    auto node = std::make_shared<policy::Node>(self.node()->opened());
    self.node()->for_each([&](const policy::Entry& entry) { node->copy_entry(entry); });
    return std::make_shared<Policy>(std::move(node), self.path(), self.dictionary());
}

void delete_item(Policy& self, const std::string& name) {
    (void)self.require(name);
    self.remove(name);
}

}  // namespace

void bind_policy_comforts(PolicyClass& cls) {
    cls.def("__getitem__", &plain_or_list, py::arg("name"),
            "The value of a hierarchical name, a list where it has several. Raises NameNotFound, a KeyError.")
        .def("__setitem__", [](Policy& self, const std::string& name,
                               const py::object& value) { self.set_values(name, values_from_py(value, name)); })
        .def("__delitem__", &delete_item)
        .def("__contains__", &contains)
        .def("__len__", [](const Policy& self) { return self.node()->size(); })
        .def(
            "__bool__", [](const Policy&) { return true; }, "Always true: `if policy:` asks whether there is one.")
        .def("__iter__", [](const Policy& self) { return py::iter(top_names(self)); })
        .def("keys", &top_names, "The top-level names.")
        .def("values", &values, "What policy[name] gives for each top-level name.")
        .def("items", &items, "Pairs of keys() and values().")
        .def("toDict", &dict_of, "Nested dicts; a parameter with several values becomes a list.")
        .def_static("fromDict", &policy_from_mapping, py::arg("mapping"),
                    "A policy of nested mappings; lists give arrays, lists of mappings arrays of policies.")
        .def("__repr__", [](const py::object& self) { return represent(self); })
        .def("__eq__",
             [](const Policy& self, const py::object& other) -> py::object {
                 if (!py::isinstance<Policy>(other)) return py::reinterpret_borrow<py::object>(Py_NotImplemented);
                 return py::bool_(policy::equal(*self.node(), *other.cast<const Policy&>().node()));
             })
        .def("__copy__", &copy_top_level, "A policy of its own that shares its sub-policies with this one.")
        .def("__deepcopy__", [](const Policy& self, const py::dict&) { return self.deep_copy(); })
        .def("__reduce__", &reduce_policy);
    cls.attr("__hash__") = py::none();
}

}  // namespace pex::bindings
