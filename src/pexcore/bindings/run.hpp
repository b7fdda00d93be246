// SPDX-License-Identifier: BSD-3-Clause
// A run: the arena with the run's tables, the two loops, the watcher.
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

#include "births.hpp"
#include "fault_spec.hpp"
#include "fork_guests.hpp"
#include "loop/master_loop.hpp"
#include "loop/worker_loop.hpp"
#include "os/clock.hpp"
#include "os/fault_point.hpp"
#include "os/futex.hpp"
#include "os/process.hpp"
#include "python_hooks.hpp"
#include "shm/arena.hpp"
#include "sync/run_state.hpp"
#include "sync/stop_ladder.hpp"
#include "sync/watcher.hpp"

namespace pex::bindings {

inline std::shared_ptr<shm::Arena> create_arena(std::uint64_t arena_bytes, std::uint64_t application_bytes,
                                                std::uint64_t lend_bytes) {
    shm::ArenaConfig config;
    config.arena_bytes = arena_bytes;
    config.lend_bytes = lend_bytes;
    config.application_bytes = application_bytes;
    return shm::Arena::create(config);
}

// A run as Python sees it: created in the master, inherited by what is forked from there, and adopted by processes that
// are started by exec.
class Run {
public:
    Run(std::uint64_t arena_bytes, std::uint32_t ranks, std::uint16_t workers, std::uint16_t stages,
        std::vector<std::uint16_t> exchanges, std::uint16_t slots = 1,
        std::uint64_t lend_bytes = 0)
        : m_exchanges(std::move(exchanges)),
          m_shape(shape_of(ranks, workers, stages, m_exchanges, slots)),
          m_arena(create_arena(arena_bytes, sync::RunState::bytes_for(m_shape), lend_bytes)),
          m_state(m_arena->application(), m_shape) {}

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

    // (control, pixels): the descriptors that another process needs to adopt the run. They stay this one's.
    py::tuple segment_fds() const {
        return py::make_tuple(m_arena->control_segment().fd(), m_arena->pixel_segment().fd());
    }

    const std::shared_ptr<shm::Arena>& arena() const { return m_arena; }
    sync::RunState& state() { return m_state; }

    // The slot of the visit that this process looks at: what is said of a rank, and of manifests, is said of it there.
    std::uint16_t slot() const { return m_slot; }
    std::uint16_t slots() const { return m_shape.slots; }
    void turn_to(std::uint16_t slot) {
        if (slot >= m_shape.slots) throw py::index_error("no such slot in this run");
        m_slot = slot;
    }
    loop::Traffic& traffic() { return m_traffic; }

    void attach_master() {
        play_role(Role::MASTER);
        attach(0);
    }

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

    // (has arrived, outcome) of a rank in the step that was released last.
    py::tuple arrival(std::uint32_t rank) {
        const sync::CellWord word = sync::unpack(m_state.cell(rank, m_slot).word.load(std::memory_order_seq_cst));
        return py::make_tuple(word.state == sync::CellState::ARRIVED, word.outcome);
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

    void set_down_manifest(std::uint16_t stage, std::uint64_t ref, std::uint64_t bytes) {
        os::fault_point("master: publishes");
        m_state.down(stage, m_slot) = {ref, bytes};
    }
    // Of a slot: pairs of reference and length of all stages from 0 on, as 64-bit numbers that can be read without a call.
    py::memoryview down_table(std::uint16_t slot) {
        return py::memoryview::from_buffer(&m_state.down(0, slot).ref, {2 * (py::ssize_t{1} + m_shape.stages)},
                                           {static_cast<py::ssize_t>(sizeof(std::uint64_t))}, true);
    }
    py::tuple down_manifest(std::uint16_t stage) {
        return py::make_tuple(m_state.down(stage, m_slot).ref, m_state.down(stage, m_slot).bytes);
    }
    void set_up_manifest(std::uint32_t rank, std::uint64_t ref, std::uint64_t bytes) {
        os::fault_point("worker: publishes");
        m_state.cell(rank, m_slot).manifest_ref = ref;
        os::fault_point("worker: half a manifest");
        m_state.cell(rank, m_slot).manifest_bytes = bytes;
    }
    py::tuple up_manifest(std::uint32_t rank) {
        return py::make_tuple(m_state.cell(rank, m_slot).manifest_ref, m_state.cell(rank, m_slot).manifest_bytes);
    }
    // (rank, manifest) of the ranks that have published upwards.
    py::list up_manifests() {
        py::list out;
        for (std::uint32_t rank = 0; rank < m_shape.ranks; ++rank)
            if (m_state.cell(rank, m_slot).manifest_bytes != 0) out.append(py::make_tuple(rank, up_manifest(rank)));
        return out;
    }
    // Of a slot: the lengths of what the ranks have published upwards, in their order, that can be read without a call.
    py::memoryview up_lengths(std::uint16_t slot) {
        static std::uint64_t nothing = 0;
        return py::memoryview::from_buffer(m_shape.ranks != 0 ? &m_state.cell(0, slot).manifest_bytes : &nothing,
                                           {static_cast<py::ssize_t>(m_shape.ranks)},
                                           {static_cast<py::ssize_t>(sizeof(sync::CellShm))}, true);
    }
    // The stage that raised, of those that the step of a rank ran through.
    void set_raised_stage(std::uint32_t rank, std::uint16_t stage) { m_state.cell(rank, m_slot).raised_stage = stage; }
    std::uint16_t raised_stage(std::uint32_t rank) { return m_state.cell(rank, m_slot).raised_stage; }
    void set_across_manifest(std::uint32_t rank, std::uint16_t stage, std::uint64_t ref, std::uint64_t bytes) {
        os::fault_point("worker: offers");
        m_state.across(rank, exchange_before(stage), m_slot) = {ref, bytes};
    }
    py::tuple across_manifest(std::uint32_t rank, std::uint16_t stage) {
        const sync::ManifestPlaceShm& place = m_state.across(rank, exchange_before(stage), m_slot);
        return py::make_tuple(place.ref, place.bytes);
    }
    // (rank, report) of the slices that have raised the fatal flag.
    py::list fatal_reports() {
        py::list out;
        // ORDER seq_cst: pairs with arrive(); a report is whole when the cell says so.
        for (std::uint16_t slot = 0; slot < m_shape.slots; ++slot)
            for (std::uint32_t rank = 0; rank < m_shape.ranks; ++rank) {
                const sync::CellWord word = sync::unpack(m_state.cell(rank, slot).word.load(std::memory_order_seq_cst));
                if (word.state == sync::CellState::ARRIVED && (word.outcome & sync::OUTCOME_FATAL) != 0)
                    out.append(py::make_tuple(rank, py::bytes(m_state.read_report(rank, slot))));
            }
        return out;
    }
    std::uint8_t outcome(std::uint32_t rank) {
        // ORDER seq_cst: pairs with arrive().
        return sync::unpack(m_state.cell(rank, m_slot).word.load(std::memory_order_seq_cst)).outcome;
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
        : m_exchanges(std::move(exchanges)),
          m_shape(shape),
          m_arena(std::move(arena)),
          m_state(m_arena->application(), m_shape) {}

    static sync::RunShape shape_of(std::uint32_t ranks, std::uint16_t workers, std::uint16_t stages,
                                   const std::vector<std::uint16_t>& exchanges, std::uint16_t slots) {
        if (slots == 0 || slots > shm::MAX_VISITS)
            throw std::invalid_argument("visits in flight: expected 1 to " + std::to_string(shm::MAX_VISITS));
        return {ranks, workers, stages, static_cast<std::uint16_t>(exchanges.size()), slots};
    }

    std::uint16_t exchange_before(std::uint16_t stage) const {
        for (std::size_t i = 0; i < m_exchanges.size(); ++i)
            if (m_exchanges[i] == stage) return static_cast<std::uint16_t>(i);
        throw std::invalid_argument("no exchange belongs to that stage");
    }

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

    std::vector<std::uint16_t> m_exchanges;
    sync::RunShape m_shape;
    std::shared_ptr<shm::Arena> m_arena;
    sync::RunState m_state;
    loop::Traffic m_traffic;
    sync::SpinBudget m_spin{50'000, 1'000'000};
    std::uint16_t m_process = sync::MASTER_PROCESS;
    std::uint16_t m_slot = 0;
    std::uint8_t m_incarnation = 0;
    std::unique_ptr<sync::Watcher> m_watcher;
    std::optional<loop::MasterLoop> m_loop;
    int m_stop_level = 0;
    std::vector<sync::SpanRing> m_rings;
    std::uint64_t m_lost_spans = 0;
};

}  // namespace pex::bindings
