// SPDX-License-Identifier: BSD-3-Clause
// Python face of a run: the arena with the run's tables, the two loops, the watcher.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "births.hpp"
#include "fork_guests.hpp"
#include "loop/master_loop.hpp"
#include "loop/worker_loop.hpp"
#include "os/clock.hpp"
#include "os/process.hpp"
#include "shm/arena.hpp"
#include "sync/run_state.hpp"
#include "sync/stop_ladder.hpp"
#include "sync/watcher.hpp"

namespace py = pybind11;

namespace pex::bindings {

namespace {

void run_signal_handlers() {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// Calls the methods of a Python object. Looks them up once: an attribute look-up costs as much as the call.
class PythonMaster final : public loop::MasterHooks {
public:
    explicit PythonMaster(const py::object& target)
        : m_slices_ready(target.attr("slices_ready")), m_begin_visit(target.attr("begin_visit")),
          m_take_event(target.attr("take_event")), m_drop_visit(target.attr("drop_visit")),
          m_preprocess(target.attr("preprocess")), m_publish(target.attr("publish")), m_gather(target.attr("gather")),
          m_postprocess(target.attr("postprocess")), m_end_visit(target.attr("end_visit")),
          m_workers_died(target.attr("workers_died")), m_late(target.attr("late")) {}

    void slices_ready() override { call(m_slices_ready); }
    void begin_visit(std::uint32_t visit) override { call(m_begin_visit, visit); }
    loop::EventLook take_event(std::uint16_t stage) override {
        const py::gil_scoped_acquire gil;
        return m_take_event(stage).cast<loop::EventLook>();
    }
    void drop_visit(std::uint32_t visit) override { call(m_drop_visit, visit); }
    std::uint8_t preprocess(std::uint16_t stage) override { return call_for_outcome(m_preprocess, stage); }
    // A failed publication runs the failure stage.
    void publish(std::uint16_t stage) override {
        const births::Scope stage_code;
        call(m_publish, stage);
    }
    void gather(std::uint16_t stage, const loop::Arrivals& arrivals) override {
        call(m_gather, stage, arrivals.raised);
    }
    std::uint8_t postprocess(std::uint16_t stage) override { return call_for_outcome(m_postprocess, stage); }
    void end_visit(std::uint32_t visit) override { call(m_end_visit, visit); }
    void check_signals() override { run_signal_handlers(); }
    bool workers_died(std::uint32_t visit, std::uint16_t step) override {
        const py::gil_scoped_acquire gil;
        return m_workers_died(visit, step).cast<bool>();
    }
    void late(std::uint16_t worker, std::uint32_t visit, std::uint16_t step) override {
        call(m_late, worker, visit, step);
    }

private:
    template <class... Args>
    static void call(const py::object& method, Args... args) {
        const py::gil_scoped_acquire gil;
        method(args...);
    }
    static std::uint8_t call_for_outcome(const py::object& method, std::uint16_t stage) {
        const births::Scope stage_code;
        const py::gil_scoped_acquire gil;
        return method(stage).cast<std::uint8_t>();
    }

    py::object m_slices_ready, m_begin_visit, m_take_event, m_drop_visit, m_preprocess, m_publish, m_gather;
    py::object m_postprocess, m_end_visit, m_workers_died, m_late;
};

class PythonWorker final : public loop::WorkerHooks {
public:
    explicit PythonWorker(const py::object& target) : m_run_step(target.attr("run_step")) {}

    std::uint8_t run_step(std::uint32_t rank, std::uint32_t visit, std::uint16_t step) override {
        const births::Scope stage_code;
        const py::gil_scoped_acquire gil;
        return m_run_step(rank, visit, step).cast<std::uint8_t>();
    }
    void check_signals() override { run_signal_handlers(); }

private:
    py::object m_run_step;
};

std::shared_ptr<shm::Arena> create_arena(std::uint64_t arena_bytes, std::uint64_t application_bytes) {
    shm::ArenaConfig config;
    config.arena_bytes = arena_bytes;
    config.application_bytes = application_bytes;
    return shm::Arena::create(config);
}

// A run as Python sees it: created in the master before the first fork, inherited by every process of the run.
class Run {
public:
    Run(std::uint64_t arena_bytes, std::uint32_t ranks, std::uint16_t workers, std::uint16_t stages,
        std::vector<std::uint16_t> exchanges)
        : m_exchanges(std::move(exchanges)),
          m_shape{ranks, workers, stages, static_cast<std::uint16_t>(m_exchanges.size())},
          m_arena(create_arena(arena_bytes, sync::RunState::bytes_for(m_shape))),
          m_state(m_arena->application(), m_shape) {}

    const std::shared_ptr<shm::Arena>& arena() const { return m_arena; }
    sync::RunState& state() { return m_state; }
    loop::Traffic& traffic() { return m_traffic; }

    void attach_master() { attach(0); }

    void attach_worker(std::uint16_t worker, int pid, std::uint32_t incarnation) {
        m_process = static_cast<std::uint16_t>(1 + worker);
        m_incarnation = static_cast<std::uint8_t>(incarnation);
        // What the process that forked this one was doing is not what this one does.
        births::close_all();
        attach(m_process);
        sync::ProcessShm& self = m_state.process(m_process);
        self.busy_rank.store(-1, std::memory_order_relaxed);
        self.pid.store(pid, std::memory_order_seq_cst);
        self.state.store(sync::ProcessState::STARTING, std::memory_order_seq_cst);
    }

    void set_spin(std::uint64_t least_ns, std::uint64_t most_ns) { m_spin = {least_ns, most_ns}; }

    void arrive_ready(std::uint32_t rank, std::uint8_t outcome) {
        loop::WorkerLoop worker(m_state, m_process, m_traffic, m_spin);
        worker.set_incarnation(m_incarnation);
        worker.arrive_ready(rank, outcome);
    }

    bool run_worker(const py::object& target) {
        PythonWorker hooks(target);
        m_state.process(m_process).since_ns.store(os::now_ns(), std::memory_order_relaxed);
        m_state.process(m_process).state.store(sync::ProcessState::WORKING, std::memory_order_seq_cst);
        loop::WorkerLoop worker(m_state, m_process, m_traffic, m_spin);
        worker.set_incarnation(m_incarnation);
        const py::gil_scoped_release unlocked;
        return worker.run(hooks);
    }

    void leave() {
        note_births();
        m_state.process(m_process).state.store(sync::ProcessState::LEAVING, std::memory_order_seq_cst);
    }

    // (shared, refused, refused bytes) of the master now and of the workers that have left.
    py::tuple births() {
        note_births();
        std::uint64_t shared = 0, refused = 0, bytes = 0;
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
        PythonMaster hooks(target);
        m_loop.emplace(schedule, m_state, watcher(), m_traffic, m_spin);
        m_loop->set_limits(std::move(limits_ns));
        // A stop that was asked for while the run started counts.
        if (m_stop_level != 0) m_loop->request_stop(m_stop_level);
        loop::LoopResult result;
        {
            const py::gil_scoped_release unlocked;
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
        return sync::wait_for(m_state.door(sync::MASTER_PROCESS), 0, deadline,
                              [&] { return watcher().alive_count() == 0; }) == sync::WaitOutcome::READY;
    }

    py::object take_death() {
        const std::optional<sync::Death> death = watcher().take_death();
        if (!death) return py::none();
        int rank = -1;
        int stage = 0;
        bool starting = false;
        if (death->process != sync::NURSERY_PROCESS) {
            // ORDER seq_cst: pairs with the owner's stores; it was reaped.
            starting = m_state.process(death->process).state.load(std::memory_order_seq_cst) <=
                       sync::ProcessState::STARTING;
            rank = m_state.process(death->process).busy_rank.load(std::memory_order_relaxed);
            stage = m_state.process(death->process).busy_stage.load(std::memory_order_relaxed);
            m_arena->sweep(shm::ProcessSlot{static_cast<std::uint8_t>(death->process)});
        }
        const int worker = death->process == sync::NURSERY_PROCESS ? -1 : death->process - 1;
        return py::make_tuple(worker, death->pid, death->status.signalled, death->status.code, death->orderly, rank,
                              stage, starting, death->seen_ns);
    }

    // Gives the cells of a worker that was reaped to its next incarnation, which it returns. For each rank of the
    // worker, what is to be done instead of a replay must be said before.
    std::uint32_t revoke(std::uint16_t worker) {
        sync::ProcessShm& process = m_state.process(static_cast<std::uint16_t>(1 + worker));
        // ORDER relaxed: only this thread changes it.
        // Never 0 again, which is the first of all.
        const std::uint32_t next = process.incarnation.load(std::memory_order_relaxed) % 255 + 1;
        process.incarnation.store(next, std::memory_order_relaxed);
        process.busy_rank.store(-1, std::memory_order_relaxed);
        process.admitted.store(0, std::memory_order_seq_cst);
        process.state.store(sync::ProcessState::STARTING, std::memory_order_seq_cst);
        for (std::uint32_t rank = worker; rank < m_shape.ranks; rank += m_shape.workers)
            sync::revoke(m_state.cell(rank), static_cast<std::uint8_t>(next));
        return next;
    }

    // Says that `pid` is the worker: what a nursery has forked and not told of, because it died, is none.
    void admit(std::uint16_t worker, int pid) {
        m_state.process(static_cast<std::uint16_t>(1 + worker)).admitted.store(pid, std::memory_order_seq_cst);
    }
    // Waits until the master says who is the worker. Returns whether it is `pid`.
    bool await_admission(std::uint16_t worker, int pid, int timeout_ms) {
        const sync::ProcessShm& process = m_state.process(static_cast<std::uint16_t>(1 + worker));
        const std::uint64_t deadline = os::now_ns() + static_cast<std::uint64_t>(timeout_ms) * 1'000'000u;
        const py::gil_scoped_release unlocked;
        for (;;) {
            // ORDER seq_cst: pairs with admit(), which follows all that the master did for this worker.
            const int admitted = process.admitted.load(std::memory_order_seq_cst);
            if (admitted != 0 || os::now_ns() > deadline) return admitted == pid;
            os::pause_ns(50'000);
        }
    }

    // (has arrived, outcome) of a rank in the step that was released last.
    py::tuple arrival(std::uint32_t rank) {
        const sync::CellWord word = sync::unpack(m_state.cell(rank).word.load(std::memory_order_seq_cst));
        return py::make_tuple(word.state == sync::CellState::ARRIVED, word.outcome);
    }

    void set_stateful(std::uint32_t rank) { m_state.rank(rank).is_stateful.store(1, std::memory_order_relaxed); }
    bool is_stateful(std::uint32_t rank) {
        return m_state.rank(rank).is_stateful.load(std::memory_order_relaxed) != 0;
    }

    // Notes that the visit of the rank that runs in this process can't be repeated from its beginning.
    void spend(sync::Spent why) {
        if (m_process == sync::MASTER_PROCESS) return;
        const int rank = m_state.process(m_process).busy_rank.load(std::memory_order_relaxed);
        if (rank < 0) return;
        sync::RankShm& entry = m_state.rank(static_cast<std::uint32_t>(rank));
        const auto bits = m_state.cell(static_cast<std::uint32_t>(rank)).word.load(std::memory_order_seq_cst);
        entry.spent_why.store(why, std::memory_order_relaxed);
        entry.spent_visit.store(sync::unpack(bits).visit, std::memory_order_relaxed);
    }
    sync::Spent spent(std::uint32_t rank, std::uint32_t visit) {
        const sync::RankShm& entry = m_state.rank(rank);
        if (entry.spent_visit.load(std::memory_order_relaxed) != visit) return sync::Spent::NOT;
        return entry.spent_why.load(std::memory_order_relaxed);
    }

    void set_verdict(std::uint32_t rank, std::uint32_t visit, std::uint16_t stage, sync::Verdict verdict) {
        sync::RankShm& entry = m_state.rank(rank);
        entry.verdict_visit = visit;
        entry.verdict_stage = stage;
        entry.verdict = verdict;
    }
    py::tuple verdict(std::uint32_t rank, std::uint32_t visit) {
        const sync::RankShm& entry = m_state.rank(rank);
        if (entry.verdict_visit != visit) return py::make_tuple(sync::Verdict::REPLAY, 0);
        return py::make_tuple(entry.verdict, entry.verdict_stage);
    }

    // Notes that a stage of an earlier step runs again: for messages, and for the step's deadline.
    void note_replay(std::uint16_t stage) {
        sync::ProcessShm& self = m_state.process(m_process);
        self.busy_stage.store(stage, std::memory_order_relaxed);
        self.since_ns.store(os::now_ns(), std::memory_order_relaxed);
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

    std::vector<int> worker_pids() {
        std::vector<int> pids;
        for (std::uint16_t worker = 1; worker <= m_shape.workers; ++worker)
            pids.push_back(m_state.process(worker).pid.load(std::memory_order_seq_cst));
        return pids;
    }

    void set_down_manifest(std::uint16_t stage, std::uint64_t ref, std::uint64_t bytes) {
        m_state.down(stage) = {ref, bytes};
    }
    py::tuple down_manifest(std::uint16_t stage) {
        return py::make_tuple(m_state.down(stage).ref, m_state.down(stage).bytes);
    }
    void set_up_manifest(std::uint32_t rank, std::uint64_t ref, std::uint64_t bytes) {
        m_state.cell(rank).manifest_ref = ref;
        m_state.cell(rank).manifest_bytes = bytes;
    }
    py::tuple up_manifest(std::uint32_t rank) {
        return py::make_tuple(m_state.cell(rank).manifest_ref, m_state.cell(rank).manifest_bytes);
    }
    // (rank, manifest) of the ranks that have published upwards.
    py::list up_manifests() {
        py::list out;
        for (std::uint32_t rank = 0; rank < m_shape.ranks; ++rank)
            if (m_state.cell(rank).manifest_bytes != 0) out.append(py::make_tuple(rank, up_manifest(rank)));
        return out;
    }
    void set_across_manifest(std::uint32_t rank, std::uint16_t stage, std::uint64_t ref, std::uint64_t bytes) {
        m_state.across(rank, exchange_before(stage)) = {ref, bytes};
    }
    py::tuple across_manifest(std::uint32_t rank, std::uint16_t stage) {
        const sync::ManifestPlaceShm& place = m_state.across(rank, exchange_before(stage));
        return py::make_tuple(place.ref, place.bytes);
    }
    std::uint8_t outcome(std::uint32_t rank) {
        return sync::unpack(m_state.cell(rank).word.load(std::memory_order_seq_cst)).outcome;
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
    std::uint8_t m_incarnation = 0;
    std::unique_ptr<sync::Watcher> m_watcher;
    std::optional<loop::MasterLoop> m_loop;
    int m_stop_level = 0;
    std::vector<sync::SpanRing> m_rings;
    std::uint64_t m_lost_spans = 0;
};

void bind_schedule(py::module_& module) {
    py::class_<loop::Schedule>(module, "Schedule", "The compiled steps of one visit.")
        .def(py::init([](std::vector<std::string> stages, bool has_slices, std::uint64_t max_visits,
                         std::map<std::uint16_t, std::string> exchanges,
                         const std::vector<std::pair<std::uint32_t, std::uint32_t>>& skips,
                         std::map<std::uint16_t, std::string> topics) {
                 std::vector<loop::VisitRange> ranges;
                 for (const auto& [first, last] : skips) ranges.push_back({first, last});
                 return loop::Schedule::compile(
                     {std::move(stages), has_slices, max_visits, std::move(exchanges), std::move(ranges),
                      std::move(topics)});
             }),
             py::arg("stage_names"), py::arg("has_slices"), py::arg("max_visits"),
             py::arg("exchanges") = std::map<std::uint16_t, std::string>{},
             py::arg("skips") = std::vector<std::pair<std::uint32_t, std::uint32_t>>{},
             py::arg("topics") = std::map<std::uint16_t, std::string>{})
        .def("explain", &loop::Schedule::explain, "One line per step, with the reason for each synchronisation.")
        .def_property_readonly("close_step", &loop::Schedule::close_step);

    py::enum_<loop::LoopEnd>(module, "LoopEnd", "Why the master's loop returned.")
        .value("VISITS_DONE", loop::LoopEnd::VISITS_DONE)
        .value("NO_MORE", loop::LoopEnd::NO_MORE)
        .value("STOPPED", loop::LoopEnd::STOPPED)
        .value("AT_ONCE", loop::LoopEnd::AT_ONCE)
        .value("EVENT_TIMEOUT", loop::LoopEnd::EVENT_TIMEOUT)
        .value("DRAINED", loop::LoopEnd::DRAINED)
        .value("PROCESS_DIED", loop::LoopEnd::PROCESS_DIED)
        .value("SLICE_FATAL", loop::LoopEnd::SLICE_FATAL);
    py::enum_<loop::EventLook>(module, "EventLook", "What a look for the event of a stage found.")
        .value("NOT_YET", loop::EventLook::NOT_YET)
        .value("TAKEN", loop::EventLook::TAKEN)
        .value("TIMED_OUT", loop::EventLook::TIMED_OUT)
        .value("DRAINED", loop::EventLook::DRAINED);

    module.attr("OUTCOME_OK") = static_cast<int>(sync::OUTCOME_OK);
    module.attr("OUTCOME_RAISED") = static_cast<int>(sync::OUTCOME_RAISED);
    module.attr("OUTCOME_SKIPPED") = static_cast<int>(sync::OUTCOME_SKIPPED);
    module.attr("OUTCOME_NO_MORE") = static_cast<int>(sync::OUTCOME_NO_MORE);
    module.attr("OUTCOME_FATAL") = static_cast<int>(sync::OUTCOME_FATAL);
}

void bind_run(py::module_& module) {
    py::enum_<sync::Spent>(module, "Spent", "Why the visit of a rank can't be repeated from its beginning.")
        .value("NOT", sync::Spent::NOT)
        .value("TAKEN", sync::Spent::TAKEN)
        .value("CANVAS", sync::Spent::CANVAS);
    py::enum_<sync::Verdict>(module, "Verdict", "What a fresh worker does for a rank whose worker died.")
        .value("REPLAY", sync::Verdict::REPLAY)
        .value("FAIL", sync::Verdict::FAIL)
        .value("SKIP", sync::Verdict::SKIP);

    py::class_<Run, std::shared_ptr<Run>>(module, "Run", "Shared memory and rendezvous of one run.")
        .def(py::init<std::uint64_t, std::uint32_t, std::uint16_t, std::uint16_t, std::vector<std::uint16_t>>(),
             py::arg("arena_bytes"), py::arg("ranks"), py::arg("workers"), py::arg("stages"),
             py::arg("exchanges") = std::vector<std::uint16_t>{})
        .def_property_readonly("arena", &Run::arena)
        .def("attach_master", &Run::attach_master)
        .def("attach_worker", &Run::attach_worker, py::arg("worker"), py::arg("pid"),
             py::arg("incarnation") = 0)
        .def("set_spin", &Run::set_spin, py::arg("least_ns"), py::arg("most_ns"))
        .def("arrive_ready", &Run::arrive_ready, py::arg("rank"), py::arg("outcome"))
        .def("run_worker", &Run::run_worker, py::arg("hooks"))
        .def("leave", &Run::leave)
        .def("births", &Run::births)
        .def("run_master", &Run::run_master, py::arg("schedule"), py::arg("hooks"),
             py::arg("limits_ns") = std::vector<std::uint64_t>{}, py::keep_alive<1, 2>())
        .def("request_stop", &Run::request_stop, py::arg("level"))
        .def("notify_event", &Run::notify_event)
        .def("stop_workers", &Run::stop_workers)
        .def("start_watcher", [](Run& run) { run.watcher().start(); })
        .def("stop_watcher",
             [](Run& run) {
                 const py::gil_scoped_release unlocked;
                 run.watcher().stop();
             })
        .def("watch",
             [](Run& run, int worker, int pid) {
                 run.watcher().watch(worker < 0 ? sync::NURSERY_PROCESS : static_cast<std::uint16_t>(1 + worker), pid);
             },
             py::arg("worker"), py::arg("pid"))
        .def("wakeup_fd", [](Run& run) { return run.watcher().wakeup_fd(); })
        .def("set_hard_stop", [](Run& run, std::uint64_t grace_ns, std::string words) {
                 run.watcher().set_hard_stop(grace_ns, std::move(words));
             }, py::arg("grace_ns"), py::arg("last_words"))
        .def("disarm_hard_stop", [](Run& run) { run.watcher().disarm_hard_stop(); })
        .def("kill_all", [](Run& run) { run.watcher().kill_all(); })
        .def("alive_count", [](Run& run) { return run.watcher().alive_count(); })
        .def("wait_for_ends", &Run::wait_for_ends, py::arg("seconds"))
        .def("take_death", &Run::take_death)
        .def("revoke", &Run::revoke, py::arg("worker"))
        .def("admit", &Run::admit, py::arg("worker"), py::arg("pid"))
        .def("await_admission", &Run::await_admission, py::arg("worker"), py::arg("pid"), py::arg("timeout_ms"))
        .def("kill_worker", [](Run& run, std::uint16_t worker) {
                 return run.watcher().kill_one(run.worker_pids().at(worker));
             }, py::arg("worker"))
        .def("kill_helper", [](Run& run, int pid) { return run.watcher().kill_one(pid); }, py::arg("pid"))
        .def("arrival", &Run::arrival, py::arg("rank"))
        .def("set_stateful", &Run::set_stateful, py::arg("rank"))
        .def("is_stateful", &Run::is_stateful, py::arg("rank"))
        .def("spend", &Run::spend, py::arg("why"))
        .def("spent", &Run::spent, py::arg("rank"), py::arg("visit"))
        .def("set_verdict", &Run::set_verdict, py::arg("rank"), py::arg("visit"), py::arg("stage"),
             py::arg("verdict"))
        .def("verdict", &Run::verdict, py::arg("rank"), py::arg("visit"))
        .def("note_replay", &Run::note_replay, py::arg("stage"))
        .def("busy", &Run::busy, py::arg("worker"))
        .def("worker_pids", &Run::worker_pids)
        .def("quarantine", &Run::quarantine,
             "Keeps what killed processes that have not ended hold: (worker, pid, blocks, bytes) of each.")
        .def("set_down_manifest", &Run::set_down_manifest, py::arg("stage"), py::arg("ref"), py::arg("bytes"))
        .def("down_manifest", &Run::down_manifest, py::arg("stage"))
        .def("set_up_manifest", &Run::set_up_manifest, py::arg("rank"), py::arg("ref"), py::arg("bytes"))
        .def("up_manifests", &Run::up_manifests)
        .def("up_manifest", &Run::up_manifest, py::arg("rank"))
        .def("set_across_manifest", &Run::set_across_manifest, py::arg("rank"), py::arg("stage"), py::arg("ref"),
             py::arg("bytes"))
        .def("across_manifest", &Run::across_manifest, py::arg("rank"), py::arg("stage"))
        .def("outcome", &Run::outcome, py::arg("rank"))
        .def("write_report", [](Run& run, std::uint32_t rank, const std::string& text) {
            run.state().write_report(rank, text);
        })
        .def("read_report", [](Run& run, std::uint32_t rank) { return py::bytes(run.state().read_report(rank)); })
        .def("count_copied", [](Run& run, std::uint64_t bytes) { run.traffic().copied += bytes; })
        .def("count_shared", [](Run& run, std::uint64_t bytes) { run.traffic().shared += bytes; })
        .def("set_clipboard_bytes", [](Run& run, std::uint64_t bytes) { run.traffic().clipboard = bytes; })
        .def("drain_spans", &Run::drain_spans)
        .def("lost_spans", &Run::lost_spans)
        .def("log_ring", &Run::log_ring, py::arg("process"), py::keep_alive<0, 1>())
        .def("first_at", [](Run& run, std::uint64_t place) { return sync::first_at(run.state().log_places(), place); },
             py::arg("place"));
}

void bind_processes(py::module_& module) {
    module.attr("STOP_AT_ONCE") = py::bytes(std::string(1, static_cast<char>(sync::STOP_AT_ONCE)));
    module.def("next_stop_level", &sync::next_stop_level, py::arg("level"), py::arg("signal"));
    module.def("set_child_subreaper", &os::set_child_subreaper, py::arg("on"));
    module.def("die_with_parent", &os::die_with_parent, py::arg("parent"), py::arg("timeout_ms"),
               py::call_guard<py::gil_scoped_release>());
    module.def("die_with_pipe", &os::die_with_pipe, py::arg("read_fd"));
    module.def("kill_group", [](int leader) { os::kill_group(leader); }, py::arg("leader"));
}

}  // namespace

void bind_runtime(py::module_& module) {
    bind_schedule(module);
    bind_run(module);
    bind_processes(module);
}

}  // namespace pex::bindings
