// SPDX-License-Identifier: BSD-3-Clause
// The walk over the schedule.
#include "loop/master_loop.hpp"

#include "os/clock.hpp"
#include "os/fault_point.hpp"

namespace pex::loop {

using sync::CellWord;
using sync::unpack;

namespace {

// Who published an event may have died before ringing: so often the master looks without being rung.
constexpr std::uint64_t EVENT_LOOK_NS = 1'000'000'000;

}  // namespace

void MasterLoop::request_stop(int level) {
    m_stop_level.store(level, std::memory_order_seq_cst);
    // A master that waits for its slices looks up.
    sync::ring(m_state.door(sync::MASTER_PROCESS));
}

bool MasterLoop::asked_for(int level) const {
    const int asked = m_stop_level.load(std::memory_order_seq_cst);
    return asked != 0 && asked <= level;
}

LoopResult MasterLoop::run(MasterHooks& hooks) {
    LoopResult result;
    for (const Step& step : m_schedule.steps())
        if (step.kind == StepKind::RELEASE) m_state.set_last_of(step.stage, step.last);
    if (m_state.shape().ranks != 0) {
        Arrivals arrivals;
        // The workers set their cells up by themselves: the first rendezvous is step 0 of visit 0.
        if (!wait_all(hooks, 0, 0, arrivals, result)) return result;
    }
    hooks.slices_ready();
    for (std::uint32_t visit = m_schedule.next_visit(1);; visit = m_schedule.next_visit(visit + 1)) {
        if (m_schedule.max_visits() != 0 && visit > m_schedule.max_visits()) {
            result.end = LoopEnd::VISITS_DONE;
            return result;
        }
        if (asked_for(4)) {
            result.end = asked_for(1) ? LoopEnd::AT_ONCE : LoopEnd::STOPPED;
            return result;
        }
        result.visit = visit;
        if (!run_visit(hooks, visit, result)) return result;
    }
}

bool MasterLoop::run_visit(MasterHooks& hooks, std::uint32_t visit, LoopResult& result) {
    bool leaving = false;
    bool begun = false;     // stage code of this visit has run
    bool released = false;  // slices have begun the visit, and must close it
    Arrivals arrivals;
    auto leave = [&](LoopEnd end) {
        leaving = true;
        result.end = end;
    };
    auto leave_if_asked = [&](int level) {
        if (!leaving && asked_for(level)) leave(LoopEnd::STOPPED);
    };
    for (const Step& step : m_schedule.steps()) {
        // An orderly end skips the stages that are left, but always closes the visit.
        if (leaving && step.stage != 0) continue;
        if (asked_for(1)) {
            result.end = LoopEnd::AT_ONCE;
            return false;
        }
        if (step.stage != 0) result.stage = step.stage;
        switch (step.kind) {
            case StepKind::BEGIN_VISIT:
                hooks.begin_visit(visit);
                break;
            case StepKind::WAIT_EVENT:
                if (wait_event(hooks, step.stage, result)) break;
                if (result.end == LoopEnd::AT_ONCE) return false;
                leaving = true;
                if (!begun) result.visit = visit - 1;
                break;
            case StepKind::PREPROCESS:
                begun = true;
                serial(hooks, step, visit);
                leave_if_asked(2);
                break;
            case StepKind::RELEASE:
                released = true;
                publish(hooks, step, visit);
                release_all(visit, step.stage);
                break;
            case StepKind::EXCHANGE:
                // The slices do it by themselves between their release and process().
                break;
            case StepKind::PROCESS:
                arrivals = {};
                if (!wait_all(hooks, visit, step.stage, arrivals, result)) return false;
                break;
            case StepKind::GATHER:
                hooks.gather(step.stage, arrivals);
                leave_if_asked(2);
                break;
            case StepKind::POSTPROCESS:
                serial(hooks, step, visit);
                if (arrivals.no_more) leave(LoopEnd::NO_MORE);
                leave_if_asked(3);
                break;
            case StepKind::CLOSE:
                // A visit that ends before its first release has no clipboards in the slices.
                if (!released) break;
                release_all(visit, m_schedule.close_step());
                if (!wait_all(hooks, visit, m_schedule.close_step(), arrivals, result)) return false;
                break;
            case StepKind::END_VISIT:
                if (begun) hooks.end_visit(visit);
                else hooks.drop_visit(visit);
                break;
        }
    }
    return !leaving;
}

bool MasterLoop::wait_event(MasterHooks& hooks, std::uint16_t stage, LoopResult& result) {
    // ORDER seq_cst on both: pairs with the stores in request_stop() and notify_event(), which precede their rings.
    auto stopping = [&] { return m_stop_level.load(std::memory_order_seq_cst) != 0; };
    auto rung = [&] { return m_event_bell.load(std::memory_order_seq_cst); };
    auto end = [&](LoopEnd why) {
        result.end = why;
        return false;
    };
    for (;;) {
        m_event_bell.store(false, std::memory_order_seq_cst);
        if (stopping()) return end(asked_for(1) ? LoopEnd::AT_ONCE : LoopEnd::STOPPED);
        switch (hooks.take_event(stage)) {
            case EventLook::TAKEN: return true;
            case EventLook::TIMED_OUT: return end(LoopEnd::EVENT_TIMEOUT);
            case EventLook::DRAINED: return end(LoopEnd::DRAINED);
            case EventLook::NOT_YET: break;
        }
        // A worker that dies now owes nothing: wait_all() replaces it once its slices are released.
        hooks.waits();
        sync::wait_for(m_state.door(sync::MASTER_PROCESS), 0, os::now_ns() + EVENT_LOOK_NS,
                       [&] { return rung() || stopping() || m_watcher.signalled(); });
        if (m_watcher.signalled()) {
            m_watcher.clear_signalled();
            hooks.check_signals();
        }
    }
}

void MasterLoop::serial(MasterHooks& hooks, const Step& step, std::uint32_t visit) {
    const bool before = step.kind == StepKind::PREPROCESS;
    timed(before ? sync::SpanKind::PREPROCESS : sync::SpanKind::POSTPROCESS, step.stage, visit,
          [&] { return before ? hooks.preprocess(step.stage) : hooks.postprocess(step.stage); });
}

void MasterLoop::publish(MasterHooks& hooks, const Step& step, std::uint32_t visit) {
    timed(sync::SpanKind::PUBLISH, step.stage, visit, [&] {
        hooks.publish(step.stage);
        return std::uint8_t{sync::OUTCOME_OK};
    });
}

template <class Call>
void MasterLoop::timed(sync::SpanKind kind, std::uint16_t stage, std::uint32_t visit, Call&& call) {
    const Traffic start = m_traffic;
    sync::SpanShm span{};
    span.start_ns = os::now_ns();
    span.outcome = call();
    span.end_ns = os::now_ns();
    span.bytes_copied = m_traffic.copied - start.copied;
    span.bytes_shared = m_traffic.shared - start.shared;
    span.bytes_clipboard = m_traffic.clipboard;
    span.visit = visit;
    span.rank = -1;
    span.stage = stage;
    span.kind = kind;
    m_spans.append(span);
}

void MasterLoop::release_all(std::uint32_t visit, std::uint16_t step) {
    const std::uint32_t ranks = m_state.shape().ranks;
    const bool begins = step == 1;
    // ORDER relaxed: only this thread changes it.
    const bool to_all = m_state.head().balances.load(std::memory_order_relaxed) != 0;
    sync::expect_arrivals(m_state.head().arrivals, ranks);
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
        sync::CellShm& cell = m_state.cell(rank);
        // The visit of a rank is where its first step has run; it begins with the worker that the rank belongs to, or
        // with whoever is idle.
        // ORDER relaxed: only workers change it, and none does before the release below.
        const std::uint16_t process = begins ? m_state.process_of(rank)
                                             : unpack(cell.word.load(std::memory_order_relaxed)).process;
        // ORDER relaxed: only this thread changes it.
        const std::uint32_t incarnation = m_state.process(process).incarnation.load(std::memory_order_relaxed);
        sync::release(cell, CellWord{visit, step, static_cast<std::uint8_t>(incarnation), sync::OUTCOME_OK,
                                     sync::CellState::IDLE, static_cast<std::uint8_t>(process)},
                      begins && to_all);
        os::fault_point("master: releasing");
    }
    os::fault_point("master: released");
    for (std::uint16_t worker = 1; worker <= m_state.shape().workers; ++worker) sync::ring(m_state.door(worker));
}

bool MasterLoop::wait_all(MasterHooks& hooks, std::uint32_t visit, std::uint16_t step, Arrivals& arrivals,
                          LoopResult& result) {
    std::uint32_t next = 0;  // every rank below has arrived and is counted
    bool fatal_arrival = false;
    auto scan = [&] {
        std::uint8_t outcome = 0;
        while (next < m_state.shape().ranks && sync::has_arrived(m_state.cell(next), visit, step, outcome)) {
            if ((outcome & sync::OUTCOME_RAISED) != 0) ++arrivals.raised;
            if ((outcome & sync::OUTCOME_SKIPPED) != 0) ++arrivals.skipped;
            if ((outcome & sync::OUTCOME_NO_MORE) != 0) arrivals.no_more = true;
            // The flag that is_fatal() reads is set after the arrival: the last rank's may not be there yet.
            if ((outcome & sync::OUTCOME_FATAL) != 0) fatal_arrival = true;
            ++next;
        }
        return next == m_state.shape().ranks;
    };
    std::uint64_t now = os::now_ns();
    StageClock clock(shortest_limit_ns(step), now);
    for (;; now = os::now_ns()) {
        bool all = false;
        bool fatal = false;
        const std::uint64_t start = now;
        sync::wait_for(m_state.door(sync::MASTER_PROCESS), m_spin.ns(), clock.next_look(start), [&] {
            all = scan();
            fatal = fatal_arrival || is_fatal();
            const bool over = all || fatal || somebody_died() || m_watcher.signalled() || asked_for(1);
            if (!over) hooks.waits();
            return over;
        });
        now = os::now_ns();
        m_spin.note(now - start);
        clock.look(now);
        if (m_watcher.signalled()) {
            m_watcher.clear_signalled();
            hooks.check_signals();
        }
        if (asked_for(1)) {
            result.end = LoopEnd::AT_ONCE;
            return false;
        }
        // A fatal arrival, of whatever rank, ends the run: there is no use in waiting for the others.
        if (fatal) {
            result.end = LoopEnd::SLICE_FATAL;
            return false;
        }
        os::fault_point("master: waiting");
        if (all) {
            os::fault_point("master: arrived");
            return true;
        }
        if (somebody_died()) {
            // Read before they are handled: a death that comes meanwhile is seen again, which is harmless.
            m_deaths_handled = m_watcher.death_count();
            // Before the first visit there is nothing to go on with: stages that can't be set up end the run.
            if (visit == 0 || !hooks.workers_died(visit, step)) {
                result.end = LoopEnd::PROCESS_DIED;
                return false;
            }
        }
        tell_late(hooks, clock, visit, step);
    }
}

void MasterLoop::tell_late(MasterHooks& hooks, const StageClock& clock, std::uint32_t visit, std::uint16_t step) {
    if (shortest_limit_ns(step) == 0) return;
    const std::uint64_t now = os::now_ns();
    for (std::uint16_t worker = 1; worker <= m_state.shape().workers; ++worker) {
        const sync::ProcessShm& process = m_state.process(worker);
        // ORDER seq_cst: pairs with the worker's store when its stages are set up, which takes as long as it takes.
        if (process.state.load(std::memory_order_seq_cst) != sync::ProcessState::WORKING) continue;
        const std::uint64_t limit = limit_now_ns(process, step);
        // ORDER relaxed: a value that is not the latest makes the deadline late, or is looked at again by owes(). It is
        // never older than the stage whose limit was read before.
        const std::uint64_t since = process.since_ns.load(std::memory_order_relaxed);
        if (clock.is_late(since, now, limit) && owes(worker, visit, step))
            hooks.late(static_cast<std::uint16_t>(worker - 1), visit, step);
    }
}

std::uint64_t MasterLoop::shortest_limit_ns(std::uint16_t step) const {
    std::uint64_t shortest = 0;
    for (std::uint16_t stage = step; stage <= m_state.last_of(step); ++stage)
        if (const std::uint64_t limit = limit_ns(stage); limit != 0 && (shortest == 0 || limit < shortest)) shortest = limit;
    return shortest;
}

std::uint64_t MasterLoop::limit_now_ns(const sync::ProcessShm& process, std::uint16_t step) const {
    // ORDER acquire: pairs with the worker's release when it begins a stage, after it has noted the time: a stage that
    // is seen here is not judged by the beginning of the one before.
    const std::int32_t stage = process.busy_stage.load(std::memory_order_acquire);
    const bool is_busy = process.busy_rank.load(std::memory_order_relaxed) >= 0 && stage > 0;
    return limit_ns(is_busy ? static_cast<std::uint16_t>(stage) : step);
}

bool MasterLoop::owes(std::uint16_t process, std::uint32_t visit, std::uint16_t step) {
    std::uint8_t outcome = 0;
    for (std::uint32_t rank = 0; rank < m_state.shape().ranks; ++rank) {
        // ORDER seq_cst: pairs with take().
        const CellWord word = unpack(m_state.cell(rank).word.load(std::memory_order_seq_cst));
        if (word.process == process && !sync::has_arrived(m_state.cell(rank), visit, step, outcome)) return true;
    }
    return false;
}

bool MasterLoop::is_fatal() const {
    // ORDER seq_cst: pairs with the store in WorkerLoop::note_fatal(), which follows the arrival that the report
    // belongs to.
    return m_state.head().fatal.load(std::memory_order_seq_cst) != 0;
}

bool MasterLoop::somebody_died() const { return m_watcher.death_count() != m_deaths_handled; }

}  // namespace pex::loop
