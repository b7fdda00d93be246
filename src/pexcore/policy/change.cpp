// SPDX-License-Identifier: BSD-3-Clause
// Changing a policy: set, add, remove. A call that raises has changed nothing.
#include <utility>

#include "policy/dictionary.hpp"
#include "policy/name_path.hpp"
#include "policy/policy.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

template <class T>
Values single(T value) {
    SmallArray<T> array;
    array.push_back(std::move(value));
    return array;
}

ValueType type_of(const Values& values) noexcept { return static_cast<ValueType>(values.index()); }

[[noreturn]] void refuse_below(const Entry& entry, const std::string& path, const FieldWalk& walk,
                               std::string_view name) {
    Report report;
    report.problem = "parameter " + in_quotes(name) + " cannot stand below " + in_quotes(walk.up_to_here()) +
                     ", which is no policy";
    report.place = entry.place_of(entry.size() - 1);
    report.breadcrumb = join_names(path, walk.up_to_here());
    report.expected = "a Policy";
    report.seen = describe_values(entry);
    throw InvalidParameterError(std::move(report));
}

// The node that holds, or will hold, the last field. Nothing is created before everything is known to fit.
struct Holder {
    Node* node;                // the deepest policy that exists
    std::string_view missing;  // the fields below it, the last one included
};

Holder holder_of(Node& root, const std::string& path, std::string_view name) {
    Node* node = &root;
    FieldWalk walk(name);
    while (walk.next()) {
        if (walk.is_last()) return {node, walk.field()};
        Entry* entry = node->find(walk.field());
        if (entry == nullptr)
            return {node, name.substr(name.size() - walk.rest().size() - 1 - walk.field().size())};
        auto* children = std::get_if<Children>(&entry->values);
        if (children == nullptr) refuse_below(*entry, path, walk, name);
        node = children->back().get();
    }
    return {node, name};
}

Entry& create(const Holder& holder) {
    Node* node = holder.node;
    FieldWalk walk(holder.missing);
    while (walk.next() && !walk.is_last()) {
        auto fresh = std::make_shared<Node>();
        Entry& entry = node->find_or_create(walk.field());
        node = fresh.get();
        entry.values = single(std::move(fresh));
    }
    return node->find_or_create(walk.field());
}

void refuse_cycle(const Values& values, const Node* holder, std::string_view name) {
    const auto* children = std::get_if<Children>(&values);
    if (children == nullptr) return;
    for (const NodePtr& child : *children) {
        if (!reaches(child, holder)) continue;
        Report report;
        report.problem = "parameter " + in_quotes(name) + " would put a policy inside itself";
        report.expected = "a policy that does not hold the one it is put into, or a deep copy";
        throw InvalidParameterError(std::move(report));
    }
}

void refuse_empty(const Values& values, std::string_view name) {
    const bool empty = std::visit(
        [](const auto& array) {
            if constexpr (std::is_same_v<std::decay_t<decltype(array)>, std::monostate>) {
                return true;
            } else {
                return array.empty();
            }
        },
        values);
    if (!empty) return;
    Report report;
    report.problem = "no value was given for parameter " + in_quotes(name);
    report.expected = "one value or more; remove() forgets a parameter";
    throw RuntimeError(std::move(report));
}

}  // namespace

Values values_of(bool value) { return single(value); }
Values values_of(std::int32_t value) { return single(value); }
Values values_of(double value) { return single(value); }
Values values_of(std::string_view value) { return single(StringValue(value)); }
Values values_of(const char* value) { return single(StringValue(value)); }
Values values_of(const PolicyPtr& value) { return single(value->node()); }
Values values_of(FilePtr value) { return single(std::move(value)); }

void append_values(Entry& entry, Values values) {
    std::visit(
        [&](auto& more) {
            using Array = std::decay_t<decltype(more)>;
            if constexpr (!std::is_same_v<Array, std::monostate>) {
                Array& array = std::get<Array>(entry.values);
                for (auto& value : more) array.push_back(std::move(value));
            }
        },
        values);
}

void Policy::check_change(std::string_view name, const Values& values, bool appending) const {
    if (m_dictionary != nullptr) m_dictionary->check_change(*this, name, values, appending);
}

void Policy::set_values(std::string_view name, Values values) {
    check_name(name);
    refuse_empty(values, name);
    const Holder holder = holder_of(*m_node, m_path, name);
    refuse_cycle(values, holder.node, name);
    check_change(name, values, false);
    Entry& entry = create(holder);
    entry.values = std::move(values);
    entry.source = nullptr;
    entry.offsets.clear();
    entry.name_offset = NO_OFFSET;
}

void Policy::add_values(std::string_view name, Values values) {
    check_name(name);
    refuse_empty(values, name);
    const Entry* existing = find(name);
    if (existing == nullptr) return set_values(name, std::move(values));
    const Holder holder = holder_of(*m_node, m_path, name);
    refuse_cycle(values, holder.node, name);
    check_change(name, values, true);
    if (existing->type() != type_of(values)) {
        Report report;
        report.problem = "a value of another type cannot be added to parameter " + in_quotes(name);
        report.place = existing->place();
        report.breadcrumb = join_names(m_path, name);
        report.expected = "values of type " + std::string(type_name(existing->type()));
        report.seen = std::string(type_name(type_of(values)));
        throw TypeError(std::move(report));
    }
    append_values(create(holder), std::move(values));
}

void Policy::remove(std::string_view name) {
    const Entry* entry = find(name);
    if (entry == nullptr) return;
    const Holder holder = holder_of(*m_node, m_path, name);
    holder.node->remove(holder.missing);
}

}  // namespace pex::policy
