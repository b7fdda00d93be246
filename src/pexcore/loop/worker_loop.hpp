// SPDX-License-Identifier: BSD-3-Clause
// A worker's side of the stage loop: takes released cells of its ranks, runs them, arrives.
#pragma once

#include <cstdint>

#include "loop/traffic.hpp"
#include "sync/run_state.hpp"
#include "sync/spin_budget.hpp"

namespace pex::loop {

// What the loop calls. Implemented by the bindings; an exception ends the worker.
class WorkerHooks {
public:
    virtual ~WorkerHooks() = default;
    // Runs one stage of one rank and returns the outcome bits of sync::Outcome; `more`: the next one follows without
    // meeting the master. A number past the last stage closes the visit.
    virtual std::uint8_t run_step(std::uint32_t rank, std::uint32_t visit, std::uint16_t step, bool more) = 0;
    // The loop is about to wait, perhaps for long: let go of what others need. May be called again and again.
    virtual void waits() {}
    virtual void check_signals() = 0;
};

// Thread/process safety: one loop per worker, in its main thread.
class WorkerLoop {
public:
    WorkerLoop(sync::RunState& state, std::uint16_t process, Traffic& traffic, const sync::SpinBudget& spin)
        : m_state(state), m_process(process), m_traffic(traffic), m_spin(spin), m_spans(state.ring(process)) {}

    // Which worker of its number this is: 0, or how many it comes after. Call it before anything else.
    void set_incarnation(std::uint8_t incarnation) { m_incarnation = incarnation; }

    // Reports that a rank's stages are set up (or not): the arrival at the first rendezvous. A replacement has nothing
    // to report but that it failed: its cells wait for it as they are. Never blocks. Returns false, and changes
    // nothing, when the cell is not as this worker was born to find it: the caller does not count and must leave.
    bool arrive_ready(std::uint32_t rank, std::uint8_t outcome);

    // Serves until the master sets the stop flag. Blocks. Returns false when a cell was given to a replacement.
    bool run(WorkerHooks& hooks);

private:
    bool run_released(WorkerHooks& hooks, bool& ran);
    // Takes ranks that wait for others, one at a time, for as long as there are any.
    bool run_for_others(WorkerHooks& hooks, bool& ran);
    // Runs the step of a rank if it can be taken. Returns false when a cell says that this worker was replaced.
    bool run_rank(WorkerHooks& hooks, std::uint32_t rank, bool& ran);
    // Whether a step that was asked of all was taken although this worker had been replaced; it is given back then.
    bool took_in_vain(std::uint32_t rank, const sync::CellWord& taken);
    // Runs the stages of a step that was taken. Returns the outcome of all.
    std::uint8_t run_stages(WorkerHooks& hooks, std::uint32_t rank, const sync::CellWord& taken);
    std::uint8_t run_one(WorkerHooks& hooks, std::uint32_t rank, std::uint32_t visit, std::uint16_t step, bool more);
    // Raises the run's fatal flag if the outcome asks for it; returns whether it did.
    bool note_fatal(std::uint8_t outcome);
    void tell_master(std::uint8_t outcome);
    bool anything_to_do();
    bool was_replaced(std::uint32_t rank);
    bool balances() const;
    // Whether this worker may take another rank that belongs to others in this visit: its spans need room.
    bool may_take_more() const;
    // The ranks that may have work for this worker: from `first` on in steps of `stride`.
    struct Ranks {
        std::uint32_t first, stride;
    };
    Ranks ranks() const;
    std::uint8_t self() const { return static_cast<std::uint8_t>(m_process); }
    bool fail_ready(sync::CellShm& cell, std::uint8_t outcome);

    sync::RunState& m_state;
    std::uint16_t m_process;
    std::uint8_t m_incarnation = 0;
    Traffic& m_traffic;
    sync::SpinBudget m_spin;
    sync::SpanRing m_spans;
    std::uint64_t m_ended_ns = 0;  // when the last step ended
    std::uint32_t m_visit = 0;
    std::uint64_t m_spans_before = 0;  // that were written when the visit began for this worker
};

}  // namespace pex::loop
