// SPDX-License-Identifier: BSD-3-Clause
// A flat state: (name, type, values) per parameter; a block is (name, POLICY, None) followed by its contents and
// None.
#include "policy_pickle.hpp"

#include <utility>
#include <vector>

#include "policy_convert.hpp"

namespace pex::bindings {

using policy::Entry;
using policy::Node;
using policy::NodePtr;
using policy::Policy;
using policy::SmallArray;
using policy::ValueType;

namespace {

// A node being written, and the next of its parameters and of the blocks under that name.
struct Open {
    const Node* node;
    std::size_t entry;
    std::size_t block;
};

py::list state_of(const Policy& policy) {
    py::list state;
    std::vector<Open> open{{policy.node().get(), 0, 0}};
    while (!open.empty()) {
        Open& top = open.back();
        if (top.entry == top.node->entries().size()) {
            open.pop_back();
            if (!open.empty()) state.append(py::none());
            continue;
        }
        const Entry& entry = top.node->entries()[top.entry];
        const auto* children = std::get_if<SmallArray<NodePtr>>(&entry.values);
        if (children != nullptr && top.block < children->size()) {
            state.append(py::make_tuple(to_py(entry.name), static_cast<int>(ValueType::POLICY), py::none()));
            const Node* child = (*children)[top.block++].get();
            open.push_back({child, 0, 0});
            continue;
        }
        ++top.entry;
        top.block = 0;
        if (entry.type() == ValueType::UNDEF || children != nullptr) continue;
        const Policy holder(std::const_pointer_cast<Node>(std::shared_ptr<const Node>(policy.node(), top.node)));
        state.append(
            py::make_tuple(to_py(entry.name), static_cast<int>(entry.type()), list_of(holder, entry.name)));
    }
    return state;
}

py::object policy_from_state(const py::object& cls, const py::list& state, const py::object& dictionary) {
    const py::object made = cls();
    std::vector<policy::PolicyPtr> open{std::make_shared<Policy>(made.cast<const Policy&>().node())};
    for (const py::handle item : state) {
        if (item.is_none()) {
            open.pop_back();
            continue;
        }
        const auto [name, type, values] = item.cast<std::tuple<py::str, int, py::object>>();
        const std::string text = from_py(name);
        if (static_cast<ValueType>(type) == ValueType::POLICY) {
            const auto block = std::make_shared<Policy>();
            open.back()->add(text, block);
            open.push_back(block);
        } else {
            open.back()->set_values(text, values_from_py(values, text));
        }
    }
    if (!dictionary.is_none()) made.cast<Policy&>().set_dictionary(dictionary.cast<policy::DictionaryPtr>());
    return made;
}

}  // namespace

py::tuple reduce_policy(const py::object& object) {
    const auto& policy = object.cast<const Policy&>();
    const py::object make = py::module_::import("harness._core").attr("_policy_from_state");
    py::object dictionary = py::none();
    if (policy.dictionary() != nullptr) dictionary = py::cast(policy.dictionary());
    return py::make_tuple(make, py::make_tuple(py::type::handle_of(object), state_of(policy), dictionary));
}

py::tuple reduce_dictionary(const py::object& object) {
    const auto& dictionary = object.cast<const policy::Dictionary&>();
    const py::object make = py::module_::import("harness._core").attr("_dictionary_from_state");
    return py::make_tuple(make, py::make_tuple(state_of(dictionary), to_py(dictionary.prefix())));
}

void bind_policy_pickling(py::module_& module) {
    module.def(
        "_dictionary_from_state",
        [](const py::list& state, const std::string& prefix) {
            const auto content =
                policy_from_state(py::type::of<Policy>(), state, py::none()).cast<policy::PolicyPtr>();
            return std::make_shared<policy::Dictionary>(content->node(), prefix, policy::WarningSink{}, false);
        },
        py::arg("state"), py::arg("prefix"));
    module.def("_policy_from_state", &policy_from_state, py::arg("cls"), py::arg("state"), py::arg("dictionary"));
}

}  // namespace pex::bindings
