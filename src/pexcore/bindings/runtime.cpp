// SPDX-License-Identifier: BSD-3-Clause
// Python face of a run, its schedule and its processes.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "os/process.hpp"
#include "os/signals.hpp"
#include "run.hpp"

namespace py = pybind11;

namespace pex::bindings {

namespace {

void bind_schedule(py::module_& module) {
    py::class_<loop::Schedule>(module, "Schedule", "The compiled steps of one visit.")
        .def(py::init([](std::vector<std::string> stages, bool has_slices, std::uint64_t max_visits,
                         std::map<std::uint16_t, std::string> exchanges,
                         const std::vector<std::pair<std::uint32_t, std::uint32_t>>& skips,
                         std::map<std::uint16_t, std::string> topics, std::string kind,
                         std::set<std::uint16_t> joined, std::map<std::uint16_t, std::string> meetings,
                         std::uint16_t visits_in_flight, std::set<std::uint16_t> holding,
                         std::set<std::uint16_t> ready, std::vector<std::vector<std::uint32_t>> neighbours) {
                 std::vector<loop::VisitRange> ranges;
                 for (const auto& [first, last] : skips) ranges.push_back({first, last});
                 return loop::Schedule::compile(
                     {std::move(stages), has_slices, max_visits, std::move(exchanges), std::move(ranges),
                      std::move(topics), std::move(kind), std::move(joined), std::move(meetings), visits_in_flight,
                      std::move(holding), std::move(ready), std::move(neighbours)});
             }),
             py::arg("stage_names"), py::arg("has_slices"), py::arg("max_visits"),
             py::arg("exchanges") = std::map<std::uint16_t, std::string>{},
             py::arg("skips") = std::vector<std::pair<std::uint32_t, std::uint32_t>>{},
             py::arg("topics") = std::map<std::uint16_t, std::string>{}, py::arg("kind") = "lockstep",
             py::arg("joined") = std::set<std::uint16_t>{},
             py::arg("meetings") = std::map<std::uint16_t, std::string>{}, py::arg("visits_in_flight") = 1,
             py::arg("holding") = std::set<std::uint16_t>{}, py::arg("ready") = std::set<std::uint16_t>{},
             py::arg("neighbours") = std::vector<std::vector<std::uint32_t>>{})
        .def("explain", &loop::Schedule::explain, py::arg("without_preprocess") = std::set<std::uint16_t>{},
             py::arg("without_postprocess") = std::set<std::uint16_t>{},
             "One line per step, with the reason for each synchronisation; serial methods that a stage lacks are left out.")
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

    py::enum_<sync::SerialHalf>(module, "SerialHalf", "The halves of a stage that the master runs.")
        .value("PREPROCESS", sync::SerialHalf::PREPROCESS)
        .value("POSTPROCESS", sync::SerialHalf::POSTPROCESS)
        .value("SETUP", sync::SerialHalf::SETUP)
        .value("SHUTDOWN", sync::SerialHalf::SHUTDOWN);

    py::class_<Run, std::shared_ptr<Run>>(module, "Run", "Shared memory and rendezvous of one run.")
        .def(py::init<std::uint64_t, std::uint32_t, std::uint16_t, std::uint16_t, std::vector<std::uint16_t>,
                      std::uint16_t, std::uint64_t>(),
             py::arg("arena_bytes"), py::arg("ranks"), py::arg("workers"), py::arg("stages"),
             py::arg("exchanges") = std::vector<std::uint16_t>{}, py::arg("slots") = 1, py::kw_only(),
             py::arg("lend_bytes") = 0)
        .def_static("adopt", &Run::adopt, py::arg("control_fd"), py::arg("pixels_fd"), py::arg("ranks"),
                    py::arg("workers"), py::arg("stages"), py::arg("exchanges") = std::vector<std::uint16_t>{},
                    py::arg("slots") = 1,
                    "The run that another process has made, by its segments' descriptors, which are owned from now on.")
        .def_property_readonly("arena", &Run::arena)
        .def("segment_fds", &Run::segment_fds, "(control, pixels): what another process needs to adopt the run.")
        .def_property_readonly("slot", &Run::slot, "The slot of the visit that this process looks at.")
        .def_property_readonly("slots", &Run::slots, "How many visits may be in flight.")
        .def("turn_to", &Run::turn_to, py::arg("slot"))
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
        .def("set_hard_stop", [](Run& run, std::uint64_t grace_ns, std::string words, int at_once_status) {
                 run.watcher().set_hard_stop(grace_ns, std::move(words), at_once_status);
             }, py::arg("grace_ns"), py::arg("last_words"), py::arg("at_once_status"))
        .def("arm_hard_stop", [](Run& run) { run.watcher().arm_hard_stop(); })
        .def("set_serial_limits", &Run::set_serial_limits, py::arg("limits_ns"), py::arg("names"), py::arg("exit_code"),
             py::arg("stacks_signal"), py::arg("stacks_fd"), py::arg("log_fd"))
        .def("begin_call",
             [](Run& run, std::uint32_t visit, std::uint16_t stage, sync::SerialHalf half) {
                 run.watcher().begin_call({visit, stage, half});
             },
             py::arg("visit"), py::arg("stage"), py::arg("half"))
        .def("end_call", [](Run& run) { run.watcher().end_call(); })
        .def("late_call", &Run::late_call, "(visit, stage, half) of the master's call that has taken too long, or None.")
        .def("set_interrupts", [](Run& run, bool may) { run.watcher().set_interrupts(may); }, py::arg("may"))
        .def("note_setup", &Run::note_setup, py::arg("stage"))
        .def("alive", &Run::alive)
        .def("disarm_hard_stop", [](Run& run) { run.watcher().disarm_hard_stop(); })
        .def("kill_all", [](Run& run) { run.watcher().kill_all(); })
        .def("alive_count", [](Run& run) { return run.watcher().alive_count(); })
        .def("wait_for_ends", &Run::wait_for_ends, py::arg("seconds"))
        .def("take_death", &Run::take_death)
        .def("revoke", &Run::revoke, py::arg("worker"))
        .def("ranks_of", &Run::ranks_of, py::arg("worker"))
        .def("balance", &Run::balance)
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
        .def("down_table", &Run::down_table, py::arg("slot"), py::keep_alive<0, 1>())
        .def("up_lengths", &Run::up_lengths, py::arg("slot"), py::keep_alive<0, 1>())
        .def("down_manifest", &Run::down_manifest, py::arg("stage"))
        .def("set_up_manifest", &Run::set_up_manifest, py::arg("rank"), py::arg("ref"), py::arg("bytes"))
        .def("up_manifests", &Run::up_manifests)
        .def("up_manifest", &Run::up_manifest, py::arg("rank"))
        .def("set_across_manifest", &Run::set_across_manifest, py::arg("rank"), py::arg("stage"), py::arg("ref"),
             py::arg("bytes"))
        .def("across_manifest", &Run::across_manifest, py::arg("rank"), py::arg("stage"))
        .def("outcome", &Run::outcome, py::arg("rank"))
        .def("set_raised_stage", &Run::set_raised_stage, py::arg("rank"), py::arg("stage"))
        .def("raised_stage", &Run::raised_stage, py::arg("rank"))
        .def("last_of", [](Run& run, std::uint16_t stage) { return run.state().last_of(stage); }, py::arg("stage"))
        .def("meets_after", [](Run& run, std::uint16_t stage) { return run.state().meets_after(stage); }, py::arg("stage"))
        .def("goes_on", [](Run& run, std::uint16_t stage) { return run.state().goes_on(stage); }, py::arg("stage"))
        .def("write_report", [](Run& run, std::uint32_t rank, const std::string& text) {
            run.state().write_report(rank, text, run.slot());
        })
        .def("read_report", [](Run& run, std::uint32_t rank) { return py::bytes(run.state().read_report(rank, run.slot())); })
        .def("fatal_reports", &Run::fatal_reports)
        .def("count_copied", [](Run& run, std::uint64_t bytes) { run.traffic().copied += bytes; })
        .def("count_shared", [](Run& run, std::uint64_t bytes) { run.traffic().shared += bytes; })
        .def("clipboard_bytes", [](Run& run) {
                 // A number that can be written without a call.
                 return py::memoryview::from_buffer(&run.traffic().clipboard, {py::ssize_t{1}},
                                                    {static_cast<py::ssize_t>(sizeof(std::uint64_t))});
             }, py::keep_alive<0, 1>())
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
    module.def("hold_ending_signals", &os::hold_ending_signals);
    module.def("release_ending_signals", &os::release_ending_signals);
    module.def("children", &os::children, "The children of this process, zombies included.");
    module.def("kill_group", [](int leader) { os::kill_group(leader); }, py::arg("leader"));
}

}  // namespace

void bind_runtime(py::module_& module) {
    bind_schedule(module);
    bind_run(module);
    bind_processes(module);
}

}  // namespace pex::bindings
