// SPDX-License-Identifier: BSD-3-Clause
// A worker's side of the stage loop: takes released cells of its ranks, runs them, arrives.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "loop/traffic.hpp"
#include "os/process.hpp"
#include "sync/run_state.hpp"
#include "sync/spin_budget.hpp"

namespace pex::loop {

// A rank in the visit of a slot.
struct Task {
    std::uint32_t rank;
    std::uint16_t slot;
    std::uint32_t visit;
};

// What the loop calls. Implemented by the bindings; an exception ends the worker.
class WorkerHooks {
public:
    virtual ~WorkerHooks() = default;
    // Runs one stage of one rank in the visit of a slot, and returns the outcome bits of sync::Outcome; `more`: the next one
    // follows without meeting the master. A number past the last stage closes the visit.
    virtual std::uint8_t run_step(const Task& task, std::uint16_t step, bool more) = 0;
    // What run_step() was asked for last is told to the master, who goes on: what nobody waits for may follow.
    virtual void told() {}
    // The loop is about to wait, perhaps for long: let go of what others need. May be called again and again.
    virtual void waits() {}
    virtual void check_signals() = 0;
};

// Thread/process safety: one loop per worker, in its main thread.
class WorkerLoop {
public:
    WorkerLoop(sync::RunState& state, std::uint16_t process, Traffic& traffic, const sync::SpinBudget& spin)
        : m_state(state), m_process(process), m_traffic(traffic), m_spin(spin), m_spans(state.ring(process)),
          m_is_crowded(state.shape().workers >= os::usable_cores()) {}

    // Which worker of its number this is: 0, or how many it comes after. Call it before anything else.
    void set_incarnation(std::uint8_t incarnation) { m_incarnation = incarnation; }

    // Reports that a rank's stages are set up (or not): the arrival at the first rendezvous. A replacement has nothing
    // to report but that it failed: its cells wait for it as they are. Never blocks. Returns false, and changes
    // nothing, when the cell is not as this worker was born to find it: the caller does not count and must leave.
    bool arrive_ready(std::uint32_t rank, std::uint8_t outcome);

    // Serves until the master sets the stop flag. Blocks. Returns false when a cell was given to a replacement.
    bool run(WorkerHooks& hooks);

private:
    // The ranks that may have work for this worker: from `first` on in steps of `stride`.
    struct Ranks {
        std::uint32_t first, stride;
    };
    // What became of an attempt to run something.
    enum class Did : std::uint8_t { NOTHING, RAN, REPLACED };

    // Runs what is released, the oldest visit first, until nothing is left of it.
    Did run_released(WorkerHooks& hooks);
    // Runs what is released in one slot: everything if it has the oldest of the visits, else no more than one step, for
    // older visits may have become ready meanwhile.
    Did run_slot(WorkerHooks& hooks, std::uint16_t slot, bool is_oldest);
    // Runs the step of a rank if it can be taken.
    Did run_rank(WorkerHooks& hooks, std::uint32_t rank, std::uint16_t slot);
    // Whether a step was released to this worker that comes before the same rank's one in `visit`.
    bool older_waits(std::uint32_t rank, std::uint16_t slot, std::uint32_t visit);
    // The slots in the order of their visits' numbers, by the cells of this worker's first rank.
    void order_slots();
    // Whether a step that was asked of all was taken although this worker had been replaced; it is given back then.
    bool took_in_vain(std::uint32_t rank, std::uint16_t slot, const sync::CellWord& taken);
    // Runs the stages of a step that was taken. Returns the outcome of all.
    std::uint8_t run_stages(WorkerHooks& hooks, const Task& task, std::uint16_t step);
    std::uint8_t run_one(WorkerHooks& hooks, const Task& task, std::uint16_t step, bool more);
    // Raises the run's fatal flag if the outcome asks for it; returns whether it did.
    bool note_fatal(std::uint8_t outcome);
    void tell_master(std::uint16_t slot, std::uint8_t outcome);
    bool anything_to_do();
    bool was_replaced(std::uint32_t rank);
    bool balances() const;
    // Whether this worker may take another rank that belongs to others: its spans need room.
    bool may_take_more() const;
    Ranks ranks() const;
    sync::CellWord word_of(std::uint32_t rank, std::uint16_t slot);
    std::uint16_t slots() const { return m_state.shape().slots; }
    std::uint8_t self() const { return static_cast<std::uint8_t>(m_process); }
    bool fail_ready(sync::CellShm& cell, std::uint8_t outcome);

    sync::RunState& m_state;
    std::uint16_t m_process;
    std::uint8_t m_incarnation = 0;
    Traffic& m_traffic;
    sync::SpinBudget m_spin;
    sync::SpanRing m_spans;
    bool m_is_crowded;             // there is no core for each worker and the master: another may need this one
    std::uint64_t m_ended_ns = 0;  // when the last step ended
    std::vector<std::pair<std::uint32_t, std::uint16_t>> m_order;  // visits and their slots, the oldest first
};

}  // namespace pex::loop
