// SPDX-License-Identifier: BSD-3-Clause
// Listings of policies. The walk keeps its own list of open levels.
#include "policy/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "policy/error.hpp"
#include "policy/policy_file.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

std::string value_text(bool value) { return value ? "true" : "false"; }
std::string value_text(std::int32_t value) { return std::to_string(value); }
std::string value_text(double value) { return double_text(value); }
std::string value_text(std::string_view value) {
    std::string text = "\"";
    text += value;
    return text += '"';
}
std::string value_text(const FilePtr& value) { return "FILE:" + value->describe(); }

// All values of an entry that is no policy.
std::string plain_text(const Entry& entry) {
    return std::visit(
        [](const auto& array) -> std::string {
            using Array = std::decay_t<decltype(array)>;
            std::string text;
            if constexpr (!std::is_same_v<Array, std::monostate> && !std::is_same_v<Array, Children>) {
                for (const auto& value : array) {
                    if (!text.empty()) text += ", ";
                    text += value_text(value);
                }
            }
            return text;
        },
        entry.values);
}

// Prints a tree without recursion: each open level remembers how far it is.
class Lister {
 public:
    Lister(std::string_view indent, std::string& out) : m_base(indent), m_out(out) {}

    void print_node(const Node& node) {
        open(node);
        run();
    }

    void print_children(const Children& children) {
        open_children(children);
        run();
    }

 private:
    struct Level {
        const Node* node;          // null: a list of blocks
        const Children* children;  // null: the parameters of a node
        std::size_t next;
    };

    void run() {
        while (!m_levels.empty()) {
            Level& level = m_levels.back();
            if (level.node != nullptr) {
                step_node(level);
            } else {
                step_children(level);
            }
        }
    }

    void open(const Node& node) { m_levels.push_back({&node, nullptr, 0}); }
    void open_children(const Children& children) { m_levels.push_back({nullptr, &children, 0}); }

    void step_node(Level& level) {
        const auto& entries = level.node->entries();
        if (level.next == entries.size()) {
            m_levels.pop_back();
            return;
        }
        const Entry& entry = entries[level.next++];
        if (entry.type() == ValueType::UNDEF) return;
        m_out += indent() + entry.name + ": ";
        if (const auto* children = std::get_if<Children>(&entry.values)) {
            open_children(*children);
        } else {
            m_out += plain_text(entry) + "\n";
        }
    }

    void step_children(Level& level) {
        if (level.next > 0) {
            --m_depth;
            m_out += indent() + "}";
        }
        if (level.next == level.children->size()) {
            m_levels.pop_back();
            if (!m_levels.empty()) m_out += "\n";
            return;
        }
        m_out += level.next > 0 ? ", {\n" : "{\n";
        ++m_depth;
        const Node& child = *(*level.children)[level.next++];
        open(child);
    }

    std::string indent() const { return m_base + std::string(2 * std::min(m_depth, DEEPEST_INDENT), ' '); }

    std::string m_base;
    std::string& m_out;
    std::size_t m_depth = 0;
    std::vector<Level> m_levels;
};

}  // namespace

std::string double_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::array<char, 32> buffer{};
    const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    std::string text(buffer.data(), result.ptr);
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}

std::string values_text(const Entry& entry, std::string_view indent) {
    const auto* children = std::get_if<Children>(&entry.values);
    if (children == nullptr) return plain_text(entry);
    std::string text;
    Lister(indent, text).print_children(*children);
    return text;
}

std::string listing(const Node& node, std::string_view indent) {
    std::string text;
    Lister(indent, text).print_node(node);
    return text;
}

std::string describe_value(const Entry& entry, std::size_t index) {
    if (entry.type() == ValueType::POLICY) return "a Policy";
    const std::string name(type_name(entry.type()));
    return std::visit(
        [&](const auto& array) -> std::string {
            using Array = std::decay_t<decltype(array)>;
            if constexpr (std::is_same_v<Array, SmallArray<StringValue>>) {
                return name + " " + in_quotes(array[index]);
            } else if constexpr (!std::is_same_v<Array, std::monostate> && !std::is_same_v<Array, Children>) {
                return name + " " + value_text(array[index]);
            } else {
                return name;
            }
        },
        entry.values);
}

std::string describe_values(const Entry& entry) {
    const std::size_t count = entry.size();
    if (count == 1) return describe_value(entry, 0);
    std::string text = std::to_string(count) + " values of type " + std::string(type_name(entry.type()));
    if (entry.type() == ValueType::POLICY) return text;
    const std::string values = plain_text(entry);
    return values.size() <= 60 ? text + " (" + values + ")" : text;
}

}  // namespace pex::policy
