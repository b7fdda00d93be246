// SPDX-License-Identifier: BSD-3-Clause
// What the C++ loops call, answered by methods of Python objects.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>

#include "births.hpp"
#include "loop/master_loop.hpp"
#include "loop/worker_loop.hpp"
#include "python_call.hpp"

namespace pex::bindings {

namespace py = pybind11;

inline void run_signal_handlers(InterpreterLease& interpreter) {
    interpreter.take();
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// Calls the methods of a Python object. Looks them up once: an attribute look-up costs as much as the call.
class PythonMaster final : public loop::MasterHooks {
public:
    // `slot` is told of every turn; Python only where there is more than one visit to turn to.
    PythonMaster(const py::object& target, std::uint16_t& slot, bool has_several)
        : m_slot(slot), m_has_several(has_several), m_admits(target.attr("admits")), m_turn_to(target.attr("turn_to")),
          m_slices_ready(target.attr("slices_ready")), m_begin_visit(target.attr("begin_visit")),
          m_take_event(target.attr("take_event")), m_drop_visit(target.attr("drop_visit")),
          m_preprocess(target.attr("preprocess")), m_publish(target.attr("publish")), m_gather(target.attr("gather")),
          m_postprocess(target.attr("postprocess")), m_end_visit(target.attr("end_visit")),
          m_workers_died(target.attr("workers_died")), m_late(target.attr("late")) {}

    void slices_ready() override { call(m_slices_ready); }
    bool admits() override {
        m_interpreter.take();
        return call_with(m_admits).cast<bool>();
    }
    void turn_to(std::uint16_t slot, std::uint32_t visit) override {
        m_slot = slot;
        if (m_has_several) call(m_turn_to, visit);
    }
    void begin_visit(std::uint32_t visit) override { call(m_begin_visit, visit); }
    loop::EventLook take_event(std::uint16_t stage) override {
        m_interpreter.take();
        return call_with(m_take_event, stage).cast<loop::EventLook>();
    }
    void drop_visit(std::uint32_t visit) override { call(m_drop_visit, visit); }
    std::uint8_t preprocess(std::uint16_t stage) override { return call_for_outcome(m_preprocess, stage); }
    // A failed publication runs the failure stage.
    void publish(std::uint16_t stage) override {
        const births::Scope stage_code;
        call(m_publish, stage);
    }
    void gather(std::uint16_t stage, const loop::Arrivals& arrivals, const std::vector<loop::LegEnd>& earlier) override {
        // A signal that came before the slices arrived is answered behind them, also where the watcher is not that fast.
        run_signal_handlers(m_interpreter);
        if (earlier.empty()) {
            call(m_gather, stage, arrivals.raised);
            return;
        }
        py::list told;
        for (const loop::LegEnd& end : earlier)
            told.append(py::make_tuple(end.rank, end.stage, end.outcome, py::make_tuple(end.manifest.ref, end.manifest.bytes)));
        m_gather(stage, arrivals.raised, told);
    }
    std::uint8_t postprocess(std::uint16_t stage) override { return call_for_outcome(m_postprocess, stage); }
    void end_visit(std::uint32_t visit) override { call(m_end_visit, visit); }
    void waits() override { m_interpreter.let_go(); }
    void check_signals() override { run_signal_handlers(m_interpreter); }
    bool workers_died(const std::vector<loop::InSlices>& slices) override {
        m_interpreter.take();
        py::list told;
        for (const loop::InSlices& one : slices)
            told.append(py::make_tuple(one.slot, one.visit, one.step, py::tuple(py::cast(one.asked)),
                                       py::tuple(py::cast(one.failed))));
        return m_workers_died(told).cast<bool>();
    }
    void late(std::uint16_t worker, std::uint32_t visit, std::uint16_t step) override {
        call(m_late, worker, visit, step);
    }

private:
    template <class... Numbers>
    void call(const py::object& method, Numbers... numbers) {
        m_interpreter.take();
        call_with(method, numbers...);
    }
    std::uint8_t call_for_outcome(const py::object& method, std::uint16_t stage) {
        const births::Scope stage_code;
        m_interpreter.take();
        return outcome_of(method, stage);
    }

    std::uint16_t& m_slot;
    bool m_has_several;
    py::object m_admits, m_turn_to, m_slices_ready, m_begin_visit, m_take_event, m_drop_visit, m_preprocess, m_publish, m_gather;
    py::object m_postprocess, m_end_visit, m_workers_died, m_late;
    InterpreterLease m_interpreter;  // the last: it ends first, and the methods are dropped under the lock
};

class PythonWorker final : public loop::WorkerHooks {
public:
    PythonWorker(const py::object& target, std::uint16_t& slot)
        : m_slot(slot), m_run_step(target.attr("run_step")), m_told(target.attr("told")) {}

    std::uint8_t run_step(const loop::Task& task, std::uint16_t step, bool more) override {
        const births::Scope stage_code;
        m_interpreter.take();
        m_slot = task.slot;
        return outcome_of(m_run_step, task.rank, task.visit, step, more);
    }
    void told() override {
        m_interpreter.take();
        call_with(m_told);
    }
    void waits() override { m_interpreter.let_go(); }
    void check_signals() override { run_signal_handlers(m_interpreter); }

private:
    std::uint16_t& m_slot;
    py::object m_run_step, m_told;
    InterpreterLease m_interpreter;  // the last: see PythonMaster
};

}  // namespace pex::bindings
