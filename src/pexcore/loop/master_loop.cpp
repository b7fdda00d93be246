// SPDX-License-Identifier: BSD-3-Clause
// The walk of the visits in flight over the schedule.
#include "loop/master_loop.hpp"

#include <algorithm>

#include "os/clock.hpp"
#include "os/fault_point.hpp"

namespace pex::loop {

namespace {

// While it is there, the watcher knows that stage code holds the master.
class WatchedCall {
public:
    WatchedCall(sync::Watcher& watcher, const sync::SerialCall& call) : m_watcher(watcher) {
        watcher.begin_call(call);
    }
    ~WatchedCall() { m_watcher.end_call(); }
    WatchedCall(const WatchedCall&) = delete;
    WatchedCall& operator=(const WatchedCall&) = delete;

private:
    sync::Watcher& m_watcher;
};

}  // namespace

// --- ends

void MasterLoop::request_stop(int level) {
    // ORDER seq_cst: before the ring; pairs with the loads below.
    m_stop_level.store(level, std::memory_order_seq_cst);
    // A master that waits for its slices looks up.
    sync::ring(m_state.door(sync::MASTER_PROCESS));
}

bool MasterLoop::asked_for(int level) const {
    // ORDER seq_cst: pairs with the store in request_stop().
    const int asked = m_stop_level.load(std::memory_order_seq_cst);
    return asked != 0 && asked <= level;
}

bool MasterLoop::is_stopping() const {
    // ORDER seq_cst: pairs with the store in request_stop(), which precedes its ring.
    return m_stop_level.load(std::memory_order_seq_cst) != 0;
}

bool MasterLoop::end_now(LoopEnd end, const Flight* where) {
    m_result.end = end;
    if (where != nullptr) {
        m_result.visit = where->visit;
        m_result.stage = where->stage;
    }
    return false;
}

MasterLoop::Walk MasterLoop::over(LoopEnd end, const Flight& where) {
    end_now(end, &where);
    return Walk::OVER;
}

void MasterLoop::leave(Flight& flight, LoopEnd end) {
    flight.leaving = true;
    // Of several, the oldest says why: without the others in flight it alone would have begun.
    if (m_ended_by == 0 || flight.visit < m_ended_by) {
        m_ended_by = flight.visit;
        m_result = {end, flight.begun ? flight.visit : flight.visit - 1, flight.stage};
    }
    // A stop lets every visit come to the place that its level names. What follows the end of the data never began.
    if (end == LoopEnd::STOPPED) return;
    for (Flight& other : m_flights)
        if (other.visit > flight.visit) other.abandoned = true;
}

void MasterLoop::leave_if_asked(Flight& flight, int level) {
    if (!flight.leaving && asked_for(level)) leave(flight, LoopEnd::STOPPED);
}

// --- the run

LoopResult MasterLoop::run(MasterHooks& hooks) {
    for (const Step& step : m_schedule.steps())
        if (step.kind == StepKind::RELEASE) tell_workers(step);
    // Whoever arrives may be the one that a neighbour waits for.
    // ORDER seq_cst: before the first release; pairs with the load in WorkerLoop::tell_master().
    if (m_schedule.has_legs()) m_state.head().ring_always.store(1, std::memory_order_seq_cst);
    if (m_state.shape().ranks != 0 && !wait_ready(hooks)) return m_result;
    hooks.slices_ready();
    m_visit = m_schedule.next_visit(1);
    for (;;) {
        answer_signals(hooks);
        // ORDER seq_cst: cleared before the look at the events; pairs with the store in notify_event().
        if (m_event_bell.exchange(false, std::memory_order_seq_cst))
            for (Flight& flight : m_flights) flight.looks = true;
        switch (walk_oldest(hooks)) {
            case Walk::OVER: return m_result;
            case Walk::MOVED: case Walk::ENDED: continue;
            case Walk::WAITS: break;
        }
        if (begin_visit(hooks)) continue;
        if (m_flights.empty()) return m_result;
        if (!wait(hooks)) return m_result;
    }
}

void MasterLoop::tell_workers(const Step& step) {
    const std::vector<Leg>* legs = m_schedule.legs_from(step.stage);
    if (legs == nullptr) {
        m_state.set_last_of(step.stage, step.last);
        return;
    }
    for (const Leg& leg : *legs) {
        m_state.set_last_of(leg.first, leg.last);
        if (leg.last != step.last) m_state.set_goes_on(leg.last);
    }
}

void MasterLoop::answer_signals(MasterHooks& hooks) {
    if (!m_watcher.signalled()) return;
    m_watcher.clear_signalled();
    hooks.check_signals();
}

bool MasterLoop::wait_ready(MasterHooks& hooks) {
    Flight start;
    start.waits = true;
    m_setup_clock = StageClock(m_lateness.shortest_limit_ns(), os::now_ns());
    for (;;) {
        bool all = false;
        auto over = [&] {
            all = have_arrived(start);
            return all || is_fatal() || somebody_died() || m_watcher.signalled() || asked_for(1) || is_newly_stopping();
        };
        sync::wait_for(m_state.door(sync::MASTER_PROCESS), m_spin.patience(true), next_look_at_setups(os::now_ns()), over,
                       [&] { hooks.waits(); });
        answer_signals(hooks);
        if (asked_for(1)) return end_now(LoopEnd::AT_ONCE, nullptr);
        if (start.is_fatal || is_fatal()) return end_now(LoopEnd::SLICE_FATAL, nullptr);
        os::fault_point("master: waiting");
        if (all) {
            os::fault_point("master: arrived");
            m_are_set_up = true;
            return true;
        }
        // There is nothing to go on with: stages that can't be set up end the run.
        if (somebody_died()) return end_now(LoopEnd::PROCESS_DIED, nullptr);
        if (!look_at_setups(hooks, 0, nullptr)) return false;
    }
}

bool MasterLoop::begin_visit(MasterHooks& hooks) {
    if (m_ended_by != 0) return false;
    if (is_last_visit() || asked_for(4)) {
        if (m_flights.empty())
            m_result.end = is_last_visit() ? LoopEnd::VISITS_DONE : asked_for(1) ? LoopEnd::AT_ONCE : LoopEnd::STOPPED;
        return false;
    }
    if (!m_flights.empty()) {
        if (!has_room()) return false;
        // It would wait before its first stage: who begins later knows more.
        if (m_flights.back().next <= m_schedule.steps()[1].after) return false;
        m_is_held = !hooks.admits();
        if (m_is_held) return false;
    }
    Flight flight;
    flight.visit = m_visit;
    // Visits end in their order, so that the slots are free in turn.
    if (!m_flights.empty()) flight.slot = static_cast<std::uint16_t>((m_flights.back().slot + 1u) % most_in_flight());
    m_flights.push_back(flight);
    m_visit = m_schedule.next_visit(m_visit + 1);
    return true;
}

// --- a visit

MasterLoop::Walk MasterLoop::walk_oldest(MasterHooks& hooks) {
    const bool is_alone = m_schedule.visits_in_flight() == 1;
    m_feeds_until_ns = os::NO_DEADLINE;
    for (std::size_t i = 0; i < m_flights.size(); ++i) {
        Walk last = Walk::WAITS;
        // By one step at a time where there are others: an older one may have become ready, or slices idle.
        do {
            if (!is_alone)
                if (const std::optional<Walk> fed = feed(hooks, i)) return *fed;
            const Walk walked = i == 0 ? walk_first(hooks) : walk(hooks, i);
            if (walked == Walk::WAITS) break;
            last = walked;
        } while (last == Walk::MOVED && is_alone);
        if (last != Walk::WAITS) return last;
    }
    return Walk::WAITS;
}

MasterLoop::Walk MasterLoop::walk_first(MasterHooks& hooks) {
    const Walk walked = walk(hooks, 0);
    if (walked == Walk::ENDED) {
        m_flights.pop_front();
        m_is_held = false;
        // Who waits for an event behind it may have come to the end of events.
        for (Flight& flight : m_flights) flight.looks = true;
    }
    return walked;
}

bool MasterLoop::is_last_visit() const { return m_schedule.max_visits() != 0 && m_visit > m_schedule.max_visits(); }

std::optional<MasterLoop::Walk> MasterLoop::feed(MasterHooks& hooks, std::size_t due) {
    const Step& step = m_schedule.steps()[m_flights[due].next];
    const std::uint64_t due_ns = m_feeding.serial_ns(m_flights[due].next);
    if ((step.kind != StepKind::PREPROCESS && step.kind != StepKind::POSTPROCESS) || due_ns == 0) return {};
    if (is_stopping() || m_flights[due].leaving || !may_walk(due)) return {};
    m_feeding.begin(due_ns);
    std::uint64_t until_ns = os::NO_DEADLINE;
    for (std::size_t i = 0; i < m_flights.size(); ++i) {
        Flight& flight = m_flights[i];
        const bool works = !have_arrived(flight);
        if (works) {
            const std::uint64_t soon_ns = flight.clock.started_ns() + m_feeding.soon_ns(flight.asked);
            // To close a visit is no work that a stage waits for.
            if (flight.asked != m_schedule.close_step() && soon_ns <= os::now_ns()) return {};
            until_ns = std::min(until_ns, soon_ns);
        } else if (m_schedule.steps()[flight.next].kind == StepKind::PROCESS && may_walk(i)) {
            // To what the master has to do, so that nothing is waited for that is there.
            return walk(hooks, i);
        }
        if (!flight.leaving && !flight.abandoned) m_feeding.add(i, flight.next, works ? flight.asked : 0);
    }
    if (m_ended_by == 0 && !is_last_visit() && (has_room() || makes_room()))
        m_feeding.add(m_flights.size(), 0, has_room() ? 0 : m_schedule.close_step());
    for (const std::size_t place : m_feeding.nearest()) {
        if (place < m_flights.size()) {
            const Walk walked = walk(hooks, place);
            if (walked != Walk::WAITS) return walked;
            if (!m_flights[place].waits) continue;
        } else if (begin_visit(hooks)) {
            return Walk::MOVED;
        } else if (makes_room()) {
            const Walk walked = walk_first(hooks);
            if (walked != Walk::WAITS) return walked;
            const Flight& oldest = m_flights.front();
            until_ns = std::min(until_ns, oldest.clock.started_ns() + m_feeding.soon_ns(oldest.asked));
        } else {
            continue;
        }
        if (until_ns <= os::now_ns()) return {};
        m_feeds_until_ns = until_ns;
        return Walk::WAITS;
    }
    return {};
}

std::uint16_t MasterLoop::most_in_flight() const {
    return std::min(m_schedule.visits_in_flight(), m_state.shape().slots);
}

bool MasterLoop::has_room() const { return !m_is_held && m_flights.size() < most_in_flight(); }

bool MasterLoop::makes_room() const {
    const StepKind kind = m_schedule.steps()[m_flights.front().next].kind;
    return !has_room() && (kind == StepKind::CLOSE || kind == StepKind::END_VISIT);
}

bool MasterLoop::may_walk(std::size_t place) const {
    return place == 0 || m_flights[place - 1].next > m_schedule.steps()[m_flights[place].next].after;
}

MasterLoop::Walk MasterLoop::walk(MasterHooks& hooks, std::size_t place) {
    if (!may_walk(place)) return Walk::WAITS;
    Flight& flight = m_flights[place];
    Step step = m_schedule.steps()[flight.next];
    const bool is_in_slices = step.kind == StepKind::EXCHANGE || step.kind == StepKind::PROCESS ||
                              step.kind == StepKind::GATHER;
    if (flight.abandoned && !is_in_slices) flight.leaving = true;
    // An orderly end skips the stages that are left, but always closes the visit.
    if (flight.leaving && step.stage != 0) {
        ++flight.next;
        return Walk::MOVED;
    }
    if (asked_for(1)) return over(LoopEnd::AT_ONCE, flight);
    // What was cut ends where a meeting would have been.
    if (flight.cut != 0 && (step.kind == StepKind::GATHER || step.kind == StepKind::POSTPROCESS)) step.stage = flight.cut;
    if (step.stage != 0) flight.stage = step.stage;
    if (place == 0 && m_ended_by == 0) {
        m_result.visit = flight.visit;
        m_result.stage = flight.stage != 0 ? flight.stage : m_result.stage;
    }
    switch (step.kind) {
        case StepKind::BEGIN_VISIT:
            turn_to(hooks, flight);
            hooks.begin_visit(flight.visit);
            break;
        case StepKind::WAIT_EVENT:
            return look_for_event(hooks, flight, step);
        case StepKind::PREPROCESS:
            flight.begun = true;
            serial(hooks, step, flight);
            leave_if_asked(flight, 2);
            break;
        case StepKind::RELEASE:
            publish(hooks, step, flight);
            if (!ask(flight, step.stage)) return over(LoopEnd::SLICE_FATAL, flight);
            break;
        case StepKind::EXCHANGE:
            // The slices do it by themselves between their release and process().
            break;
        case StepKind::PROCESS:
            if (!have_arrived(flight)) return Walk::WAITS;
            if (flight.is_fatal) return over(LoopEnd::SLICE_FATAL, flight);
            break;
        case StepKind::GATHER:
            gather(hooks, step, flight);
            leave_if_asked(flight, 2);
            break;
        case StepKind::POSTPROCESS:
            serial(hooks, step, flight);
            if (flight.arrivals.no_more && !flight.leaving) leave(flight, LoopEnd::NO_MORE);
            leave_if_asked(flight, 3);
            if (flight.cut != 0 && !flight.leaving) leave(flight, LoopEnd::STOPPED);
            break;
        case StepKind::CLOSE:
            // A visit that ends before its first release has no clipboards in the slices.
            if (flight.asked == 0) break;
            if (flight.asked != m_schedule.close_step() && !ask(flight, m_schedule.close_step()))
                return over(LoopEnd::SLICE_FATAL, flight);
            if (!have_arrived(flight)) return Walk::WAITS;
            if (flight.is_fatal) return over(LoopEnd::SLICE_FATAL, flight);
            break;
        case StepKind::END_VISIT:
            return end(hooks, flight);
    }
    ++flight.next;
    return Walk::MOVED;
}

MasterLoop::Walk MasterLoop::end(MasterHooks& hooks, Flight& flight) {
    turn_to(hooks, flight);
    if (flight.begun) hooks.end_visit(flight.visit);
    else hooks.drop_visit(flight.visit);
    return Walk::ENDED;
}

MasterLoop::Walk MasterLoop::look_for_event(MasterHooks& hooks, Flight& flight, const Step& step) {
    auto leave_for = [&](LoopEnd end) {
        leave(flight, end);
        return Walk::MOVED;
    };
    if (is_stopping()) return leave_for(LoopEnd::STOPPED);
    if (!flight.looks) return Walk::WAITS;
    flight.looks = false;
    flight.looked_ns = os::now_ns();
    turn_to(hooks, flight);
    switch (hooks.take_event(step.stage)) {
        case EventLook::TIMED_OUT: return leave_for(LoopEnd::EVENT_TIMEOUT);
        case EventLook::DRAINED: return leave_for(LoopEnd::DRAINED);
        case EventLook::NOT_YET: return Walk::WAITS;
        case EventLook::TAKEN: break;
    }
    flight.looks = true;
    ++flight.next;
    return Walk::MOVED;
}

void MasterLoop::serial(MasterHooks& hooks, const Step& step, const Flight& flight) {
    turn_to(hooks, flight);
    const bool before = step.kind == StepKind::PREPROCESS;
    const WatchedCall watched(m_watcher, {flight.visit, step.stage,
                                          before ? sync::SerialHalf::PREPROCESS : sync::SerialHalf::POSTPROCESS});
    const std::uint64_t took_ns =
        timed(before ? sync::SpanKind::PREPROCESS : sync::SpanKind::POSTPROCESS, step.stage, flight.visit,
              [&] { return before ? hooks.preprocess(step.stage) : hooks.postprocess(step.stage); });
    if (m_schedule.visits_in_flight() > 1) m_feeding.note_serial(flight.next, took_ns);
}

void MasterLoop::publish(MasterHooks& hooks, const Step& step, const Flight& flight) {
    turn_to(hooks, flight);
    const Traffic start = m_traffic;
    const std::uint64_t start_ns = os::now_ns();
    hooks.publish(step.stage);
    // Mostly nothing has crossed, and nothing is to be told.
    if (m_traffic.copied == start.copied && m_traffic.shared == start.shared) return;
    sync::SpanShm span{};
    span.start_ns = start_ns;
    span.kind = sync::SpanKind::PUBLISH;
    append(span, step.stage, flight.visit, start);
}

void MasterLoop::gather(MasterHooks& hooks, const Step& step, const Flight& flight) {
    turn_to(hooks, flight);
    hooks.gather(step.stage, flight.arrivals, flight.legs.are_there() ? flight.legs.earlier() : std::vector<LegEnd>{});
}

template <class Call>
std::uint64_t MasterLoop::timed(sync::SpanKind kind, std::uint16_t stage, std::uint32_t visit, Call&& call) {
    const Traffic start = m_traffic;
    sync::SpanShm span{};
    span.start_ns = os::now_ns();
    span.kind = kind;
    span.outcome = call();
    append(span, stage, visit, start);
    return span.end_ns - span.start_ns;
}

void MasterLoop::append(sync::SpanShm& span, std::uint16_t stage, std::uint32_t visit, const Traffic& start) {
    span.end_ns = os::now_ns();
    span.bytes_copied = m_traffic.copied - start.copied;
    span.bytes_shared = m_traffic.shared - start.shared;
    span.bytes_clipboard = m_traffic.clipboard;
    span.visit = visit;
    span.rank = -1;
    span.stage = stage;
    m_spans.append(span);
}

void MasterLoop::turn_to(MasterHooks& hooks, const Flight& flight) {
    if (m_turned_to == flight.visit) return;
    m_turned_to = flight.visit;
    hooks.turn_to(flight.slot, flight.visit);
}

}  // namespace pex::loop
