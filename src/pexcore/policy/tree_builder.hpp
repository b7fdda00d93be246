// SPDX-License-Identifier: BSD-3-Clause
// Puts parsed values into the tree, and knows which blocks are open.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/error.hpp"
#include "policy/node.hpp"

namespace pex::policy {

// A parameter name as it stands in the text. Lifetime: a view of the source.
struct ParsedName {
    std::string_view text;
    std::uint32_t offset;
    std::uint32_t fields;  // as field_count() says, which most parsers see on their way
};

class TreeBuilder {
 public:
    // `outer` is what the breadcrumbs of this text start with.
    TreeBuilder(std::shared_ptr<const Source> source, NodePtr root, std::string outer);

    // Appends values, and tells how many the name has now. Errors: TypeError where it has values of another type,
    // InvalidParameterError where a field on the way is no policy, FormatSyntaxError past MAX_DEPTH.
    template <class T>
    std::size_t add(const ParsedName& name, SmallArray<T>&& values, SmallArray<std::uint32_t>&& offsets) {
        Entry& entry = entry_for(name);
        if (entry.type() == ValueType::UNDEF) {
            entry.values.template emplace<SmallArray<T>>(std::move(values));
            entry.offsets = std::move(offsets);
            return entry.offsets.size();
        }
        return append(entry, name, std::move(values), offsets);
    }

    // The same for a single value.
    template <class T>
    std::size_t add_one(const ParsedName& name, T&& value, std::uint32_t offset) {
        Entry& entry = entry_for(name);
        if (entry.type() == ValueType::UNDEF) {
            entry.values.template emplace<SmallArray<T>>().push_back(std::move(value));
            entry.offsets.push_back(offset);
            return 1;
        }
        SmallArray<T> values;
        values.push_back(std::move(value));
        SmallArray<std::uint32_t> offsets;
        offsets.push_back(offset);
        return append(entry, name, std::move(values), offsets);
    }

    // Opens a block that starts at the given brace. Errors: as for add().
    void open(const ParsedName& name, std::uint32_t brace);
    // Opens a block whose contents go nowhere: what a lenient parser does with one it cannot place.
    void open_detached(const ParsedName& name, std::uint32_t brace);
    // False where no block is open.
    bool close();
    bool has_open_block() const noexcept { return m_blocks.size() > 1; }
    std::uint32_t innermost_brace() const noexcept { return m_blocks.back().brace; }

    // Where in the policy the innermost block stands, with a name below it: "appStage[2].stagePolicy.size".
    std::string breadcrumb(std::string_view name = {}) const;

 private:
    struct Block {
        Node* node;
        std::string_view name;
        std::size_t index;  // among the blocks of that name
        std::uint32_t brace;
        std::size_t depth;  // blocks and dotted fields above the contents
    };

    template <class T>
    static constexpr ValueType type_of() {
        return static_cast<ValueType>(Values(SmallArray<T>()).index());
    }

    // To values that the name has already.
    template <class T>
    std::size_t append(Entry& entry, const ParsedName& name, SmallArray<T>&& values,
                       const SmallArray<std::uint32_t>& offsets) {
        auto* array = std::get_if<SmallArray<T>>(&entry.values);
        if (array == nullptr) refuse_type(entry, name, type_of<T>(), offsets[0]);
        // Values that came without a place keep theirs unknown.
        while (entry.offsets.size() < array->size()) entry.offsets.push_back(NO_OFFSET);
        for (T& value : values) array->push_back(std::move(value));
        const bool same_text = entry.source == m_source.get();
        for (const std::uint32_t offset : offsets) entry.offsets.push_back(same_text ? offset : NO_OFFSET);
        return array->size();
    }

    Entry& entry_for(const ParsedName& name);
    Node* step_into(Node* node, const ParsedName& name, std::string_view field, std::string_view so_far);
    void push_block(const ParsedName& name, Node* node, std::size_t index, std::uint32_t brace);
    NodePtr new_node(std::uint32_t brace);
    [[noreturn]] void refuse_type(const Entry& entry, const ParsedName& name, ValueType seen,
                                  std::uint32_t at) const;
    [[noreturn]] void refuse_depth(const ParsedName& name) const;

    std::shared_ptr<const Source> m_source;
    NodePtr m_root;
    std::string m_outer;
    std::vector<Block> m_blocks;
    std::vector<NodePtr> m_detached;
    std::vector<std::uint32_t> m_expected;  // by depth: entries of the last block that was closed
};

}  // namespace pex::policy
