// SPDX-License-Identifier: BSD-3-Clause
// Writes trees as PAF, level by level from a list of its own.
#include "policy/paf_writer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "policy/error.hpp"
#include "policy/name_path.hpp"
#include "policy/paf_scan.hpp"
#include "policy/policy_file.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;
using Files = SmallArray<FilePtr>;

constexpr std::string_view DECLARATION = "#<?cfg paf policy ?>\n";

class PafWriter {
 public:
    std::string take() { return std::move(m_out); }
    void declare() { m_out += DECLARATION; }

    void write_node(const Node& node) {
        m_open.push_back({&node, nullptr, 0});
        run();
    }

    void write_parameter(std::string_view name, const Values& values) {
        start_parameter(name, values);
        run();
    }

 private:
    // Either the parameters of a node, or the blocks of one name.
    struct Open {
        const Node* node;
        const Children* blocks;
        std::size_t next;
        std::string_view name = {};
    };

    void run() {
        while (!m_open.empty()) {
            Open& top = m_open.back();
            if (top.node != nullptr) {
                step_node(top);
            } else {
                step_blocks(top);
            }
        }
    }

    void step_node(Open& top) {
        const Entries& entries = top.node->entries();
        if (top.next == entries.size()) return m_open.pop_back();
        const Entry& entry = entries[top.next++];
        if (entry.type() == ValueType::UNDEF) return;
        m_path.push_back(entry.name);
        start_parameter(entry.name, entry.values);
        if (entry.type() != ValueType::POLICY) m_path.pop_back();
    }

    void step_blocks(Open& top) {
        if (top.next > 0) {
            --m_depth;
            m_out.append(indent()).append("}\n");
        }
        if (top.next == top.blocks->size()) {
            m_open.pop_back();
            if (!m_path.empty()) m_path.pop_back();
            return;
        }
        m_out.append(indent()).append(top.name).append(": {\n");
        ++m_depth;
        const Node* block = (*top.blocks)[top.next++].get();
        m_open.push_back({block, nullptr, 0});
    }

    void start_parameter(std::string_view name, const Values& values) {
        require_name(name);
        if (const auto* blocks = std::get_if<Children>(&values)) {
            m_open.push_back({nullptr, blocks, 0, name});
        } else if (const auto* files = std::get_if<Files>(&values)) {
            for (const FilePtr& file : *files)
                m_out.append(indent()).append(name).append(": ").append(include(*file)).append("\n");
        } else {
            write_line(name, values);
        }
    }

    void write_line(std::string_view name, const Values& values) {
        m_out.append(indent()).append(name).append(":");
        std::visit(
            [&](const auto& array) {
                using Array = std::decay_t<decltype(array)>;
                constexpr bool PLAIN = !std::is_same_v<Array, std::monostate> && !std::is_same_v<Array, Children> &&
                                       !std::is_same_v<Array, Files>;
                if constexpr (PLAIN) {
                    for (const auto& value : array) m_out.append(" ").append(written(value));
                }
            },
            values);
        m_out += '\n';
    }

    std::string indent() const { return std::string(2 * std::min(m_depth, DEEPEST_INDENT), ' '); }

    std::string written(bool value) const { return value ? "true" : "false"; }
    std::string written(std::int32_t value) const { return std::to_string(value); }
    std::string written(double value) const {
        if (!std::isfinite(value)) refuse("a double that is no number", "finite doubles", double_text(value));
        return double_text(value);
    }
    std::string written(std::string_view value) const {
        if (value.find('\n') != std::string::npos) {
            refuse("a string of several lines", "strings of one line, for line ends read back as blanks",
                   in_quotes(value));
        }
        const char quote = value.find('"') == std::string::npos ? '"' : '\'';
        if (value.find(quote) != std::string::npos) {
            refuse("a string with both kinds of quotes", "one kind of quotes at most", in_quotes(value));
        }
        return std::string(1, quote).append(value).append(1, quote);
    }

    std::string include(const PolicyFile& file) const {
        const std::string reference = file.reference();
        const bool is_product_file = dynamic_cast<const ProductFile*>(&file) != nullptr;
        const bool misread = looks_like_urn(reference, false) != is_product_file;
        const bool cut = reference.find_first_of("#}\n") != std::string::npos || reference.ends_with('\r');
        const bool trimmed = reference.empty() || is_blank(reference.front()) || is_blank(reference.back());
        if (misread || cut || trimmed) {
            refuse("this file reference", "a path without '#', '}', line feeds or blanks at its ends",
                   in_quotes(reference));
        }
        return std::string("@").append(reference);
    }

    void require_name(std::string_view name) const {
        const bool fits = !name.empty() && name.front() != '.' && name.back() != '.' &&
                          name.find("..") == std::string_view::npos &&
                          std::all_of(name.begin(), name.end(), is_name_char);
        if (!fits)
            refuse("the name " + in_quotes(name), "fields of letters, digits and '_', joined by single dots", {});
    }

    [[noreturn]] void refuse(const std::string& what, std::string expected, std::string seen) const {
        Report report;
        report.problem = "PAF cannot hold ";
        report.problem += what;
        for (const std::string_view field : m_path) report.breadcrumb = join_names(report.breadcrumb, field);
        report.expected = std::move(expected);
        report.seen = std::move(seen);
        throw RuntimeError(std::move(report));
    }

    std::string m_out;
    std::size_t m_depth = 0;
    std::vector<Open> m_open;
    std::vector<std::string_view> m_path;
};

}  // namespace

std::string paf_text(const Node& node, bool declare) {
    PafWriter writer;
    if (declare) writer.declare();
    writer.write_node(node);
    return writer.take();
}

std::string paf_lines(std::string_view name, const Values& values) {
    PafWriter writer;
    writer.write_parameter(name, values);
    return writer.take();
}

}  // namespace pex::policy
