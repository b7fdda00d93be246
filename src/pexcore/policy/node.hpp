// SPDX-License-Identifier: BSD-3-Clause
// The tree behind a Policy: named arrays of one type each, in order of first insertion.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "policy/small_array.hpp"
#include "policy/source.hpp"
#include "policy/string_value.hpp"
#include "policy/value_type.hpp"

namespace pex::policy {

class Node;
class PolicyFile;
using NodePtr = std::shared_ptr<Node>;
using FilePtr = std::shared_ptr<const PolicyFile>;

// Blocks and dotted names may nest this deep. Nothing here recurses on the machine stack, so the limit only
// keeps texts that nest by accident from being taken for data.
inline constexpr std::size_t MAX_DEPTH = 10000;

// The alternatives stand in the order of ValueType, so that index() is the type.
using Values = std::variant<std::monostate, SmallArray<bool>, SmallArray<std::int32_t>, SmallArray<double>,
                            SmallArray<StringValue>, SmallArray<NodePtr>, SmallArray<FilePtr>>;

// One name with its values. Moves, but is copied by its node only (Node::copy_entry), for the node keeps the source.
struct Entry {
    StringValue name;
    // What comes next stands in the bytes that this leaves unused at its end.
    [[no_unique_address]] Values values;
    std::uint32_t name_offset = NO_OFFSET;
    const Source* source = nullptr;     // of the name and of every value that has an offset
    SmallArray<std::uint32_t> offsets;  // of the values, NO_OFFSET or missing where they came by a call

    Entry() = default;
    explicit Entry(StringValue&& called) noexcept : name(std::move(called)) {}
    Entry(Entry&&) noexcept = default;
    Entry& operator=(Entry&&) noexcept = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() = default;

    ValueType type() const noexcept { return static_cast<ValueType>(values.index()); }
    std::size_t size() const noexcept;
    // Where the name stands, or an unknown place.
    Place place() const;
    // Where a value stands; where its name stands if only that is known.
    Place place_of(std::size_t index) const;
};

// Most of a tree is entries, and most of the time of a large text goes into first touches of their memory.
static_assert(sizeof(Entry) <= 72);

// Few blocks are empty, and an entry is large: none is kept in the array itself.
using Entries = SmallArray<Entry, 0>;

// Lifetime: shared between the policies that show it. Thread safety: none for writers.
class Node {
 public:
    Node() = default;
    explicit Node(Place opened_at) : m_opened(std::move(opened_at)) {}
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    // A chain of any depth needs little machine stack: deep ones are taken apart level by level.
    ~Node();

    // Where the block opened, or the start of the text for a root; unknown for nodes made by calls.
    const Place& opened() const noexcept { return m_opened; }
    void set_opened(Place place) { m_opened = std::move(place); }

    std::size_t size() const noexcept { return m_entries.size() - m_dead; }
    Entry* find(std::string_view name) noexcept;
    const Entry* find(std::string_view name) const noexcept;
    // The entry of that name, new and without values where there was none. References to entries end here.
    // A name that is a piece of a kept source's text is shown, not copied. Where that is the text the node opened in,
    // entries grow in its memory.
    Entry& find_or_create(std::string_view name, const Source* kept = nullptr);
    // The entry of that name gets the values and places of another, whose sub-policies it then shares.
    Entry& copy_entry(const Entry& from, std::string_view name);
    Entry& copy_entry(const Entry& from) { return copy_entry(from, from.name); }
    void remove(std::string_view name);

    // What an entry of this node may name as its source: the text lives as long as the node.
    const Source* keep(const std::shared_ptr<const Source>& source);

    // Room for so many entries, with memory of the opening text's own (Source::memory()).
    void reserve(std::size_t count);

    // Calls f(entry) for every entry, in order.
    template <class F>
    void for_each(F&& f) const {
        for (const Entry& entry : m_entries) {
            if (entry.type() != ValueType::UNDEF) f(entry);
        }
    }
    template <class F>
    void for_each(F&& f) {
        for (Entry& entry : m_entries) {
            if (entry.type() != ValueType::UNDEF) f(entry);
        }
    }
    // The entries in order, to be walked by position. Those of type UNDEF were removed: skip them.
    const Entries& entries() const noexcept { return m_entries; }
    Entries& entries() noexcept { return m_entries; }

 private:
    std::size_t locate(std::string_view name) const noexcept;
    // One of 64 bits, the same for the same name.
    static std::uint64_t mark_of(std::string_view name) noexcept {
        if (name.empty()) return 1;
        const auto byte = [](char c) { return static_cast<unsigned char>(c); };
        return std::uint64_t{1} << ((name.size() * 5 + byte(name.front()) + byte(name.back()) * 3U) % 64);
    }
    bool has_index() const noexcept { return m_rest != nullptr && !m_rest->slots.empty(); }
    void index_entry(std::size_t position) noexcept;
    void rebuild_index(std::size_t slot_count);
    void compact();

    // What few nodes need: most are small, and come from one text.
    struct Rest {
        std::vector<std::uint32_t> slots;                 // open addressing, empty while a linear search is as fast
        std::vector<std::shared_ptr<const Source>> kept;  // besides that of m_opened
    };
    Rest& rest();

    Place m_opened;  // the first of all: it holds the memory of what follows
    Entries m_entries;
    std::unique_ptr<Rest> m_rest;
    std::uint64_t m_marks = 0;  // of all names that ever stood here: most new ones need not be looked for
    std::uint32_t m_dead = 0;
};

// A node that opened there, with memory of the text's own.
NodePtr new_node(const std::shared_ptr<const Source>& source, std::uint32_t opened_at);
// A copy that shares nothing with the original but file references and source texts.
NodePtr deep_copy(const Node& node);
// Same names with the same types and values; the order of names plays no role. NaN equals NaN here.
bool equal(const Node& a, const Node& b);
// Whether `wanted` is `root` or stands somewhere below it.
bool reaches(const NodePtr& root, const Node* wanted);

}  // namespace pex::policy
