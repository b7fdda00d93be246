// SPDX-License-Identifier: BSD-3-Clause
// The commit account: how many pages all blocks have, kept exact although any process may die at any point.
#pragma once

#include <cstdint>

#include "shm/layout.hpp"

namespace pex::shm {

// The truth is committed_pages of every header. This account is its sum, so that a request need not scan
// them. Each process has two sums of its own, pages added and pages removed; total = all added - all removed.
// A change is journaled (what block, its pages and both sums before), so that after a death the header tells
// which half of the change had happened. Readers take all `removed` first and all `added` afterwards: both
// only grow, so what they get is never less than the true total at the moment between: admission never goes
// over the limit.
//
// Thread/process safety: record() and heal(): one thread of the process at a time (the arena's private
// mutex); the others from anywhere.
class Account {
  public:
    explicit Account(const ControlView& view) noexcept : m_view(view) {}

    // Makes a slot count in the total. Call before its first record().
    void enlist(ProcessSlot process) noexcept;

    // Changes a block's committed_pages, and this process's sums with it. Precondition: the block is
    // BUSY(self).
    void record(ProcessSlot self, BlockIndex block, std::uint32_t pages) noexcept;

    // At least the number of pages that all headers together had at one moment of the call.
    std::uint64_t total_pages() const noexcept;

    // Notes a total that was admitted, if it is the highest so far.
    void raise_peak(std::uint64_t pages) noexcept;
    // The highest total noted since the last reset_peak(). Where several processes charge at once it may have
    // counted a page that one of them was refused, or was just giving back: never less than the truth.
    std::uint64_t peak_pages() const noexcept;
    // Begins again with the total of this moment. Any thread.
    void reset_peak() noexcept;

    // Pages that are charged but that the kernel was not yet asked for.
    std::uint64_t pending_pages() const noexcept;
    void add_pending(ProcessSlot self, std::uint64_t pages) noexcept;
    void remove_pending(ProcessSlot self, std::uint64_t pages) noexcept;

    // Finishes or undoes what a reaped process was in the middle of. Precondition: its blocks still say
    // BUSY(dead).
    void heal(ProcessSlot dead) noexcept;

  private:
    ControlView m_view;
};

}  // namespace pex::shm
