// SPDX-License-Identifier: BSD-3-Clause
// Policies from and to nested dicts. Both walk with a list of their own: depth costs no machine stack.
#include <utility>
#include <vector>

#include "policy/name_path.hpp"
#include "policy_convert.hpp"

namespace pex::bindings {

using policy::Entry;
using policy::NodePtr;
using policy::Policy;
using policy::PolicyPtr;
using policy::SmallArray;
using policy::ValueType;

namespace {

struct Mapping {
    py::object mapping;
    PolicyPtr into;
    std::size_t depth;
};

// Errors: TypeError of the language for what is no mapping; InvalidParameterError for a mapping that holds itself,
// which is one that nests without end.
void require_mapping(const Mapping& next) {
    if (PyMapping_Check(next.mapping.ptr()) == 0 || !py::hasattr(next.mapping, "keys")) {
        throw py::type_error("a policy is made of a mapping such as {\"sigma\": 3.0}, not of " +
                             from_py(py::repr(py::type::handle_of(next.mapping))));
    }
    if (next.depth <= policy::MAX_DEPTH) return;
    policy::Report report;
    report.problem = "the mapping nests too deep: does it hold itself?";
    report.expected = "at most " + std::to_string(policy::MAX_DEPTH) + " levels";
    throw policy::InvalidParameterError(std::move(report));
}

bool is_plain_mapping(py::handle value) {
    return !py::isinstance<Policy>(value) && PyMapping_Check(value.ptr()) != 0 && py::hasattr(value, "keys");
}

bool is_list_of_mappings(py::handle value) {
    if (PyList_Check(value.ptr()) == 0 && PyTuple_Check(value.ptr()) == 0) return false;
    for (const py::handle item : py::iter(value)) {
        if (!is_plain_mapping(item)) return false;
    }
    return py::len(value) > 0;
}

// Puts an empty policy in place of each mapping and remembers to fill it.
void set_blocks(const Mapping& above, std::string_view name, py::handle value, std::vector<Mapping>& pending) {
    const Policy& into = *above.into;
    SmallArray<NodePtr> children;
    const auto add_block = [&](py::handle mapping) {
        auto block =
            std::make_shared<Policy>(std::make_shared<policy::Node>(), policy::join_names(into.path(), name));
        children.push_back(block->node());
        pending.push_back({py::reinterpret_borrow<py::object>(mapping), std::move(block), above.depth + 1});
    };
    if (is_plain_mapping(value)) {
        add_block(value);
    } else {
        for (const py::handle item : py::iter(value)) add_block(item);
    }
    Policy(into).set_values(name, std::move(children));
}

}  // namespace

PolicyPtr policy_from_mapping(py::handle mapping) {
    auto root = std::make_shared<Policy>();
    std::vector<Mapping> pending{{py::reinterpret_borrow<py::object>(mapping), root, 0}};
    while (!pending.empty()) {
        const Mapping next = std::move(pending.back());
        pending.pop_back();
        require_mapping(next);
        for (const py::handle key : py::iter(next.mapping.attr("keys")())) {
            if (PyUnicode_Check(key.ptr()) == 0) {
                throw py::type_error("parameter names are str, not " + from_py(py::repr(key)));
            }
            const std::string name = from_py(key);
            const py::object value = next.mapping[key];
            if (is_plain_mapping(value) || is_list_of_mappings(value)) {
                set_blocks(next, name, value, pending);
            } else {
                next.into->set_values(name, values_from_py(value, policy::join_names(next.into->path(), name)));
            }
        }
    }
    return root;
}

py::dict dict_of(const Policy& policy) {
    py::dict root;
    std::vector<std::pair<PolicyPtr, py::dict>> pending{{std::make_shared<Policy>(policy.node()), root}};
    const auto dict_for = [&](const PolicyPtr& block) {
        py::dict dict;
        pending.emplace_back(block, dict);
        return dict;
    };
    while (!pending.empty()) {
        const auto [block, dict] = std::move(pending.back());
        pending.pop_back();
        block->node()->for_each([&, from = block, into = dict](const Entry& entry) {
            const py::str key = to_py(entry.name);
            if (entry.type() != ValueType::POLICY) {
                into[key] = plain_or_list(*from, entry.name);
                return;
            }
            py::list blocks;
            for (const PolicyPtr& child : from->get_policy_array(entry.name)) blocks.append(dict_for(child));
            into[key] = blocks.size() == 1 ? py::object(blocks[0]) : py::object(blocks);
        });
    }
    return root;
}

}  // namespace pex::bindings
