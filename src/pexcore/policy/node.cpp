// SPDX-License-Identifier: BSD-3-Clause
// Look-up in one level of the tree, and its orderly end.
#include "policy/node.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace pex::policy {

namespace {

constexpr std::size_t LINEAR_LIMIT = 16;
// Nodes within nodes that are destroyed by plain recursion; below that, a list takes its place.
constexpr int RECURSION_LIMIT = 100;
constexpr std::size_t NOWHERE = SIZE_MAX;
constexpr std::uint32_t FREE_SLOT = UINT32_MAX;

std::size_t hash_of(std::string_view name) noexcept { return std::hash<std::string_view>{}(name); }

void move_children(Node& node, std::vector<NodePtr>& into) {
    for (Entry& entry : node.entries()) {
        auto* children = std::get_if<SmallArray<NodePtr>>(&entry.values);
        if (children == nullptr) continue;
        for (NodePtr& child : *children) into.push_back(std::move(child));
        children->clear();
    }
}

void destroy_level_by_level(Node& node) {
    std::vector<NodePtr> pending;
    move_children(node, pending);
    while (!pending.empty()) {
        const NodePtr last = std::move(pending.back());
        pending.pop_back();
        if (last.use_count() == 1) move_children(*last, pending);
    }
}

// Memory of a text's own, which each keeps alive: the last of them ends behind the node and its reference counts.
template <class T>
struct BufferAllocator {
    using value_type = T;

    explicit BufferAllocator(const std::shared_ptr<const Source>& text) noexcept : source(text) {}
    template <class U>
    BufferAllocator(const BufferAllocator<U>& other) noexcept : source(other.source) {}

    T* allocate(std::size_t count) { return source->memory().template take<T>(count); }
    void deallocate(T* /*memory*/, std::size_t /*count*/) noexcept {}
    template <class U>
    bool operator==(const BufferAllocator<U>& other) const noexcept {
        return source == other.source;
    }

    std::shared_ptr<const Source> source;
};

}  // namespace

NodePtr new_node(const std::shared_ptr<const Source>& source, std::uint32_t opened_at) {
    return std::allocate_shared<Node>(BufferAllocator<Node>(source), Place{source, opened_at});
}

std::size_t Entry::size() const noexcept {
    return std::visit(
        [](const auto& array) -> std::size_t {
            if constexpr (std::is_same_v<std::decay_t<decltype(array)>, std::monostate>) {
                return 0;
            } else {
                return array.size();
            }
        },
        values);
}

Place Entry::place() const {
    if (source == nullptr || name_offset == NO_OFFSET) return {};
    return {source->shared_from_this(), name_offset};
}

Place Entry::place_of(std::size_t index) const {
    if (source == nullptr || index >= offsets.size() || offsets[index] == NO_OFFSET) return place();
    return {source->shared_from_this(), offsets[index]};
}

Node::~Node() {
    static thread_local int depth = 0;
    if (depth >= RECURSION_LIMIT) destroy_level_by_level(*this);
    ++depth;
    m_entries.clear();
    --depth;
}

Entry* Node::find(std::string_view name) noexcept {
    const std::size_t at = locate(name);
    return at == NOWHERE ? nullptr : &m_entries[at];
}

const Entry* Node::find(std::string_view name) const noexcept {
    const std::size_t at = locate(name);
    return at == NOWHERE ? nullptr : &m_entries[at];
}

std::size_t Node::locate(std::string_view name) const noexcept {
    if ((m_marks & mark_of(name)) == 0) return NOWHERE;
    const auto matches = [&](std::size_t at) {
        return m_entries[at].name == name && m_entries[at].type() != ValueType::UNDEF;
    };
    if (!has_index()) {
        for (std::size_t at = 0; at < m_entries.size(); ++at) {
            if (matches(at)) return at;
        }
        return NOWHERE;
    }
    const std::vector<std::uint32_t>& slots = m_rest->slots;
    const std::size_t mask = slots.size() - 1;
    for (std::size_t slot = hash_of(name) & mask; slots[slot] != FREE_SLOT; slot = (slot + 1) & mask) {
        if (matches(slots[slot])) return slots[slot];
    }
    return NOWHERE;
}

Entry& Node::find_or_create(std::string_view name, const Source* kept) {
    const std::size_t found = locate(name);
    if (found != NOWHERE) return m_entries[found];
    if (m_dead > m_entries.size() / 2) compact();
    if (m_entries.size() == m_entries.capacity() && kept != nullptr && kept == m_opened.source.get())
        m_entries.reserve(std::max(std::size_t{1}, 2 * m_entries.size()), kept->memory());
    Entry& entry = m_entries.emplace_back(kept != nullptr && kept->holds(name) ? StringValue::viewing(name)
                                                                               : StringValue(name));
    m_marks |= mark_of(name);
    if (has_index() && m_entries.size() * 2 <= m_rest->slots.size()) {
        index_entry(m_entries.size() - 1);
    } else if (m_entries.size() > LINEAR_LIMIT) {
        rebuild_index(has_index() ? m_rest->slots.size() * 2 : LINEAR_LIMIT * 4);
    }
    return entry;
}

Entry& Node::copy_entry(const Entry& from, std::string_view name) {
    const Source* source = from.source == nullptr ? nullptr : keep(from.source->shared_from_this());
    Values values = from.values;
    SmallArray<std::uint32_t> offsets = from.offsets;
    const std::uint32_t name_offset = from.name_offset;
    Entry& entry = find_or_create(name);
    entry.values = std::move(values);
    entry.source = source;
    entry.offsets = std::move(offsets);
    entry.name_offset = name_offset;
    return entry;
}

const Source* Node::keep(const std::shared_ptr<const Source>& source) {
    if (m_opened.source == source) return source.get();
    auto& kept = rest().kept;
    if (std::find(kept.rbegin(), kept.rend(), source) == kept.rend()) kept.push_back(source);
    return source.get();
}

void Node::reserve(std::size_t count) {
    if (m_opened.source == nullptr) return m_entries.reserve(count);
    m_entries.reserve(count, m_opened.source->memory());
}

void Node::remove(std::string_view name) {
    const std::size_t at = locate(name);
    if (at == NOWHERE) return;
    Entry removed = std::exchange(m_entries[at], Entry{});
    // The slot goes on pointing here, so that names behind it in the probe order are still found.
    ++m_dead;
}

Node::Rest& Node::rest() {
    if (m_rest == nullptr) m_rest = std::make_unique<Rest>();
    return *m_rest;
}

void Node::index_entry(std::size_t position) noexcept {
    std::vector<std::uint32_t>& slots = m_rest->slots;
    const std::size_t mask = slots.size() - 1;
    std::size_t slot = hash_of(m_entries[position].name) & mask;
    while (slots[slot] != FREE_SLOT) slot = (slot + 1) & mask;
    slots[slot] = static_cast<std::uint32_t>(position);
}

void Node::rebuild_index(std::size_t slot_count) {
    rest().slots.assign(slot_count, FREE_SLOT);
    for (std::size_t at = 0; at < m_entries.size(); ++at) {
        const bool removed = m_entries[at].name.empty();
        if (!removed) index_entry(at);
    }
}

void Node::compact() {
    Entry* const end = std::remove_if(m_entries.begin(), m_entries.end(),
                                      [](const Entry& entry) { return entry.type() == ValueType::UNDEF; });
    m_entries.shorten(static_cast<std::size_t>(end - m_entries.begin()));
    m_dead = 0;
    if (has_index()) rebuild_index(m_rest->slots.size());
}

}  // namespace pex::policy
