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

// In place of an outcome while a cell is RELEASED: any worker may take it, for the rank has not begun its visit. Who
// takes it has the rank for the rest of the visit.
inline constexpr std::uint8_t RELEASED_TO_ALL = 1;

// How many incarnations a word tells apart: the first worker of a number is 0, its replacements go round from 1.
inline constexpr std::uint32_t INCARNATIONS = 16;
inline constexpr std::uint16_t MOST_STEPS = (1u << 14) - 1;

// The word of a cell, unpacked. `process` and `incarnation` name the worker that a step is asked of, that runs it or that
// has ended it.
//
//   63            32 31      18 17     10 9          6 5    2 1   0
//  +----------------+----------+---------+------------+------+-----+
//  |     visit      |   step   | process | incarnation| out  |state|
//  +----------------+----------+---------+------------+------+-----+
struct CellWord {
    std::uint32_t visit = 0;
    std::uint16_t step = 0;
    std::uint8_t incarnation = 0;
    std::uint8_t outcome = OUTCOME_OK;
    CellState state = CellState::IDLE;
    std::uint8_t process = 0;

    friend bool operator==(const CellWord&, const CellWord&) = default;
};

constexpr std::uint64_t pack(const CellWord& word) {
    return (std::uint64_t{word.visit} << 32) | ((std::uint64_t{word.step} & MOST_STEPS) << 18) |
           (std::uint64_t{word.process} << 10) | ((std::uint64_t{word.incarnation} & (INCARNATIONS - 1)) << 6) |
           ((std::uint64_t{word.outcome} & 0xf) << 2) | static_cast<std::uint64_t>(word.state);
}

constexpr CellWord unpack(std::uint64_t bits) {
    return {static_cast<std::uint32_t>(bits >> 32),
            static_cast<std::uint16_t>((bits >> 18) & MOST_STEPS),
            static_cast<std::uint8_t>((bits >> 6) & (INCARNATIONS - 1)),
            static_cast<std::uint8_t>((bits >> 2) & 0xf),
            static_cast<CellState>(bits & 0x3),
            static_cast<std::uint8_t>(bits >> 10)};
}

// Where a manifest lies. 0 bytes: there is none.
struct ManifestPlaceShm {
    std::uint64_t ref;  // packed shm::BlockRef
    std::uint64_t bytes;
};

// | field         | written by                  | read by       | order   | after owner death            |
// |---------------|-----------------------------|---------------|---------|------------------------------|
// | word          | master: RELEASED, revoke()  | worker        | seq_cst | the master revokes it for    |
// |               | worker: RUNNING, ARRIVED    | master        | seq_cst | the worker's replacement; it |
// |               |                             |               |         | names whose it is            |
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

// Asks the worker that `word` names for a step; with `to_all`, whoever comes first. Master only, and only while the cell is
// IDLE or ARRIVED. Returns the word as it was: a replacement that can't be set up may have ended the run there.
inline CellWord release(CellShm& cell, const CellWord& word, bool to_all = false) {
    CellWord asked = word;
    asked.outcome = to_all ? RELEASED_TO_ALL : std::uint8_t{OUTCOME_OK};
    asked.state = CellState::RELEASED;
    // ORDER seq_cst: pairs with the load in take(). Publishes the down manifest written before it, and stands
    // before the bell's increment, so that a worker that missed the bell sees the cell when it scans.
    return unpack(cell.word.exchange(pack(asked), std::memory_order_seq_cst));
}

// Whether a worker is the one that a word names; whether it was, and was replaced since.
constexpr bool is_of(const CellWord& word, std::uint8_t process, std::uint8_t incarnation) {
    return word.process == process && word.incarnation == incarnation;
}
constexpr bool was_replaced(const CellWord& word, std::uint8_t process, std::uint8_t incarnation) {
    return word.process == process && word.incarnation != incarnation;
}

// Whether a worker may take the step that a word asks for.
constexpr bool is_for(const CellWord& word, std::uint8_t process, std::uint8_t incarnation) {
    return word.state == CellState::RELEASED &&
           (is_of(word, process, incarnation) || word.outcome == RELEASED_TO_ALL);
}

// Takes a released cell whose word was `seen`, and names the taker from here on. Returns false when there is nothing to
// take, or when the word is another by now. `of_all`: whether it was asked of all.
inline bool take(CellShm& cell, const CellWord& seen, std::uint8_t process, std::uint8_t incarnation, CellWord& taken,
                 bool& of_all) {
    CellWord word = seen;
    of_all = word.outcome == RELEASED_TO_ALL;
    const bool is_its = word.process == process &&
                        (word.incarnation == incarnation || !os::defended("take: incarnation"));
    if (word.state != CellState::RELEASED || !(of_all || is_its)) return false;
    word.state = CellState::RUNNING;
    word.outcome = OUTCOME_OK;
    if (of_all) {
        word.process = process;
        word.incarnation = incarnation;
    }
    std::uint64_t bits = pack(seen);
    // ORDER seq_cst: pairs with revoke() of the master and take() of others; exactly one of them wins the cell.
    if (!cell.word.compare_exchange_strong(bits, pack(word), std::memory_order_seq_cst)) return false;
    taken = word;
    return true;
}

inline bool take(CellShm& cell, std::uint8_t process, std::uint8_t incarnation, CellWord& taken) {
    bool of_all = false;
    // ORDER seq_cst: pairs with the exchange in release(); makes the down manifest visible.
    const CellWord seen = unpack(cell.word.load(std::memory_order_seq_cst));
    return take(cell, seen, process, incarnation, taken, of_all);
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

// Gives back a step that was asked of all: by one who finds that it was replaced before it took it. What was asked of it
// alone the master asks its replacement for. Returns false when the cell was given to a replacement meanwhile.
inline bool give_back(CellShm& cell, const CellWord& taken) {
    std::uint64_t expected = pack(taken);
    CellWord asked = taken;
    asked.outcome = RELEASED_TO_ALL;
    asked.state = CellState::RELEASED;
    // ORDER seq_cst: as in arrive().
    return cell.word.compare_exchange_strong(expected, pack(asked), std::memory_order_seq_cst);
}

// Gives the cell, if it is the worker's, to the worker's next incarnation. What had arrived stays so; a step that was taken
// is asked for again, and of nobody else. Returns the word as it was. Master only.
inline CellWord revoke(CellShm& cell, std::uint8_t process, std::uint8_t incarnation) {
    // ORDER seq_cst: pairs with take() and arrive(); exactly one of them and this wins the word.
    std::uint64_t bits = cell.word.load(std::memory_order_seq_cst);
    for (;;) {
        const CellWord was = unpack(bits);
        if (was.process != process) return was;
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
