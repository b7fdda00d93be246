// SPDX-License-Identifier: BSD-3-Clause
// The master's side of the stage loop: walks the schedule, releases slices, waits, counts, notices deaths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "loop/feeding.hpp"
#include "loop/flight.hpp"
#include "loop/lateness.hpp"
#include "loop/legs.hpp"
#include "loop/schedule.hpp"
#include "loop/stage_clock.hpp"
#include "loop/traffic.hpp"
#include "os/clock.hpp"
#include "sync/run_state.hpp"
#include "sync/spin_budget.hpp"
#include "sync/watcher.hpp"

namespace pex::loop {

// What a look for the event of a stage found.
enum class EventLook : std::uint8_t {
    NOT_YET,    // nothing has arrived: look again when the bell rings
    TAKEN,      // the event is on the clipboard
    TIMED_OUT,  // the wait has lasted as long as the policy allows
    DRAINED,    // nothing will arrive any more
};

// A visit that slices have begun, and what they were asked for last: a stage, or the close of the visit.
struct InSlices {
    std::uint16_t slot;
    std::uint32_t visit;
    std::uint16_t step;
    std::vector<std::uint16_t> asked;   // by rank, where ranks go on by themselves from `step` on; else empty
    std::vector<std::uint32_t> failed;  // ranks that had failed in it when they went on
};

// What the loop calls. Implemented by the bindings; every method may throw, which ends the loop.
class MasterHooks {
public:
    virtual ~MasterHooks() = default;
    virtual void slices_ready() = 0;
    // Whether one more visit may be in flight now; asked again when one has ended.
    virtual bool admits() = 0;
    // What is called from here on belongs to the visit of this slot.
    virtual void turn_to(std::uint16_t slot, std::uint32_t visit) = 0;
    virtual void begin_visit(std::uint32_t visit) = 0;
    virtual EventLook take_event(std::uint16_t stage) = 0;
    // Returns the outcome bits of sync::Outcome.
    virtual std::uint8_t preprocess(std::uint16_t stage) = 0;
    virtual void publish(std::uint16_t stage) = 0;
    // `earlier` has the ends of legs behind which ranks went on before this; cells tell of the last ones.
    virtual void gather(std::uint16_t stage, const Arrivals& arrivals, const std::vector<LegEnd>& earlier) = 0;
    virtual std::uint8_t postprocess(std::uint16_t stage) = 0;
    virtual void end_visit(std::uint32_t visit) = 0;
    // The run ends before any stage of the visit has begun.
    virtual void drop_visit(std::uint32_t visit) = 0;
    // The loop is about to wait, perhaps for long: let go of what others need. May be called again and again.
    virtual void waits() {}
    // A signal has arrived: run the interpreter's handlers.
    virtual void check_signals() = 0;
    // One or more workers have died and were reaped: replaces them, so that their cells are taken by somebody. `slices`
    // has every visit that slices have begun. Returns whether the run goes on.
    virtual bool workers_died(const std::vector<InSlices>& slices) = 0;
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
          m_spans(state.ring(sync::MASTER_PROCESS)), m_lateness(state), m_feeding(schedule) {}

    // As Lateness::set_limits().
    void set_limits(std::vector<std::uint64_t> limits_ns) { m_lateness.set_limits(std::move(limits_ns)); }

    // Runs visits until an end. Blocks. Errors: what the hooks throw.
    LoopResult run(MasterHooks& hooks);

    // Asks run() to return: 4 after this visit, 3 after this stage, 2 at the next synchronisation point, 1 at once.
    // Before the first visit any level returns as soon as the slices are ready. Who waits for stages to be set up, of the
    // first workers or of replacements, waits no longer than STOP_PATIENCE_NS after a stop was asked for.
    void request_stop(int level);

    // Says that an event may have arrived. From any thread.
    void notify_event() {
        // ORDER seq_cst: before the ring; pairs with the exchange in run() and the load in wait().
        m_event_bell.store(true, std::memory_order_seq_cst);
        sync::ring(m_state.door(sync::MASTER_PROCESS));
    }

private:
    // What became of an attempt to take a visit on.
    enum class Walk : std::uint8_t {
        WAITS,  // for slices, for an event, or for the visit before
        MOVED,
        ENDED,  // the visit has ended
        OVER,   // the run ends at once; m_result says why
    };

    // Before the first release: what workers have to know of a step that slices are released into.
    void tell_workers(const Step& step);
    // Waits until the stages of all slices are set up. Returns false, with m_result set, when the run ends instead.
    bool wait_ready(MasterHooks& hooks);
    // Takes visits on: the oldest that can first, but for what feeds idle slices.
    Walk walk_oldest(MasterHooks& hooks);
    // One step of the oldest visit, which alone can end: none walks past its predecessor.
    Walk walk_first(MasterHooks& hooks);
    // Before the master takes long with the step that is due, of the visit at this place: gives idle slices work, if there
    // is some that is near (Feeding). Returns what became of that; WAITS: it will soon be there. Empty: the step's turn.
    std::optional<Walk> feed(MasterHooks& hooks, std::size_t due);
    // Whether one more visit may be in flight, as far as is known; or soon, for the oldest is over but for its close.
    bool has_room() const;
    bool makes_room() const;
    std::uint16_t most_in_flight() const;
    // Whether as many visits have begun as were asked for.
    bool is_last_visit() const;
    // One step of the visit at this place, counted from the oldest.
    Walk walk(MasterHooks& hooks, std::size_t place);
    Walk look_for_event(MasterHooks& hooks, Flight& flight, const Step& step);
    Walk end(MasterHooks& hooks, Flight& flight);
    bool begin_visit(MasterHooks& hooks);
    // Blocks until something may have changed. Returns false, with m_result set, when the run ends at once.
    bool wait(MasterHooks& hooks);
    bool handle_deaths(MasterHooks& hooks);
    void answer_signals(MasterHooks& hooks);

    // The visit passes over its other stages, and the run ends when what is older has ended.
    void leave(Flight& flight, LoopEnd end);
    void leave_if_asked(Flight& flight, int level);
    // Both end the run whatever the visits in flight are at.
    bool end_now(LoopEnd end, const Flight* where);
    Walk over(LoopEnd end, const Flight& where);
    // The visit in which a slice has raised a fatal flag.
    const Flight& fatal_one() const;

    // Deadlines of workers that set stages up, and of the patience with them once a stop was asked for. The first says until
    // when to wait before the next look.
    std::uint64_t next_look_at_setups(std::uint64_t now_ns);
    // Returns false, with m_result set, when the run ends instead.
    bool look_at_setups(MasterHooks& hooks, std::uint32_t visit, const Flight* where);
    // Whether a stop was asked for since the last look at setups.
    bool is_newly_stopping() const { return m_stop_seen_ns == 0 && is_stopping(); }

    void serial(MasterHooks& hooks, const Step& step, const Flight& flight);
    void publish(MasterHooks& hooks, const Step& step, const Flight& flight);
    void gather(MasterHooks& hooks, const Step& step, const Flight& flight);
    // Returns the nanoseconds that it took.
    template <class Call>
    std::uint64_t timed(sync::SpanKind kind, std::uint16_t stage, std::uint32_t visit, Call&& call);
    // Ends a span that has a beginning and a kind; `start` is the traffic at its beginning.
    void append(sync::SpanShm& span, std::uint16_t stage, std::uint32_t visit, const Traffic& start);
    void turn_to(MasterHooks& hooks, const Flight& flight);
    // Asks every rank for a step. Returns false when the run ends instead: a replacement could not be set up.
    bool ask(Flight& flight, std::uint16_t step);
    // Asks one rank for a step. Returns the process that has to run it; the master's: the run ends instead.
    std::uint16_t ask_rank(const Flight& flight, std::uint32_t rank, std::uint16_t step, bool to_all);
    // Counts who has ended what was asked, and lets go on who may. Returns whether all have ended all of it.
    bool have_arrived(Flight& flight);
    bool have_legs_ended(Flight& flight);
    void let_go_on(Flight& flight, std::uint32_t rank);
    // Whether the visit before has not yet come to the next leg of a rank.
    bool would_overtake(const Flight& flight, std::uint32_t rank) const;
    void note_ended(Flight& flight);
    // Whether the visit before the one at this place, counted from the oldest, lets it come to its next step.
    bool may_walk(std::size_t place) const;
    // Whether the slices have brought a visit on, however often it is asked.
    bool have_slices_moved();
    bool waits_for_slices() const;
    // Whether a stop of this level, or of a more urgent one, was asked for.
    bool asked_for(int level) const;
    bool is_stopping() const;
    bool is_fatal() const;
    bool somebody_died() const;

    const Schedule& m_schedule;
    sync::RunState& m_state;
    sync::Watcher& m_watcher;
    Traffic& m_traffic;
    sync::SpinBudget m_spin;
    sync::SpanRing m_spans;
    Lateness m_lateness;
    std::deque<Flight> m_flights;    // the oldest first
    Feeding m_feeding;               // with several visits in flight
    std::uint64_t m_feeds_until_ns = os::NO_DEADLINE;  // of the wait that is next: how long slices count as done soon
    LoopResult m_result;
    std::uint32_t m_visit = 1;       // the next to begin
    std::uint32_t m_turned_to = 0;   // the visit that the hooks look at
    std::uint32_t m_ended_by = 0;    // the visit that has left the run; 0: none
    bool m_shares_core = false;      // with a worker that was asked last
    bool m_are_set_up = true;        // false while a worker may be setting its stages up
    StageClock m_setup_clock{0, 0};  // of these
    std::uint64_t m_stop_seen_ns = 0;  // when a stop was first seen meanwhile; 0: none was
    bool m_is_held = false;          // one more visit was not admitted, and none has ended since
    std::uint32_t m_deaths_handled = 0;
    // ORDER seq_cst: set by a signal handler's thread or a stage, read between steps.
    std::atomic<int> m_stop_level{0};
    // ORDER seq_cst: set before the bell is rung, cleared before a look at the events.
    std::atomic<bool> m_event_bell{false};
};

}  // namespace pex::loop
