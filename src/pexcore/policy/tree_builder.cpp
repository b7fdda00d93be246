// SPDX-License-Identifier: BSD-3-Clause
// Dotted names, repetition and blocks while a text is parsed.
#include "policy/tree_builder.hpp"

#include <algorithm>
#include <utility>

#include "policy/name_path.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

// Room for more entries than this is not made in advance.
constexpr std::size_t LARGEST_EXPECTATION = 64;
// Room in the first block at each depth: most blocks of deep texts hold a single one.
constexpr std::size_t FIRST_EXPECTATION = 1;

}  // namespace

TreeBuilder::TreeBuilder(std::shared_ptr<const Source> source, NodePtr root, std::string outer)
    : m_source(std::move(source)), m_root(std::move(root)), m_outer(std::move(outer)) {
    m_blocks.push_back({m_root.get(), {}, 0, 0, 0});
}

Entry& TreeBuilder::entry_for(const ParsedName& name) {
    Node* node = m_blocks.back().node;
    std::string_view last = name.text;
    if (name.fields > 1) {
        if (m_blocks.back().depth + name.fields > MAX_DEPTH) refuse_depth(name);
        FieldWalk walk(name.text);
        while (walk.next() && !walk.is_last()) node = step_into(node, name, walk.field(), walk.up_to_here());
        last = walk.field();
    }
    Entry& entry = node->find_or_create(last, node->keep(m_source));
    if (entry.source == nullptr && entry.type() == ValueType::UNDEF) {
        entry.source = m_source.get();
        entry.name_offset = name.offset;
    }
    return entry;
}

Node* TreeBuilder::step_into(Node* node, const ParsedName& name, std::string_view field, std::string_view so_far) {
    Entry& entry = node->find_or_create(field, node->keep(m_source));
    if (entry.type() == ValueType::UNDEF) {
        NodePtr fresh = policy::new_node(m_source, name.offset);
        Children children;
        children.push_back(std::move(fresh));
        entry.values = std::move(children);
        entry.source = m_source.get();
        entry.name_offset = name.offset;
        entry.offsets.push_back(name.offset);
    }
    if (auto* children = std::get_if<Children>(&entry.values)) return children->back().get();
    Report report;
    report.problem =
        "parameter " + in_quotes(name.text) + " cannot stand below " + in_quotes(so_far) + ", which is no policy";
    report.place = {m_source, name.offset};
    report.breadcrumb = breadcrumb(so_far);
    report.expected = "a Policy";
    report.seen = describe_values(entry);
    throw InvalidParameterError(std::move(report));
}

void TreeBuilder::open(const ParsedName& name, std::uint32_t brace) {
    if (m_blocks.back().depth + name.fields > MAX_DEPTH) refuse_depth(name);
    NodePtr fresh = new_node(brace);
    Node* node = fresh.get();
    const std::size_t count = add_one(name, std::move(fresh), brace);
    push_block(name, node, count - 1, brace);
}

void TreeBuilder::open_detached(const ParsedName& name, std::uint32_t brace) {
    m_detached.push_back(new_node(brace));
    push_block(name, m_detached.back().get(), 0, brace);
}

void TreeBuilder::push_block(const ParsedName& name, Node* node, std::size_t index, std::uint32_t brace) {
    m_blocks.push_back({node, name.text, index, brace, m_blocks.back().depth + name.fields});
}

NodePtr TreeBuilder::new_node(std::uint32_t brace) {
    NodePtr node = policy::new_node(m_source, brace);
    // Blocks beside each other are mostly of one make.
    node->reserve(m_expected.size() > m_blocks.size() ? m_expected[m_blocks.size()] : FIRST_EXPECTATION);
    return node;
}

bool TreeBuilder::close() {
    if (!has_open_block()) return false;
    const std::size_t count = m_blocks.back().node->size();
    m_blocks.pop_back();
    if (m_expected.size() <= m_blocks.size()) m_expected.resize(m_blocks.size() + 1);
    m_expected[m_blocks.size()] = static_cast<std::uint32_t>(std::min(count, LARGEST_EXPECTATION));
    return true;
}

std::string TreeBuilder::breadcrumb(std::string_view name) const {
    std::string text = m_outer;
    for (std::size_t i = 1; i < m_blocks.size(); ++i) {
        const Block& block = m_blocks[i];
        text = join_names(text, with_subscript(block.name, block.index, block.index + 1));
    }
    return join_names(text, name);
}

void TreeBuilder::refuse_type(const Entry& entry, const ParsedName& name, ValueType seen, std::uint32_t at) const {
    Report report;
    report.problem = "parameter " + in_quotes(name.text) + " is repeated with another type";
    report.place = {m_source, at};
    report.breadcrumb = breadcrumb(name.text);
    report.expected = std::string(type_name(entry.type()));
    if (entry.place().known()) {
        report.expected += ", as in line " + std::to_string(entry.source->position(entry.name_offset).line);
    }
    report.seen = std::string(type_name(seen));
    throw TypeError(std::move(report));
}

void TreeBuilder::refuse_depth(const ParsedName& name) const {
    Report report;
    report.problem = "policies nest too deep";
    report.place = {m_source, name.offset};
    report.expected = "at most " + std::to_string(MAX_DEPTH) + " levels of blocks and dotted fields";
    throw FormatSyntaxError(std::move(report));
}

}  // namespace pex::policy
