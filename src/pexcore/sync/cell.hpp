// SPDX-License-Identifier: BSD-3-Clause
// Cells: one 64-bit word per (visit slot, rank) that says where that rank stands. The truth of the rendezvous.
#pragma once

#include <atomic>
#include <cstdint>

#include "os/fault_point.hpp"

namespace pex::sync {

enum class CellState : std::uint8_t {
    IDLE = 0,      // nothing asked yet
    RELEASED = 1,  // the master asks for the step
    RUNNING = 2,   // a worker took it
    ARRIVED = 3,   // done; the outcome bits below hold
};

// What happened in the step, set together with ARRIVED.
enum Outcome : std::uint8_t {
    OUTCOME_OK = 0,
    OUTCOME_RAISED = 1,    // the stage raised in this step; the visit goes on without this rank's clipboard
    OUTCOME_SKIPPED = 2,   // passed over because an earlier stage of the visit raised
    OUTCOME_NO_MORE = 4,   // the clipboard holds noMoreDatasets
    OUTCOME_FATAL = 8,     // setup or the failure stage raised: the run must end
};

// The word of a cell, unpacked.
//
//   63            32 31        16 15         8 7    2 1   0
//  +----------------+------------+------------+------+-----+
//  |     visit      |    step    | incarnation| out  |state|
//  +----------------+------------+------------+------+-----+
struct CellWord {
    std::uint32_t visit = 0;
    std::uint16_t step = 0;
    std::uint8_t incarnation = 0;
    std::uint8_t outcome = OUTCOME_OK;
    CellState state = CellState::IDLE;

    friend bool operator==(const CellWord&, const CellWord&) = default;
};

constexpr std::uint64_t pack(const CellWord& word) {
    return (std::uint64_t{word.visit} << 32) | (std::uint64_t{word.step} << 16) |
           (std::uint64_t{word.incarnation} << 8) |
           ((std::uint64_t{word.outcome} & 0x3f) << 2) | static_cast<std::uint64_t>(word.state);
}

constexpr CellWord unpack(std::uint64_t bits) {
    return {static_cast<std::uint32_t>(bits >> 32), static_cast<std::uint16_t>(bits >> 16),
            static_cast<std::uint8_t>(bits >> 8), static_cast<std::uint8_t>((bits >> 2) & 0x3f),
            static_cast<CellState>(bits & 0x3)};
}

// Where a manifest lies. 0 bytes: there is none.
struct ManifestPlaceShm {
    std::uint64_t ref;  // packed shm::BlockRef
    std::uint64_t bytes;
};

// | field         | written by                  | read by       | order   | after owner death            |
// |---------------|-----------------------------|---------------|---------|------------------------------|
// | word          | master: RELEASED, revoke()  | worker        | seq_cst | the master revokes it for    |
// |               | worker: RUNNING, ARRIVED    | master        | seq_cst | the worker's replacement     |
// | manifest_ref  | worker, before ARRIVED      | master, after | through | ignored unless ARRIVED       |
// | manifest_bytes| worker, before ARRIVED      | master, after | word    | ignored unless ARRIVED       |
// | raised_stage  | worker, before ARRIVED      | master, after | word    | read with OUTCOME_RAISED only|
struct alignas(64) CellShm {
    std::atomic<std::uint64_t> word;
    std::uint64_t manifest_ref;    // packed shm::BlockRef of what this rank publishes upwards; 0 bytes: nothing
    std::uint64_t manifest_bytes;
    std::uint16_t raised_stage;    // of the stages that the step runs on with, the one that raised
};
static_assert(sizeof(CellShm) == 64 && std::atomic<std::uint64_t>::is_always_lock_free);

// Asks `rank`'s worker for a step. Master only, and only while the cell is IDLE or ARRIVED.
inline void release(CellShm& cell, const CellWord& word) {
    CellWord asked = word;
    asked.outcome = OUTCOME_OK;
    asked.state = CellState::RELEASED;
    // ORDER seq_cst: pairs with the load in take(). Publishes the down manifest written before it, and stands
    // before the bell's increment, so that a worker that missed the bell sees the cell when it scans.
    cell.word.store(pack(asked), std::memory_order_seq_cst);
}

// Takes a released cell. Returns false when there is nothing to take, or when somebody else was faster.
inline bool take(CellShm& cell, std::uint8_t incarnation, CellWord& taken) {
    // ORDER seq_cst: pairs with the store in release(); makes the down manifest visible.
    std::uint64_t bits = cell.word.load(std::memory_order_seq_cst);
    CellWord word = unpack(bits);
    if (word.state != CellState::RELEASED) return false;
    if (word.incarnation != incarnation && os::defended("take: incarnation")) return false;
    word.state = CellState::RUNNING;
    // ORDER seq_cst: pairs with revoke() of the master; exactly one of the two wins the cell.
    if (!cell.word.compare_exchange_strong(bits, pack(word), std::memory_order_seq_cst)) return false;
    taken = word;
    return true;
}

// Reports the end of a step that take() gave. Returns false when the cell was given to a replacement
// meanwhile: the caller no longer counts and must leave.
inline bool arrive(CellShm& cell, const CellWord& taken, std::uint8_t outcome) {
    std::uint64_t expected = pack(taken);
    CellWord done = taken;
    done.outcome = outcome;
    done.state = CellState::ARRIVED;
    // ORDER seq_cst: pairs with the load in has_arrived(). Publishes the manifest fields and every block this
    // step made; stands before the bell's increment, as in release().
    if (os::defended("arrive: compare"))
        return cell.word.compare_exchange_strong(expected, pack(done), std::memory_order_seq_cst);
    cell.word.store(pack(done), std::memory_order_seq_cst);
    return true;
}

// Gives the cell to the next incarnation of its worker. What had arrived stays so; a step that was taken is asked for
// again. Returns the word as it was. Master only.
inline CellWord revoke(CellShm& cell, std::uint8_t incarnation) {
    // ORDER seq_cst: pairs with take() and arrive(); exactly one of them and this wins the word.
    std::uint64_t bits = cell.word.load(std::memory_order_seq_cst);
    for (;;) {
        const CellWord was = unpack(bits);
        CellWord next = was;
        next.incarnation = incarnation;
        if (was.state == CellState::RUNNING && os::defended("revoke: asks again"))
            next.state = CellState::RELEASED;
        // ORDER seq_cst: as above. Who took the old word fails its arrival from here on.
        if (cell.word.compare_exchange_strong(bits, pack(next), std::memory_order_seq_cst)) return was;
    }
}

// Whether the rank has ended the step of this visit. Master only.
inline bool has_arrived(const CellShm& cell, std::uint32_t visit, std::uint16_t step, std::uint8_t& outcome) {
    // ORDER seq_cst: pairs with the exchange in arrive(); makes the up manifest readable.
    const CellWord word = unpack(cell.word.load(std::memory_order_seq_cst));
    outcome = word.outcome;
    return word.state == CellState::ARRIVED && word.visit == visit && word.step == step;
}

}  // namespace pex::sync
