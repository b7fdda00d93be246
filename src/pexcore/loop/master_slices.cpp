// SPDX-License-Identifier: BSD-3-Clause
// What the master has to do with its slices: asks, counts, waits, and notices deaths.
#include <algorithm>
#include <utility>

#include "loop/master_loop.hpp"
#include "os/clock.hpp"
#include "os/fault_point.hpp"

namespace pex::loop {

using sync::CellWord;
using sync::unpack;

namespace {

// Who published an event may have died before ringing: so often the master looks without being rung.
constexpr std::uint64_t EVENT_LOOK_NS = 1'000'000'000;
// How long slices may set stages up once a stop was asked for, and before the next look at whether they do.
constexpr std::uint64_t STOP_PATIENCE_NS = 5'000'000'000;

}  // namespace

bool MasterLoop::ask(Flight& flight, std::uint16_t step) {
    flight.asked = step;
    flight.waits = true;
    flight.counted = 0;
    flight.arrivals = {};
    flight.cut = 0;
    flight.clock = StageClock(m_lateness.shortest_limit_ns(step), os::now_ns());
    const std::uint32_t ranks = m_state.shape().ranks;
    if (const std::vector<Leg>* legs = m_schedule.legs_from(step)) flight.legs.begin(*legs, ranks, flight.clock.started_ns());
    else flight.legs.clear();
    // ORDER relaxed: only this thread changes it.
    const bool to_all = step == 1 && m_state.head().balances.load(std::memory_order_relaxed) != 0;
    sync::expect_arrivals(m_state.arrivals(flight.slot), ranks);
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
        if (ask_rank(flight, rank, step, to_all) == sync::MASTER_PROCESS) return false;
    }
    os::fault_point("master: released");
    m_shares_core = false;
    for (std::uint16_t worker = 1; worker <= m_state.shape().workers; ++worker) {
        sync::DoorbellShm& door = m_state.door(worker);
        m_shares_core = m_shares_core || sync::shares_core(door);
        sync::ring(door);
    }
    return true;
}

std::uint16_t MasterLoop::ask_rank(const Flight& flight, std::uint32_t rank, std::uint16_t step, bool to_all) {
    sync::CellShm& cell = m_state.cell(rank, flight.slot);
    // The visit of a rank is where its first step has run; it begins with the worker that the rank belongs to, or
    // with whoever is idle.
    // ORDER relaxed: only workers change it, and none does before the release below.
    const std::uint16_t process = step == 1 ? m_state.process_of(rank)
                                            : unpack(cell.word.load(std::memory_order_relaxed)).process;
    // ORDER relaxed: only this thread changes it.
    const std::uint32_t incarnation = m_state.process(process).incarnation.load(std::memory_order_relaxed);
    const CellWord before =
        sync::release(cell, CellWord{flight.visit, step, static_cast<std::uint8_t>(incarnation), sync::OUTCOME_OK,
                                     sync::CellState::IDLE, static_cast<std::uint8_t>(process)},
                      to_all);
    if (before.state == sync::CellState::ARRIVED && (before.outcome & sync::OUTCOME_FATAL) != 0) {
        // Where its report is found. Nobody counts on the step any more.
        // ORDER seq_cst: as in release().
        cell.word.store(sync::pack(before), std::memory_order_seq_cst);
        return sync::MASTER_PROCESS;
    }
    os::fault_point("master: releasing");
    return process;
}

bool MasterLoop::have_arrived(Flight& flight) {
    if (!flight.waits || flight.is_fatal) return true;
    if (flight.legs.are_there()) return have_legs_ended(flight);
    const std::uint32_t ranks = m_state.shape().ranks;
    for (; flight.counted < ranks; ++flight.counted) {
        std::uint8_t outcome = 0;
        if (!sync::has_arrived(m_state.cell(flight.counted, flight.slot), flight.visit, flight.asked, outcome))
            return flight.is_fatal;
        flight.arrivals.add(outcome);
        if ((outcome & sync::OUTCOME_FATAL) != 0) flight.is_fatal = true;
    }
    note_ended(flight);
    return true;
}

void MasterLoop::note_ended(Flight& flight) {
    flight.waits = false;
    if (m_schedule.visits_in_flight() > 1) m_feeding.note_slices(flight.asked, os::now_ns() - flight.clock.started_ns());
}

bool MasterLoop::have_legs_ended(Flight& flight) {
    const std::uint32_t ranks = m_state.shape().ranks;
    for (std::uint32_t rank = 0; rank < ranks; ++rank) {
        std::uint8_t outcome = 0;
        if (!flight.legs.works(rank)) continue;
        if (!sync::has_arrived(m_state.cell(rank, flight.slot), flight.visit, flight.legs.asked_of(rank), outcome)) continue;
        flight.legs.note_arrival(rank, outcome);
        if ((outcome & sync::OUTCOME_FATAL) != 0) flight.is_fatal = true;
    }
    if (flight.is_fatal) return true;
    // A visit that is to be left ends with what a rank has begun.
    if (flight.abandoned || asked_for(3)) flight.legs.stop();
    for (std::uint32_t rank = 0; rank < ranks && !flight.is_fatal; ++rank)
        if (flight.legs.may_go_on(rank, m_schedule.neighbours_of(rank)) && !would_overtake(flight, rank))
            let_go_on(flight, rank);
    if (flight.is_fatal) return true;
    if (!flight.legs.have_ended()) return false;
    flight.arrivals = flight.legs.arrivals();
    flight.cut = flight.legs.cut_behind();
    note_ended(flight);
    return true;
}

void MasterLoop::let_go_on(Flight& flight, std::uint32_t rank) {
    sync::CellShm& cell = m_state.cell(rank, flight.slot);
    const sync::ManifestPlaceShm published{cell.manifest_ref, cell.manifest_bytes};
    // It is kept here. A worker that takes the place of one that died in the next leg must not seem to publish it again.
    cell.manifest_ref = cell.manifest_bytes = 0;
    sync::expect_arrivals(m_state.arrivals(flight.slot), 1);
    const std::uint16_t process = ask_rank(flight, rank, flight.legs.next_of(rank), false);
    if (process == sync::MASTER_PROCESS) {
        flight.is_fatal = true;
        return;
    }
    flight.legs.go_on(rank, published, os::now_ns());
    sync::ring(m_state.door(process));
}

bool MasterLoop::would_overtake(const Flight& flight, std::uint32_t rank) const {
    const Flight* before = nullptr;
    for (const Flight& other : m_flights) {
        if (&other == &flight) break;
        before = &other;
    }
    // Who has the step behind it has come to all of its legs that it comes to.
    return before != nullptr && before->asked == flight.asked && before->next <= flight.next &&
           before->legs.leg_of(rank) <= flight.legs.leg_of(rank);
}

bool MasterLoop::have_slices_moved() {
    for (std::size_t i = 0; i < m_flights.size(); ++i) {
        Flight& flight = m_flights[i];
        const StepKind kind = m_schedule.steps()[flight.next].kind;
        const bool is_in_slices = kind == StepKind::PROCESS ||
                                  (kind == StepKind::CLOSE && flight.asked == m_schedule.close_step());
        if (is_in_slices && have_arrived(flight) && may_walk(i)) return true;
    }
    return false;
}

bool MasterLoop::waits_for_slices() const {
    return std::any_of(m_flights.begin(), m_flights.end(), [](const Flight& flight) { return flight.waits; });
}

bool MasterLoop::wait(MasterHooks& hooks) {
    const bool for_slices = waits_for_slices();
    bool for_event = false;
    const std::uint64_t start = os::now_ns();
    std::uint64_t deadline = std::exchange(m_feeds_until_ns, os::NO_DEADLINE);
    for (std::size_t i = 0; i < m_flights.size(); ++i) {
        Flight& flight = m_flights[i];
        if (flight.waits) deadline = std::min(deadline, flight.clock.next_look(start));
        const bool is_event = m_schedule.steps()[flight.next].kind == StepKind::WAIT_EVENT;
        flight.listens = is_event && may_walk(i);
        if (!flight.listens) continue;
        for_event = true;
        // One that has not looked though it may is passed over for slices that are done soon.
        if (!flight.looks) deadline = std::min(deadline, flight.looked_ns + EVENT_LOOK_NS);
    }
    if (!m_are_set_up) deadline = std::min(deadline, next_look_at_setups(start));
    // ORDER seq_cst: pairs with the store in notify_event(), which precedes its ring.
    auto rung = [&] { return for_event && (m_event_bell.load(std::memory_order_seq_cst) || is_stopping()); };
    // A worker that dies while no slice is asked for anything owes nothing: it is replaced once they are.
    auto died = [&] { return for_slices && somebody_died(); };
    auto over = [&] {
        return have_slices_moved() || (for_slices && is_fatal()) || died() || rung() || m_watcher.signalled() ||
               asked_for(1) || (!m_are_set_up && is_newly_stopping());
    };
    const sync::Patience patience = for_slices ? m_spin.patience(m_shares_core) : sync::Patience{};
    sync::wait_for(m_state.door(sync::MASTER_PROCESS), patience, deadline, over, [&] { hooks.waits(); });
    const std::uint64_t now = os::now_ns();
    if (for_slices) m_spin.note(now - start);
    for (Flight& flight : m_flights) {
        if (flight.waits) flight.clock.look(now);
        if (flight.listens && now >= flight.looked_ns + EVENT_LOOK_NS) flight.looks = true;
    }
    answer_signals(hooks);
    if (asked_for(1)) return end_now(LoopEnd::AT_ONCE, &m_flights.front());
    if (!for_slices) return true;
    // A fatal arrival, of whatever rank, ends the run: there is no use in waiting for the others.
    if (is_fatal()) return end_now(LoopEnd::SLICE_FATAL, &fatal_one());
    os::fault_point("master: waiting");
    if (!waits_for_slices()) {
        os::fault_point("master: arrived");
        return true;
    }
    if (somebody_died() && !handle_deaths(hooks)) return false;
    if (!m_are_set_up && !look_at_setups(hooks, m_flights.front().visit, &m_flights.front())) return false;
    for (Flight& flight : m_flights)
        if (flight.waits)
            m_lateness.find(flight, os::now_ns(), [&](std::uint16_t worker, std::uint16_t step) {
                hooks.late(worker, flight.visit, step);
            });
    return true;
}

std::uint64_t MasterLoop::next_look_at_setups(std::uint64_t now_ns) {
    const std::uint64_t look = m_setup_clock.next_look(now_ns);
    return m_stop_seen_ns == 0 ? look : std::min(look, m_stop_seen_ns + STOP_PATIENCE_NS);
}

bool MasterLoop::look_at_setups(MasterHooks& hooks, std::uint32_t visit, const Flight* where) {
    const std::uint64_t now = os::now_ns();
    m_setup_clock.look(now);
    if (is_newly_stopping()) m_stop_seen_ns = now;
    m_are_set_up = !m_lateness.is_any_starting();
    if (m_are_set_up) return true;
    if (m_stop_seen_ns != 0 && now >= m_stop_seen_ns + STOP_PATIENCE_NS) return end_now(LoopEnd::AT_ONCE, where);
    m_lateness.find_starting(m_setup_clock, now, [&](std::uint16_t worker) { hooks.late(worker, visit, 0); });
    return true;
}

const Flight& MasterLoop::fatal_one() const {
    for (const Flight& flight : m_flights)
        for (std::uint32_t rank = 0; rank < m_state.shape().ranks; ++rank) {
            std::uint8_t outcome = 0;
            if (sync::has_arrived(m_state.cell(rank, flight.slot), flight.visit, flight.asked_of(rank), outcome) &&
                (outcome & sync::OUTCOME_FATAL) != 0)
                return flight;
        }
    return m_flights.front();
}

bool MasterLoop::handle_deaths(MasterHooks& hooks) {
    // Read before they are handled: a death that comes meanwhile is seen again, which is harmless.
    m_deaths_handled = m_watcher.death_count();
    std::vector<InSlices> slices;
    const Flight* first = nullptr;
    for (const Flight& flight : m_flights) {
        if (flight.asked != 0)
            slices.push_back({flight.slot, flight.visit, flight.asked, flight.legs.asked(), flight.legs.failed_before()});
        if (flight.waits && first == nullptr) first = &flight;
    }
    const bool goes_on = hooks.workers_died(slices);
    if (m_are_set_up) {
        m_are_set_up = false;
        m_stop_seen_ns = 0;
        m_setup_clock = StageClock(m_lateness.shortest_limit_ns(), os::now_ns());
    }
    // Handling them may have looked at any visit.
    m_turned_to = 0;
    return goes_on || end_now(LoopEnd::PROCESS_DIED, first);
}

bool MasterLoop::is_fatal() const {
    // ORDER seq_cst: pairs with the store in WorkerLoop::note_fatal(), which follows the arrival that the report
    // belongs to.
    return m_state.head().fatal.load(std::memory_order_seq_cst) != 0;
}

bool MasterLoop::somebody_died() const { return m_watcher.death_count() != m_deaths_handled; }

}  // namespace pex::loop
