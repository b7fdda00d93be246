// SPDX-License-Identifier: BSD-3-Clause
// Looking at the arena: how much is used, by whom, and the text for a refusal.
#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>

#include "os/error.hpp"
#include "shm/arena.hpp"
#include "shm/arena_private.hpp"

namespace pex::shm {

namespace {

std::string mebibytes(std::uint64_t bytes) {
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
    return text.data();
}

std::string limit_met(const AllocResult& refused, const ArenaStats& now, const os::Headroom& reading) {
    switch (refused.outcome) {
        case Outcome::ok:
            return "nothing was refused";
        case Outcome::arena_full:
            return refused.asked_bytes <= now.arena_bytes && now.lent_bytes > 0
                       ? "the arena's own size and what is lent to it are the limit"
                       : "the arena's own size is the limit";
        case Outcome::slots_full:
            return "every block that could hold it is taken";
        case Outcome::headroom:
            return "available memory is the limit: " + mebibytes(reading.available_bytes) + " by " +
                   reading.limited_by;
        case Outcome::system_error:
            return "the kernel refused the pages: " + os::errno_text(refused.errno_value);
        case Outcome::detached:
            return "this process is a fork that doesn't take part in the arena";
    }
    return "unknown outcome";
}

// Bytes are left, blocks are not: what there is too much of is the number of arrays.
std::string blocks_taken(const SizeClasses& classes, const AllocResult& refused, std::uint64_t page_bytes) {
    const unsigned smallest = classes.class_for(refused.asked_bytes).value_or(0);
    std::uint64_t larger = 0;
    for (unsigned c = smallest + 1; c < classes.count(); ++c) larger += classes[c].block_count;
    return "; all " + std::to_string(classes[smallest].block_count) + " blocks for arrays up to " +
           mebibytes(classes[smallest].block_bytes) + " and the larger ones that may stand in (" +
           std::to_string(larger) + " at most) are in use, of " + std::to_string(page_bytes) +
           " bytes or more each: keep fewer small arrays, join them into larger ones, or make the arena larger, "
           "which has more blocks then";
}

// With what leads over to how much of it is used. A limit that was lowered may be below that.
std::string size_and_loan(const ArenaStats& now, std::uint64_t lend_bytes) {
    if (lend_bytes == 0) return mebibytes(now.arena_bytes) + ", of which ";
    return mebibytes(now.arena_bytes) + " and is lent " + mebibytes(now.lent_bytes) + " more, of at most " +
           mebibytes(lend_bytes) + ": the limit is " + mebibytes(now.limit_bytes) + "; ";
}

std::string slot_name(const HolderInfo& holder) {
    return std::string(holder.kind == HolderInfo::Kind::process ? "process slot " : "visit slot ") +
           std::to_string(holder.slot);
}

std::string describe(const HolderInfo& holder, Arena::HolderNamer name) {
    return (name != nullptr ? name(holder) : slot_name(holder)) + " with " + mebibytes(holder.bytes) + " in " +
           std::to_string(holder.blocks) + " blocks";
}

}  // namespace

ArenaStats Arena::stats() const {
    ArenaStats stats;
    stats.arena_bytes = m_config.arena_bytes;
    stats.lent_bytes = lent_bytes();
    stats.limit_bytes = stats.arena_bytes + stats.lent_bytes;
    stats.peak_committed_bytes = m_shared->account.peak_pages() * os::page_bytes();
    stats.committed_bytes = m_shared->account.total_pages() * os::page_bytes();
    for_each_used([&](std::uint32_t index, unsigned) {
        const BlockHeaderShm& header = m_shared->view.headers[index];
        const BlockState state = load_state(header).state;
        // ORDER relaxed: a census of a moving target.
        const std::uint64_t bytes =
            std::uint64_t{header.committed_pages.load(std::memory_order_relaxed)} * os::page_bytes();
        stats.counted_bytes += bytes;
        if (state == BlockState::live) ++stats.live_blocks;
        if (state == BlockState::live || state == BlockState::busy) stats.live_bytes += bytes;
        if (state == BlockState::free_warm) ++stats.warm_blocks, stats.warm_bytes += bytes;
        if (state == BlockState::busy) ++stats.busy_blocks;
        if (state == BlockState::free_cold) ++stats.cold_blocks;
    });
    if (!is_attached()) return stats;
    const std::lock_guard lock(m_private->mutex);
    stats.allocs_warm = m_private->allocs_warm;
    stats.allocs_fresh = m_private->allocs_fresh;
    stats.allocs_stolen = m_private->allocs_stolen;
    stats.allocs_refused = m_private->allocs_refused;
    stats.blocks_trimmed = m_private->blocks_trimmed;
    return stats;
}

std::uint64_t Arena::live_bytes() const {
    std::uint64_t pages = 0;
    for_each_used([&](std::uint32_t index, unsigned) {
        const BlockHeaderShm& header = m_shared->view.headers[index];
        const BlockState state = load_state(header).state;
        if (state != BlockState::live && state != BlockState::busy) return;
        // ORDER relaxed: a census of a moving target.
        pages += header.committed_pages.load(std::memory_order_relaxed);
    });
    return pages * os::page_bytes();
}

void Arena::reset_peak() { m_shared->account.reset_peak(); }

std::vector<unsigned> Arena::holders(BlockRef ref) const {
    std::vector<unsigned> out;
    const BlockHeaderShm& header = m_shared->view.headers[checked_index(ref)];
    if (!is_live(ref)) return out;
    for (unsigned w = 0; w < MAX_PROCESSES / 64; ++w) {
        // ORDER seq_cst: a receiver that takes a block over must see every bit set before the arrival it has seen.
        for (std::uint64_t bits = header.holders[w].load(std::memory_order_seq_cst); bits != 0; bits &= bits - 1)
            out.push_back(w * 64 + static_cast<unsigned>(std::countr_zero(bits)));
    }
    return out;
}

std::vector<HolderInfo> Arena::biggest_holders(std::size_t n) const {
    std::vector<HolderInfo> holders(MAX_PROCESSES + MAX_VISITS);
    for (unsigned p = 0; p < MAX_PROCESSES; ++p) holders[p] = {HolderInfo::Kind::process, p};
    for (unsigned v = 0; v < MAX_VISITS; ++v) holders[MAX_PROCESSES + v] = {HolderInfo::Kind::visit, v};
    for_each_used([&](std::uint32_t index, unsigned) {
        const BlockHeaderShm& header = m_shared->view.headers[index];
        if (load_state(header).state != BlockState::live) return;
        // ORDER relaxed, to the end: a census of a moving target; nothing is decided by it.
        const std::uint64_t bytes =
            std::uint64_t{header.committed_pages.load(std::memory_order_relaxed)} * os::page_bytes();
        const auto count = [&](std::uint64_t word, unsigned first) {
            for (; word != 0; word &= word - 1) {
                HolderInfo& holder = holders[first + static_cast<unsigned>(std::countr_zero(word))];
                ++holder.blocks;
                holder.bytes += bytes;
            }
        };
        // ORDER relaxed: figures for a report, of a moment.
        for (unsigned w = 0; w < MAX_PROCESSES / 64; ++w)
            count(header.holders[w].load(std::memory_order_relaxed), w * 64);
        count(header.roots.load(std::memory_order_relaxed), MAX_PROCESSES);
    });
    std::erase_if(holders, [](const HolderInfo& holder) { return holder.blocks == 0; });
    std::stable_sort(holders.begin(), holders.end(),
                     [](const HolderInfo& a, const HolderInfo& b) { return a.bytes > b.bytes; });
    if (holders.size() > n) holders.resize(n);
    return holders;
}

std::string Arena::explain(const AllocResult& refused, HolderNamer name) const {
    const ArenaStats now = stats();
    os::Headroom reading;
    if (is_attached()) {
        const std::lock_guard lock(m_private->mutex);
        reading = m_private->gate.last_reading();
    }
    std::string text = "allocating " + std::to_string(refused.asked_bytes) + " bytes (" +
                       mebibytes(refused.asked_bytes) + ") in the arena: " + limit_met(refused, now, reading) +
                       (refused.outcome == Outcome::slots_full
                            ? blocks_taken(m_classes, refused, os::page_bytes())
                            : "; " + mebibytes(refused.missing_bytes) + " are missing") +
                       ". The arena has " + size_and_loan(now, m_config.lend_bytes) + mebibytes(now.live_bytes) +
                       " are held in " + std::to_string(now.live_blocks) + " blocks and " +
                       mebibytes(now.warm_bytes) + " are free and kept warm; " +
                       mebibytes(now.limit_bytes - std::min(now.limit_bytes, now.committed_bytes)) +
                       " are not in use";
    const std::vector<HolderInfo> holders = biggest_holders(3);
    const char* separator = "; most is held by ";
    for (const HolderInfo& holder : holders) {
        text += separator + describe(holder, name);
        separator = ", ";
    }
    return text;
}

}  // namespace pex::shm
