// SPDX-License-Identifier: BSD-3-Clause
// Whole-tree operations: copying, comparing, looking for a node. All walk with a list of their own.
#include <cmath>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "policy/node.hpp"
#include "policy/policy_file.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

bool same(double a, double b) noexcept { return a == b || (std::isnan(a) && std::isnan(b)); }
bool same(const FilePtr& a, const FilePtr& b) { return a == b || *a == *b; }
template <class T>
bool same(const T& a, const T& b) {
    return a == b;
}

struct Pair {
    const Node* a;
    const Node* b;
};

bool same_values(const Entry& a, const Entry& b, std::vector<Pair>& below) {
    if (a.values.index() != b.values.index() || a.size() != b.size()) return false;
    return std::visit(
        [&](const auto& left) {
            using Array = std::decay_t<decltype(left)>;
            if constexpr (std::is_same_v<Array, std::monostate>) {
                return true;
            } else {
                const Array& right = std::get<Array>(b.values);
                for (std::size_t i = 0; i < left.size(); ++i) {
                    if constexpr (std::is_same_v<Array, Children>) {
                        if (left[i] != right[i]) below.push_back({left[i].get(), right[i].get()});
                    } else {
                        if (!same(left[i], right[i])) return false;
                    }
                }
                return true;
            }
        },
        a.values);
}

}  // namespace

NodePtr deep_copy(const Node& node) {
    auto root = std::make_shared<Node>(node.opened());
    std::vector<std::pair<const Node*, Node*>> pending{{&node, root.get()}};
    while (!pending.empty()) {
        const auto [from, to] = pending.back();
        pending.pop_back();
        from->for_each([&, target = to](const Entry& entry) {
            Entry& copy = target->copy_entry(entry);
            auto* children = std::get_if<Children>(&copy.values);
            if (children == nullptr) return;
            for (NodePtr& child : *children) {
                auto fresh = std::make_shared<Node>(child->opened());
                pending.emplace_back(child.get(), fresh.get());
                child = std::move(fresh);
            }
        });
    }
    return root;
}

bool equal(const Node& a, const Node& b) {
    std::vector<Pair> pending{{&a, &b}};
    while (!pending.empty()) {
        const Pair pair = pending.back();
        pending.pop_back();
        if (pair.a->size() != pair.b->size()) return false;
        for (const Entry& entry : pair.a->entries()) {
            if (entry.type() == ValueType::UNDEF) continue;
            const Entry* other = pair.b->find(entry.name);
            if (other == nullptr || !same_values(entry, *other, pending)) return false;
        }
    }
    return true;
}

bool reaches(const NodePtr& root, const Node* wanted) {
    std::unordered_set<const Node*> seen{root.get()};
    std::vector<const Node*> pending{root.get()};
    while (!pending.empty()) {
        const Node* node = pending.back();
        pending.pop_back();
        if (node == wanted) return true;
        node->for_each([&](const Entry& entry) {
            const auto* children = std::get_if<Children>(&entry.values);
            if (children == nullptr) return;
            for (const NodePtr& child : *children) {
                if (seen.insert(child.get()).second) pending.push_back(child.get());
            }
        });
    }
    return false;
}

}  // namespace pex::policy
