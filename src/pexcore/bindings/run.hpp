// SPDX-License-Identifier: BSD-3-Clause
// A run: what its master does with the tables, its loop and the watcher.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <fcntl.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fault_spec.hpp"
#include "loop/master_loop.hpp"
#include "os/clock.hpp"
#include "os/fault_point.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "python_hooks.hpp"
#include "run_worker.hpp"
#include "sync/stop_ladder.hpp"
#include "sync/watcher.hpp"

namespace pex::bindings {

// A run as Python sees it: created in the master, inherited by what is forked from there, and adopted by processes that
// are started by exec.
class Run : public RunWorker {
public:
    using RunWorker::RunWorker;

    // The run behind the descriptors that segment_fds() of another process's Run names, made with the same numbers.
    // Owns both descriptors from now on, also on error. Throws os::Error, std::invalid_argument.
    static std::shared_ptr<Run> adopt(int control_fd, int pixels_fd, std::uint32_t ranks, std::uint16_t workers,
                                      std::uint16_t stages, std::vector<std::uint16_t> exchanges, std::uint16_t slots) {
        const sync::RunShape shape = shape_of(ranks, workers, stages, exchanges, slots);
        std::shared_ptr<shm::Arena> arena = shm::Arena::open(control_fd, pixels_fd);
        if (arena->application().size() != sync::RunState::bytes_for(shape))
            throw std::invalid_argument("the tables of this run are not laid out as this build of the harness does it");
        return std::shared_ptr<Run>(new Run(shape, std::move(exchanges), std::move(arena)));
    }

    void attach_master() {
        play_role(Role::MASTER);
        attach(0);
    }

    py::tuple run_master(const loop::Schedule& schedule, const py::object& target,
                         std::vector<std::uint64_t> limits_ns) {
        m_loop.emplace(schedule, m_state, watcher(), m_traffic, m_spin);
        m_loop->set_limits(std::move(limits_ns));
        // A stop that was asked for while the run started counts.
        if (m_stop_level != 0) m_loop->request_stop(m_stop_level);
        loop::LoopResult result;
        {
            PythonMaster hooks(target, m_slot, m_shape.slots > 1);
            result = m_loop->run(hooks);
        }
        return py::make_tuple(result.end, result.visit, result.stage);
    }

    void request_stop(int level) {
        // Lower levels are more urgent; a request never takes an earlier, more urgent one back.
        if (m_stop_level == 0 || level < m_stop_level) m_stop_level = level;
        if (m_loop) m_loop->request_stop(m_stop_level);
    }

    void notify_event() {
        if (m_loop) m_loop->notify_event();
    }

    // Tells every worker to leave; each ends its loop, shuts its stages down and exits.
    void stop_workers() {
        // ORDER seq_cst: pairs with the load in WorkerLoop::run(); before the rings.
        m_state.head().stop.store(1, std::memory_order_seq_cst);
        for (std::uint16_t worker = 1; worker <= m_shape.workers; ++worker) sync::ring(m_state.door(worker));
    }

    sync::Watcher& watcher() {
        if (!m_watcher) m_watcher = std::make_unique<sync::Watcher>(m_state);
        return *m_watcher;
    }

    // Waits until nothing that is watched is alive, or the deadline. Returns whether all have ended.
    bool wait_for_ends(double seconds) {
        const std::uint64_t deadline = os::now_ns() + static_cast<std::uint64_t>(seconds * 1e9);
        const py::gil_scoped_release unlocked;
        return sync::wait_for(m_state.door(sync::MASTER_PROCESS), {}, deadline,
                              [&] { return watcher().alive_count() == 0; }) == sync::WaitOutcome::READY;
    }

    py::object take_death() {
        const std::optional<sync::Death> death = watcher().take_death();
        if (!death) return py::none();
        os::fault_point("master: took a death");
        int rank = -1;
        int stage = 0;
        std::uint32_t visit = 0;
        bool starting = false;
        if (death->process != sync::NURSERY_PROCESS) {
            // ORDER seq_cst: pairs with the owner's stores; it was reaped.
            starting = m_state.process(death->process).state.load(std::memory_order_seq_cst) <=
                       sync::ProcessState::STARTING;
            rank = m_state.process(death->process).busy_rank.load(std::memory_order_relaxed);
            stage = m_state.process(death->process).busy_stage.load(std::memory_order_relaxed);
            visit = m_state.process(death->process).busy_visit.load(std::memory_order_relaxed);
            if (rank < 0) {
                if (const auto taken = m_state.unfinished_step(death->process)) {
                    rank = static_cast<int>(taken->rank);
                    stage = taken->step;
                    visit = taken->visit;
                }
            }
            if (os::defended("death: sweep"))
                m_arena->sweep(shm::ProcessSlot{static_cast<std::uint8_t>(death->process)});
            os::fault_point("master: swept");
        }
        const int worker = death->process == sync::NURSERY_PROCESS ? -1 : death->process - 1;
        return py::make_tuple(worker, death->pid, death->status.signalled, death->status.code, death->orderly, rank,
                              stage, starting, death->seen_ns, visit);
    }

    // Gives the cells of a worker that was reaped to its next incarnation, which it returns. For each rank of the
    // worker, what is to be done instead of a replay must be said before.
    std::uint32_t revoke(std::uint16_t worker) {
        sync::ProcessShm& process = m_state.process(static_cast<std::uint16_t>(1 + worker));
        // ORDER relaxed: only this thread changes it.
        // Never 0 again, which is the first of all.
        const std::uint32_t next = process.incarnation.load(std::memory_order_relaxed) % (sync::INCARNATIONS - 1) + 1;
        // ORDER seq_cst: before the cells are revoked; pairs with WorkerLoop::took_in_vain().
        process.incarnation.store(next, std::memory_order_seq_cst);
        process.busy_rank.store(-1, std::memory_order_relaxed);
        // The fresh worker has begun nothing.
        process.since_ns.store(0, std::memory_order_relaxed);
        process.admitted.store(0, std::memory_order_seq_cst);
        // The dead one's number may soon be another process's, whom nobody must kill for a worker.
        process.pid.store(0, std::memory_order_seq_cst);
        process.state.store(sync::ProcessState::STARTING, std::memory_order_seq_cst);
        m_state.revoke_cells(static_cast<std::uint16_t>(1 + worker), next);
        os::fault_point("master: revoked");
        return next;
    }

    // The ranks whose visit in this slot a worker (from 0) has, or is asked to begin.
    std::vector<std::uint32_t> ranks_of(std::uint16_t worker) {
        std::vector<std::uint32_t> ranks;
        for (std::uint32_t rank = 0; rank < m_shape.ranks; ++rank) {
            // ORDER seq_cst: pairs with take(), which names the worker.
            const sync::CellWord word = sync::unpack(m_state.cell(rank, m_slot).word.load(std::memory_order_seq_cst));
            // Before the first rendezvous a cell names nobody.
            const std::uint16_t process = word.process == 0 ? m_state.process_of(rank) : word.process;
            if (process == 1 + worker) ranks.push_back(rank);
        }
        return ranks;
    }

    // From the next visit on, idle workers take waiting ranks of others. Before the loops run.
    // ORDER seq_cst: pairs with the load in WorkerLoop::balances(); before the first release.
    void balance() { m_state.head().balances.store(1, std::memory_order_seq_cst); }

    // Says that `pid` is the worker: what a nursery has forked and not told of, because it died, is none.
    void admit(std::uint16_t worker, int pid) {
        std::atomic<std::uint32_t>& admitted = m_state.process(static_cast<std::uint16_t>(1 + worker)).admitted;
        // ORDER seq_cst: pairs with await_admission(); before the wake, which finds who looked too early asleep.
        admitted.store(static_cast<std::uint32_t>(pid), std::memory_order_seq_cst);
        os::futex_wake(admitted);
        os::fault_point("master: admitted");
    }

    // Puts every process that was killed and has not ended in quarantine; (worker, pid, blocks, bytes) of each, with
    // worker -1 for the nursery, which holds nothing.
    py::list quarantine() {
        py::list out;
        for (const auto& [process, pid] : watcher().alive()) {
            if (process == sync::NURSERY_PROCESS) {
                out.append(py::make_tuple(-1, pid, 0, 0));
                continue;
            }
            const shm::HolderInfo kept = m_arena->quarantine(shm::ProcessSlot{static_cast<std::uint8_t>(process)});
            out.append(py::make_tuple(process - 1, pid, kept.blocks, kept.bytes));
        }
        return out;
    }

    // (worker, pid) of what is watched and has not ended; -1 for the nursery and its keeper.
    py::list alive() {
        py::list out;
        for (const auto& [process, pid] : watcher().alive())
            out.append(py::make_tuple(process == sync::NURSERY_PROCESS ? -1 : process - 1, pid));
        return out;
    }

    // Has calls of the master's stages watched: seconds and names by number of the stage, as for SerialLimits, whose
    // descriptors are copied; -1: none.
    void set_serial_limits(std::vector<std::uint64_t> limits_ns, std::vector<std::string> names, int exit_code,
                           int stacks_signal, int stacks_fd, int log_fd) {
        watcher().set_serial_limits({std::move(limits_ns), std::move(names), exit_code, stacks_signal,
                                     os::FileDescriptor(fcntl(stacks_fd, F_DUPFD_CLOEXEC, 0)),
                                     os::FileDescriptor(fcntl(log_fd, F_DUPFD_CLOEXEC, 0))});
    }

    py::object late_call() {
        const std::optional<sync::SerialCall> call = watcher().late_call();
        if (!call) return py::none();
        return py::make_tuple(call->visit, call->stage, call->half);
    }

    std::vector<int> worker_pids() {
        std::vector<int> pids;
        for (std::uint16_t worker = 1; worker <= m_shape.workers; ++worker)
            // ORDER seq_cst: pairs with the stores in attach_worker() and revoke().
            pids.push_back(m_state.process(worker).pid.load(std::memory_order_seq_cst));
        return pids;
    }

    py::list drain_spans() {
        if (m_rings.empty())
            for (std::uint16_t index = 0; index <= m_shape.workers; ++index) m_rings.push_back(m_state.ring(index));
        std::vector<sync::SpanShm> spans;
        for (sync::SpanRing& ring : m_rings) m_lost_spans += ring.drain(spans);
        py::list out;
        for (const sync::SpanShm& span : spans)
            out.append(py::make_tuple(static_cast<int>(span.kind), span.stage, span.rank, span.visit, span.outcome,
                                      span.start_ns, span.end_ns, span.bytes_copied, span.bytes_shared,
                                      span.bytes_clipboard));
        return out;
    }
    std::uint64_t lost_spans() const { return m_lost_spans; }

    sync::LogRing log_ring(std::uint16_t process) const {
        if (process > m_shape.workers) throw py::index_error("no such process in this run");
        return m_state.log_ring(process);
    }

private:
    Run(const sync::RunShape& shape, std::vector<std::uint16_t> exchanges, std::shared_ptr<shm::Arena> arena)
        : RunWorker(shape, std::move(exchanges), std::move(arena)) {}

    std::unique_ptr<sync::Watcher> m_watcher;
    std::optional<loop::MasterLoop> m_loop;
    int m_stop_level = 0;
    std::vector<sync::SpanRing> m_rings;
    std::uint64_t m_lost_spans = 0;
};

}  // namespace pex::bindings
