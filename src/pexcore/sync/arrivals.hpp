// SPDX-License-Identifier: BSD-3-Clause
// How many ranks have arrived since the run began: tells the last one of a step that the master waits for it.
#pragma once

#include <atomic>
#include <cstdint>

namespace pex::sync {

// Both only grow. A counter that were reset for every step could be counted down by an arrival of the step before:
// the master may have seen that arrival's cell, and gone on, before its worker counted it. The new step's last
// arrival would then not know that it is the last, and nobody would ring.
//
// | field   | written by       | read by | order   | after owner death                       |
// |---------|------------------|---------|---------|-----------------------------------------|
// | counted | workers          | workers | seq_cst | short for ever: ring_always rings then  |
// | wanted  | master           | workers | seq_cst | -                                       |
struct alignas(64) ArrivalCountShm {
    std::atomic<std::uint64_t> counted;
    std::atomic<std::uint64_t> wanted;
};

// Announces a step that `ranks` arrivals end. Master only, before it releases the step's first cell.
inline void expect_arrivals(ArrivalCountShm& count, std::uint32_t ranks) {
    // ORDER seq_cst: before the cells' release; whoever arrives in this step has taken a cell and so sees it.
    count.wanted.fetch_add(ranks, std::memory_order_seq_cst);
}

// Counts one arrival, after its cell says ARRIVED. Returns whether it was the last one wanted so far.
inline bool count_arrival(ArrivalCountShm& count) {
    // ORDER seq_cst: after the arrival in the cell, so that the count is never ahead of the cells.
    const std::uint64_t counted = count.counted.fetch_add(1, std::memory_order_seq_cst) + 1;
    // ORDER seq_cst: pairs with expect_arrivals().
    return counted == count.wanted.load(std::memory_order_seq_cst);
}

}  // namespace pex::sync
