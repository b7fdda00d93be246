// SPDX-License-Identifier: BSD-3-Clause
// The master's side of the stage loop: walks the schedule, releases slices, waits, counts, notices deaths.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "loop/schedule.hpp"
#include "loop/stage_clock.hpp"
#include "loop/traffic.hpp"
#include "sync/run_state.hpp"
#include "sync/spin_budget.hpp"
#include "sync/watcher.hpp"

namespace pex::loop {

// How the slices ended a step.
struct Arrivals {
    std::uint32_t raised = 0;
    std::uint32_t skipped = 0;
    bool no_more = false;
};

// What a look for the event of a stage found.
enum class EventLook : std::uint8_t {
    NOT_YET,    // nothing has arrived: look again when the bell rings
    TAKEN,      // the event is on the clipboard
    TIMED_OUT,  // the wait has lasted as long as the policy allows
    DRAINED,    // nothing will arrive any more
};

// What the loop calls. Implemented by the bindings; every method may throw, which ends the loop.
class MasterHooks {
public:
    virtual ~MasterHooks() = default;
    virtual void slices_ready() = 0;
    virtual void begin_visit(std::uint32_t visit) = 0;
    virtual EventLook take_event(std::uint16_t stage) = 0;
    // Returns the outcome bits of sync::Outcome.
    virtual std::uint8_t preprocess(std::uint16_t stage) = 0;
    virtual void publish(std::uint16_t stage) = 0;
    virtual void gather(std::uint16_t stage, const Arrivals& arrivals) = 0;
    virtual std::uint8_t postprocess(std::uint16_t stage) = 0;
    virtual void end_visit(std::uint32_t visit) = 0;
    // The run ends before any stage of the visit has begun.
    virtual void drop_visit(std::uint32_t visit) = 0;
    // The loop is about to wait, perhaps for long: let go of what others need. May be called again and again.
    virtual void waits() {}
    // A signal has arrived: run the interpreter's handlers.
    virtual void check_signals() = 0;
    // One or more workers have died and were reaped, in a step of a visit: replaces them, so that their cells are
    // taken by somebody. Returns whether the run goes on.
    virtual bool workers_died(std::uint32_t visit, std::uint16_t step) = 0;
    // A worker (from 0) has run for longer than the step's limit; called at every look until it has died.
    virtual void late(std::uint16_t worker, std::uint32_t visit, std::uint16_t step) = 0;
};

enum class LoopEnd : std::uint8_t {
    VISITS_DONE,     // as many visits as asked for
    NO_MORE,         // a slice said noMoreDatasets
    STOPPED,         // request_stop() was called with a level of 2 to 4
    AT_ONCE,         // request_stop(1) was called: whatever runs is to be killed
    EVENT_TIMEOUT,   // the event of a stage did not arrive in time
    DRAINED,         // no more events will arrive
    PROCESS_DIED,    // a worker died, and the run does not go on without it
    SLICE_FATAL,     // setup or a failure stage raised in a slice: see the reports
};

struct LoopResult {
    LoopEnd end = LoopEnd::VISITS_DONE;
    std::uint32_t visit = 0;   // the visit in progress, or the last one
    std::uint16_t stage = 0;   // the stage in progress; 0 outside stages
};

// Thread/process safety: run() in the master's main thread; request_stop() from anywhere.
class MasterLoop {
public:
    MasterLoop(const Schedule& schedule, sync::RunState& state, sync::Watcher& watcher, Traffic& traffic,
               const sync::SpinBudget& spin)
        : m_schedule(schedule), m_state(state), m_watcher(watcher), m_traffic(traffic), m_spin(spin),
          m_spans(state.ring(sync::MASTER_PROCESS)) {}

    // How long a rank may take for a step, by step: stages from 1, then the close of a visit; 0 or lacking: for ever.
    void set_limits(std::vector<std::uint64_t> limits_ns) { m_limits_ns = std::move(limits_ns); }

    // Runs visits until an end. Blocks. Errors: what the hooks throw.
    LoopResult run(MasterHooks& hooks);

    // Asks run() to return: 4 after this visit, 3 after this stage, 2 at the next synchronisation point, 1 at once.
    // Before the first visit any level returns as soon as the slices are ready.
    void request_stop(int level);

    // Says that an event may have arrived. From any thread.
    void notify_event() {
        m_event_bell.store(true, std::memory_order_seq_cst);
        sync::ring(m_state.door(sync::MASTER_PROCESS));
    }

private:
    bool run_visit(MasterHooks& hooks, std::uint32_t visit, LoopResult& result);
    // Waits for the event of a stage. Returns false, with `result.end` set, when the run ends instead.
    bool wait_event(MasterHooks& hooks, std::uint16_t stage, LoopResult& result);
    void serial(MasterHooks& hooks, const Step& step, std::uint32_t visit);
    void publish(MasterHooks& hooks, const Step& step, std::uint32_t visit);
    template <class Call>
    void timed(sync::SpanKind kind, std::uint16_t stage, std::uint32_t visit, Call&& call);
    void release_all(std::uint32_t visit, std::uint16_t step);
    // Waits until every rank has arrived and is counted in `arrivals`. Returns false, with `result.end` set, when
    // a slice or a worker ends the run.
    bool wait_all(MasterHooks& hooks, std::uint32_t visit, std::uint16_t step, Arrivals& arrivals, LoopResult& result);
    // Whether a stop of this level, or of a more urgent one, was asked for.
    bool asked_for(int level) const;
    bool is_fatal() const;
    bool somebody_died() const;
    std::uint64_t limit_ns(std::uint16_t step) const { return step < m_limits_ns.size() ? m_limits_ns[step] : 0; }
    // The least limit of the stages that a step runs through; 0: none has one.
    std::uint64_t shortest_limit_ns(std::uint16_t step) const;
    // The limit of what a worker does in a step.
    std::uint64_t limit_now_ns(const sync::ProcessShm& process, std::uint16_t step) const;
    void tell_late(MasterHooks& hooks, const StageClock& clock, std::uint32_t visit, std::uint16_t step);
    // Whether a worker has a rank that has not ended the step.
    bool owes(std::uint16_t process, std::uint32_t visit, std::uint16_t step);

    const Schedule& m_schedule;
    sync::RunState& m_state;
    sync::Watcher& m_watcher;
    Traffic& m_traffic;
    sync::SpinBudget m_spin;
    sync::SpanRing m_spans;
    std::vector<std::uint64_t> m_limits_ns;
    std::uint32_t m_deaths_handled = 0;
    // ORDER seq_cst: set by a signal handler's thread or a stage, read between steps.
    std::atomic<int> m_stop_level{0};
    // ORDER seq_cst: set before the bell is rung, cleared before a look at the events.
    std::atomic<bool> m_event_bell{false};
};

}  // namespace pex::loop
