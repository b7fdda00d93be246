// SPDX-License-Identifier: BSD-3-Clause
// A process of a run: how it takes its place, what a worker says of itself and its ranks, and its loop.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "births.hpp"
#include "fault_spec.hpp"
#include "fork_guests.hpp"
#include "loop/worker_loop.hpp"
#include "os/clock.hpp"
#include "os/fault_point.hpp"
#include "os/futex.hpp"
#include "python_hooks.hpp"
#include "run_tables.hpp"

namespace pex::bindings {

class RunWorker : public RunTables {
public:
    using RunTables::RunTables;

    void attach_worker(std::uint16_t worker, int pid, std::uint32_t incarnation) {
        m_process = static_cast<std::uint16_t>(1 + worker);
        m_incarnation = static_cast<std::uint8_t>(incarnation);
        // What the process that forked this one was doing is not what this one does.
        births::close_all();
        attach(m_process);
        sync::ProcessShm& self = m_state.process(m_process);
        // ORDER relaxed: published by the store of the state below, which is seq_cst and pairs with the loads in Lateness
        // and in the watcher. The pid is seq_cst for the nursery's worker_pids(), which kills after the master's death.
        self.busy_rank.store(-1, std::memory_order_relaxed);
        self.since_ns.store(0, std::memory_order_relaxed);
        self.pid.store(pid, std::memory_order_seq_cst);
        self.state.store(sync::ProcessState::STARTING, std::memory_order_seq_cst);
        os::fault_point("worker: attached");
    }

    // Says, of a worker that sets its stages up, that it has come to this one; n + 1 for the failure stage.
    void note_setup(std::uint16_t stage) {
        sync::ProcessShm& self = m_state.process(m_process);
        // A rank that is another worker's is set up within its step, which has a deadline.
        // ORDER relaxed: this process alone changes it. Of the stage: published by the store of the time.
        if (self.state.load(std::memory_order_relaxed) != sync::ProcessState::STARTING) return;
        self.busy_stage.store(stage, std::memory_order_relaxed);
        // ORDER release: pairs with the acquire in Lateness::is_late_to_start().
        self.since_ns.store(os::now_ns(), std::memory_order_release);
    }

    void set_spin(std::uint64_t least_ns, std::uint64_t most_ns) { m_spin = {least_ns, most_ns}; }

    bool arrive_ready(std::uint32_t rank, std::uint8_t outcome) {
        loop::WorkerLoop worker(m_state, m_process, m_traffic, m_spin);
        worker.set_incarnation(m_incarnation);
        os::fault_point("worker: set up");
        const bool counts = worker.arrive_ready(rank, outcome);
        os::fault_point("worker: ready");
        return counts;
    }

    bool run_worker(const py::object& target) {
        // ORDER relaxed: published by the store of the state, seq_cst, which pairs with the loads in Lateness.
        m_state.process(m_process).since_ns.store(os::now_ns(), std::memory_order_relaxed);
        m_state.process(m_process).state.store(sync::ProcessState::WORKING, std::memory_order_seq_cst);
        loop::WorkerLoop worker(m_state, m_process, m_traffic, m_spin);
        worker.set_incarnation(m_incarnation);
        PythonWorker hooks(target, m_slot);
        return worker.run(hooks);
    }

    void leave() {
        os::fault_point("worker: leaving");
        note_births();
        // ORDER seq_cst: pairs with the watcher's load once this process has ended.
        m_state.process(m_process).state.store(sync::ProcessState::LEAVING, std::memory_order_seq_cst);
        os::fault_point("worker: left");
    }

    // (shared, refused, refused bytes) of the master now and of the workers that have left.
    py::tuple births() {
        note_births();
        std::uint64_t shared = 0, refused = 0, bytes = 0;
        // ORDER relaxed: figures for a report; workers have left, which the wait for their end orders before this.
        for (std::uint16_t index = 0; index <= m_shape.workers; ++index) {
            const sync::ProcessShm& process = m_state.process(index);
            shared += process.births_shared.load(std::memory_order_relaxed);
            refused += process.births_refused.load(std::memory_order_relaxed);
            bytes += process.births_refused_bytes.load(std::memory_order_relaxed);
        }
        return py::make_tuple(shared, refused, bytes);
    }

    // Waits until the master says who is the worker; below 0: for as long as that takes. Returns whether it is `pid`.
    bool await_admission(std::uint16_t worker, int pid, int timeout_ms) {
        const sync::ProcessShm& process = m_state.process(static_cast<std::uint16_t>(1 + worker));
        const std::uint64_t deadline =
            timeout_ms < 0 ? os::NO_DEADLINE : os::now_ns() + static_cast<std::uint64_t>(timeout_ms) * 1'000'000u;
        // ORDER relaxed: for tests; written before this process was asked for.
        play_role(process.incarnation.load(std::memory_order_relaxed) == 0 ? Role::WORKER : Role::FRESH);
        os::fault_point("worker: born");
        const py::gil_scoped_release unlocked;
        for (;;) {
            // ORDER seq_cst: pairs with admit(), which follows all that the master did for this worker.
            const std::uint32_t admitted = process.admitted.load(std::memory_order_seq_cst);
            if (admitted != 0 || os::now_ns() > deadline) return admitted == static_cast<std::uint32_t>(pid);
            os::futex_wait(process.admitted, 0, deadline);
        }
    }

    // ORDER relaxed: set while the rank's stages are set up, read after it has arrived from that, or its worker has died.
    void set_stateful(std::uint32_t rank) { m_state.rank(rank).is_stateful.store(1, std::memory_order_relaxed); }
    bool is_stateful(std::uint32_t rank) {
        return m_state.rank(rank).is_stateful.load(std::memory_order_relaxed) != 0;
    }

    // Notes that the visit of the rank that runs in this process can't be repeated from its beginning.
    void spend(sync::Spent why) {
        if (m_process == sync::MASTER_PROCESS) return;
        // ORDER relaxed: this process alone writes its busy_rank, and what it spends of its rank; the master reads that
        // when the worker has died. The cell's word is this worker's while it runs.
        const int rank = m_state.process(m_process).busy_rank.load(std::memory_order_relaxed);
        if (rank < 0) return;
        sync::FateShm& entry = m_state.fate(static_cast<std::uint32_t>(rank), m_slot);
        const auto bits = m_state.cell(static_cast<std::uint32_t>(rank), m_slot).word.load(std::memory_order_seq_cst);
        entry.spent_why.store(why, std::memory_order_relaxed);
        entry.spent_visit.store(sync::unpack(bits).visit, std::memory_order_relaxed);
    }
    sync::Spent spent(std::uint32_t rank, std::uint32_t visit) {
        const sync::FateShm& entry = m_state.fate(rank, m_slot);
        // ORDER relaxed: who wrote it has ended, which the watcher's reap orders before this.
        if (entry.spent_visit.load(std::memory_order_relaxed) != visit) return sync::Spent::NOT;
        return entry.spent_why.load(std::memory_order_relaxed);
    }

    void set_verdict(std::uint32_t rank, std::uint32_t visit, std::uint16_t stage, sync::Verdict verdict) {
        sync::FateShm& entry = m_state.fate(rank, m_slot);
        entry.verdict_visit = visit;
        entry.verdict_stage = stage;
        entry.verdict = verdict;
    }
    py::tuple verdict(std::uint32_t rank, std::uint32_t visit) {
        const sync::FateShm& entry = m_state.fate(rank, m_slot);
        if (entry.verdict_visit != visit) return py::make_tuple(sync::Verdict::REPLAY, 0);
        return py::make_tuple(entry.verdict, entry.verdict_stage);
    }

    // Notes that a stage of an earlier step runs again: for messages, and for the step's deadline.
    void note_replay(std::uint16_t stage) {
        sync::ProcessShm& self = m_state.process(m_process);
        // ORDER relaxed: published by the store below.
        self.since_ns.store(os::now_ns(), std::memory_order_relaxed);
        // ORDER release: pairs with the acquire in Lateness::limit_now_ns().
        self.busy_stage.store(stage, std::memory_order_release);
        os::fault_point("worker: repeats");
    }

    // (rank, stage) that a worker (from 0) runs; rank -1: none.
    py::tuple busy(std::uint16_t worker) {
        const sync::ProcessShm& process = m_state.process(static_cast<std::uint16_t>(1 + worker));
        return py::make_tuple(process.busy_rank.load(std::memory_order_relaxed),
                              process.busy_stage.load(std::memory_order_relaxed));
    }

protected:
    RunWorker(const sync::RunShape& shape, std::vector<std::uint16_t> exchanges, std::shared_ptr<shm::Arena> arena)
        : RunTables(shape, std::move(exchanges), std::move(arena)) {}

    void attach(std::uint16_t process) {
        m_arena->attach(shm::ProcessSlot{static_cast<std::uint8_t>(process)});
        make_forks_guests(m_arena);
    }

    void note_births() {
        const births::Counts now = births::counts();
        sync::ProcessShm& self = m_state.process(m_process);
        // ORDER relaxed: read when this process has ended, see births(); or by itself.
        self.births_shared.store(now.shared, std::memory_order_relaxed);
        self.births_refused.store(now.refused, std::memory_order_relaxed);
        self.births_refused_bytes.store(now.refused_bytes, std::memory_order_relaxed);
    }

    sync::SpinBudget m_spin{50'000, 1'000'000};
    std::uint16_t m_process = sync::MASTER_PROCESS;

private:
    std::uint8_t m_incarnation = 0;
};

}  // namespace pex::bindings
