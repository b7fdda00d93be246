// SPDX-License-Identifier: BSD-3-Clause
// Reading a policy: look-up by dotted name, typed access, lists of names.
#include "policy/policy.hpp"

#include <utility>

#include "policy/dictionary.hpp"
#include "policy/name_path.hpp"
#include "policy/suggest.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

const Node* last_child(const Entry& entry) noexcept {
    const auto* children = std::get_if<SmallArray<NodePtr>>(&entry.values);
    return children == nullptr ? nullptr : children->back().get();
}

std::vector<std::string_view> names_of(const Node& node) {
    std::vector<std::string_view> names;
    node.for_each([&](const Entry& entry) { names.push_back(entry.name); });
    return names;
}

// Says how far the name led: which field is missing, or which is no policy.
Report absent(const Node& root, const std::string& path, std::string_view name) {
    Report report;
    report.place = root.opened();
    const Node* node = &root;
    FieldWalk walk(name);
    while (walk.next()) {
        const Entry* entry = node->find(walk.field());
        if (entry == nullptr) {
            report.problem = "there is no parameter " + in_quotes(name);
            report.breadcrumb = join_names(path, walk.before());
            const std::string near = nearest(walk.field(), names_of(*node));
            if (!near.empty()) report.suggestion = join_names(walk.before(), near);
            return report;
        }
        if (walk.is_last()) break;
        node = last_child(*entry);
        if (node == nullptr) {
            report.problem =
                "there is no parameter " + in_quotes(name) + ": " + in_quotes(walk.up_to_here()) + " is no policy";
            report.place = entry->place();
            report.breadcrumb = join_names(path, walk.up_to_here());
            report.expected = "a policy on the way to " + in_quotes(walk.rest());
            report.seen = describe_values(*entry);
            return report;
        }
        report.place = node->opened();
    }
    return report;
}

template <class Array>
const Array& array_of(const Entry& entry, const std::string& path, std::string_view name, ValueType wanted) {
    if (const auto* array = std::get_if<Array>(&entry.values)) return *array;
    Report report;
    report.problem = "parameter " + in_quotes(name) + " has another type than asked for";
    report.place = entry.place_of(entry.size() - 1);
    report.breadcrumb = join_names(path, name);
    report.expected = std::string(type_name(wanted));
    report.seen = describe_values(entry);
    throw TypeError(std::move(report));
}

template <class T>
constexpr ValueType TYPE_OF = std::is_same_v<T, bool>           ? ValueType::BOOL
                              : std::is_same_v<T, std::int32_t> ? ValueType::INT
                              : std::is_same_v<T, double>       ? ValueType::DOUBLE
                                                                : ValueType::STRING;

}  // namespace

Policy::Policy() : m_node(std::make_shared<Node>()) {}

Policy::Policy(NodePtr node, std::string path, DictionaryPtr dictionary)
    : m_node(std::move(node)), m_path(std::move(path)), m_dictionary(std::move(dictionary)) {}

Policy::~Policy() = default;

PolicyPtr Policy::deep_copy() const {
    return std::make_shared<Policy>(pex::policy::deep_copy(*m_node), m_path, m_dictionary);
}

const Entry* Policy::find(std::string_view name) const {
    check_name(name);
    const Node* node = m_node.get();
    FieldWalk walk(name);
    while (walk.next()) {
        const Entry* entry = node->find(walk.field());
        if (entry == nullptr || walk.is_last()) return entry;
        node = last_child(*entry);
        if (node == nullptr) return nullptr;
    }
    return nullptr;
}

const Entry& Policy::require(std::string_view name) const {
    const Entry* entry = find(name);
    if (entry == nullptr) throw NameNotFound(absent(*m_node, m_path, name));
    return *entry;
}

std::size_t Policy::count(std::string_view name) const {
    const Entry* entry = find(name);
    return entry == nullptr ? 0 : entry->size();
}

ValueType Policy::type(std::string_view name) const {
    const Entry* entry = find(name);
    return entry == nullptr ? ValueType::UNDEF : entry->type();
}

Place Policy::place(std::string_view name) const {
    const Entry* entry = find(name);
    return entry == nullptr ? m_node->opened() : entry->place_of(entry->size() - 1);
}

template <class T>
std::span<const T> Policy::get_array(std::string_view name) const {
    return array_of<SmallArray<T>>(require(name), m_path, name, TYPE_OF<T>).span();
}

template std::span<const bool> Policy::get_array<bool>(std::string_view) const;
template std::span<const std::int32_t> Policy::get_array<std::int32_t>(std::string_view) const;
template std::span<const double> Policy::get_array<double>(std::string_view) const;
template std::span<const StringValue> Policy::get_array<StringValue>(std::string_view) const;

std::span<const FilePtr> Policy::get_file_array(std::string_view name) const {
    return array_of<SmallArray<FilePtr>>(require(name), m_path, name, ValueType::FILE).span();
}

std::vector<PolicyPtr> Policy::get_policy_array(std::string_view name) const {
    const auto& children = array_of<SmallArray<NodePtr>>(require(name), m_path, name, ValueType::POLICY);
    const DictionaryPtr below = dictionary_below(name);
    const std::string path = join_names(m_path, name);
    std::vector<PolicyPtr> policies;
    policies.reserve(children.size());
    for (std::size_t i = 0; i < children.size(); ++i) {
        policies.push_back(std::make_shared<Policy>(children[i], with_subscript(path, i, children.size()), below));
    }
    return policies;
}

PolicyPtr Policy::get_policy(std::string_view name) const {
    const auto& children = array_of<SmallArray<NodePtr>>(require(name), m_path, name, ValueType::POLICY);
    const std::size_t last = children.size() - 1;
    std::string path = with_subscript(join_names(m_path, name), last, children.size());
    return std::make_shared<Policy>(children[last], std::move(path), dictionary_below(name));
}

DictionaryPtr Policy::dictionary_below(std::string_view name) const {
    return m_dictionary == nullptr ? nullptr : m_dictionary->dictionary_below(name);
}

std::vector<std::string> Policy::names(Names which, bool top_level_only) const {
    struct Level {
        const Node* node;
        std::string prefix;
        std::size_t next;
    };
    std::vector<std::string> found;
    std::vector<Level> levels{{m_node.get(), "", 0}};
    while (!levels.empty()) {
        Level& level = levels.back();
        if (level.next == level.node->entries().size()) {
            levels.pop_back();
            continue;
        }
        const Entry& entry = level.node->entries()[level.next++];
        const ValueType type = entry.type();
        if (type == ValueType::UNDEF) continue;
        std::string full = join_names(level.prefix, entry.name);
        const bool is_parameter = type != ValueType::POLICY && type != ValueType::FILE;
        const bool wanted = which == Names::ALL || (which == Names::PARAMETERS && is_parameter) ||
                            (which == Names::POLICIES && type == ValueType::POLICY) ||
                            (which == Names::FILES && type == ValueType::FILE);
        if (wanted) found.push_back(full);
        if (const Node* child = top_level_only ? nullptr : last_child(entry))
            levels.push_back({child, std::move(full), 0});
    }
    return found;
}

}  // namespace pex::policy
