// SPDX-License-Identifier: BSD-3-Clause
// The journaled commit account.
#include "shm/account.hpp"

namespace pex::shm {

// ORDER seq_cst throughout this file. Three partners need it:
//   record() in another process: each adds its own pages and then reads everybody's; with anything weaker
//     both could miss the other's and together go over the arena's size.
//   heal() after a death: it must find the journal open whenever a sum or a header has changed under it, so
//     no store of record() may pass another one.
//   reset_peak() in the master: either a charge's raise_peak() comes after the reset's zero, or its record()
//     comes before the total that the reset takes.

void Account::enlist(ProcessSlot process) noexcept {
    const std::uint32_t wanted = std::uint32_t{process.value} + 1;
    std::uint32_t seen = m_view.control->process_high.load(std::memory_order_seq_cst);
    while (seen < wanted &&
           !m_view.control->process_high.compare_exchange_weak(seen, wanted, std::memory_order_seq_cst)) {
    }
}

void Account::record(ProcessSlot self, BlockIndex block, std::uint32_t pages) noexcept {
    ProcessShm& mine = m_view.processes[self.value];
    BlockHeaderShm& header = m_view.headers[block.value];
    // ORDER relaxed: only the BUSY owner writes it, and that is this process.
    const std::uint32_t before = header.committed_pages.load(std::memory_order_relaxed);
    if (pages == before) return;
    const std::uint64_t added = mine.added_pages.load(std::memory_order_seq_cst);
    const std::uint64_t removed = mine.removed_pages.load(std::memory_order_seq_cst);
    mine.journal_added.store(added, std::memory_order_seq_cst);
    mine.journal_removed.store(removed, std::memory_order_seq_cst);
    mine.journal_pages.store(before, std::memory_order_seq_cst);
    mine.journal_block.store(block.value + 1, std::memory_order_seq_cst);
    // Growth is added before the header shows it and shrinkage is removed after: the total never lags the
    // truth.
    if (pages > before) mine.added_pages.store(added + (pages - before), std::memory_order_seq_cst);
    header.committed_pages.store(pages, std::memory_order_seq_cst);
    if (pages < before) mine.removed_pages.store(removed + (before - pages), std::memory_order_seq_cst);
    mine.journal_block.store(0, std::memory_order_seq_cst);
}

std::uint64_t Account::total_pages() const noexcept {
    const std::uint32_t high = m_view.control->process_high.load(std::memory_order_seq_cst);
    std::uint64_t removed = 0;
    for (std::uint32_t p = 0; p < high; ++p)
        removed += m_view.processes[p].removed_pages.load(std::memory_order_seq_cst);
    std::uint64_t added = 0;
    for (std::uint32_t p = 0; p < high; ++p)
        added += m_view.processes[p].added_pages.load(std::memory_order_seq_cst);
    return added - removed;
}

void Account::raise_peak(std::uint64_t pages) noexcept {
    std::atomic<std::uint64_t>& peak = m_view.control->peak_pages;
    std::uint64_t seen = peak.load(std::memory_order_seq_cst);
    while (seen < pages && !peak.compare_exchange_weak(seen, pages, std::memory_order_seq_cst)) {
    }
}

std::uint64_t Account::peak_pages() const noexcept {
    return m_view.control->peak_pages.load(std::memory_order_seq_cst);
}

void Account::reset_peak() noexcept {
    // Zero first and the total afterwards. A charge is recorded before it raises the peak: of one whose peak
    // is lost here, the total taken next has the pages.
    m_view.control->peak_pages.store(0, std::memory_order_seq_cst);
    raise_peak(total_pages());
}

std::uint64_t Account::pending_pages() const noexcept {
    const std::uint32_t high = m_view.control->process_high.load(std::memory_order_seq_cst);
    std::uint64_t pending = 0;
    for (std::uint32_t p = 0; p < high; ++p)
        pending += m_view.processes[p].pending_pages.load(std::memory_order_seq_cst);
    return pending;
}

void Account::add_pending(ProcessSlot self, std::uint64_t pages) noexcept {
    m_view.processes[self.value].pending_pages.fetch_add(pages, std::memory_order_seq_cst);
}

void Account::remove_pending(ProcessSlot self, std::uint64_t pages) noexcept {
    m_view.processes[self.value].pending_pages.fetch_sub(pages, std::memory_order_seq_cst);
}

void Account::heal(ProcessSlot dead) noexcept {
    ProcessShm& theirs = m_view.processes[dead.value];
    const std::uint32_t block = theirs.journal_block.load(std::memory_order_seq_cst);
    if (block != 0) {
        const std::uint32_t now = m_view.headers[block - 1].committed_pages.load(std::memory_order_seq_cst);
        const std::uint32_t before = theirs.journal_pages.load(std::memory_order_seq_cst);
        const std::uint64_t added = theirs.journal_added.load(std::memory_order_seq_cst);
        const std::uint64_t removed = theirs.journal_removed.load(std::memory_order_seq_cst);
        theirs.added_pages.store(added + (now > before ? now - before : 0), std::memory_order_seq_cst);
        theirs.removed_pages.store(removed + (now < before ? before - now : 0), std::memory_order_seq_cst);
        theirs.journal_block.store(0, std::memory_order_seq_cst);
    }
    theirs.pending_pages.store(0, std::memory_order_seq_cst);
}

}  // namespace pex::shm
