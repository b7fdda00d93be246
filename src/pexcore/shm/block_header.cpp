// SPDX-License-Identifier: BSD-3-Clause
// The protocol of holding, publishing and reclaiming one block.
#include "shm/block_header.hpp"

#include "os/fault_point.hpp"

namespace pex::shm {

namespace {

constexpr std::uint64_t bit(unsigned position) { return std::uint64_t{1} << position; }

}  // namespace

StateWord load_state(const BlockHeaderShm& header) noexcept {
    // ORDER seq_cst: pairs with change_state() in every process. What the one that made this state wrote
    // before (pages, home, committed_pages) is visible; without it a claimed block could show an older home
    // or size.
    return StateWord::unpack(header.state.load(std::memory_order_seq_cst));
}

bool change_state(BlockHeaderShm& header, StateWord from, StateWord to) noexcept {
    std::uint64_t expected = from.pack();
    // ORDER seq_cst: pairs with load_state() and with the other contenders' change_state(). One total order
    // makes one winner, and puts the winner's earlier writes before everything the next owner does with the
    // block.
    return header.state.compare_exchange_strong(expected, to.pack(), std::memory_order_seq_cst);
}

void set_holder(BlockHeaderShm& header, ProcessSlot process) noexcept {
    // ORDER seq_cst: pairs with the scan in try_reclaim(). The bit comes before the bump, and both before the
    // caller lets go of what kept the block until now: a scan that missed the bit then sees the bump.
    header.holders[process.value / 64].fetch_or(bit(process.value % 64), std::memory_order_seq_cst);
    os::fault_point("arena: marked");
    // ORDER seq_cst: pairs with both loads of `adds` in try_reclaim(); without it a scan that read this word
    // before the bit and the roots after the visit's retirement would free a held block.
    if (os::defended("hold: bump")) header.adds.fetch_add(1, std::memory_order_seq_cst);
}

bool clear_holder(BlockHeaderShm& header, ProcessSlot process) noexcept {
    const std::uint64_t mask = bit(process.value % 64);
    // ORDER seq_cst: pairs with the scan in try_reclaim(). All our accesses to the block's memory come before
    // it, so the next user can't overwrite what we still read; and of the last two holders to go, one sees
    // the other gone.
    return (header.holders[process.value / 64].fetch_and(~mask, std::memory_order_seq_cst) & mask) != 0;
}

bool has_holder(const BlockHeaderShm& header, ProcessSlot process) noexcept {
    // ORDER seq_cst: pairs with set_holder() and clear_holder(); answers census questions only, so no harm
    // but a momentarily old answer could follow from less.
    return (header.holders[process.value / 64].load(std::memory_order_seq_cst) & bit(process.value % 64)) !=
           0;
}

void set_root(BlockHeaderShm& header, unsigned visit_slot) noexcept {
    // ORDER seq_cst: pairs with the scan in try_reclaim(). Comes before the publisher drops its own hold.
    header.roots.fetch_or(bit(visit_slot), std::memory_order_seq_cst);
    os::fault_point("arena: rooted");
    // ORDER seq_cst: pairs with both loads of `adds` in try_reclaim(): a publisher that sets the root after
    // the scan read the roots, and drops its hold before the scan reads the holders, would otherwise lose the
    // block.
    if (os::defended("root: bump")) header.adds.fetch_add(1, std::memory_order_seq_cst);
}

bool clear_root(BlockHeaderShm& header, unsigned visit_slot) noexcept {
    // ORDER seq_cst: pairs with the scan in try_reclaim(), as in clear_holder(). Every addressee's bit and
    // bump came before its arrival, which the master saw before it retired the visit.
    return (header.roots.fetch_and(~bit(visit_slot), std::memory_order_seq_cst) & bit(visit_slot)) != 0;
}

std::optional<Generation> try_reclaim(BlockHeaderShm& header, ProcessSlot me) noexcept {
    const StateWord seen = load_state(header);
    if (seen.state != BlockState::live) return std::nullopt;
    // ORDER seq_cst, all loads to the end: pair with set_holder(), set_root(), clear_holder() and
    // clear_root(). In the one total order, unchanged `adds` around the scan mean that no hold began during
    // it; each word read zero then stayed zero, so at the end of the scan nobody held the block, and nobody
    // without a hold may begin one. With weaker loads the two reads of `adds` could both be early, and the
    // scan would free a held block.
    const std::uint64_t adds = header.adds.load(std::memory_order_seq_cst);
    if (header.roots.load(std::memory_order_seq_cst) != 0) return std::nullopt;
    os::fault_point("reclaim: no roots");
    for (const auto& word : header.holders) {
        if (word.load(std::memory_order_seq_cst) != 0) return std::nullopt;
        os::fault_point("reclaim: a word of holders");
    }
    if (header.adds.load(std::memory_order_seq_cst) != adds && os::defended("reclaim: adds again"))
        return std::nullopt;
    os::fault_point("reclaim: scanned");
    // The generation in the expected word refuses the case that another process reclaimed and reused the
    // block meanwhile.
    const StateWord expected = os::defended("reclaim: generation") ? seen : load_state(header);
    if (!change_state(header, expected, {BlockState::busy, me, expected.generation})) return std::nullopt;
    os::fault_point("arena: reclaimed");
    return seen.generation;
}

}  // namespace pex::shm
