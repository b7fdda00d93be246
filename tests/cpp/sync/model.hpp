// SPDX-License-Identifier: BSD-3-Clause
// A model of the rendezvous with deaths, revivals and replacements, and a search of all its interleavings.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>

// One rank and two steps; a master, its watcher, the worker the rank belongs to, and the replacement of a worker. With
// `balances` another worker may take the first step, and has the rank then. Each is a program of atomic steps (all
// seq_cst, as in cell.hpp, doorbell.hpp and arrivals.hpp); a futex sleeps only if the bell is as it was read, and wakes
// only when somebody who has seen the flag wakes it. One of the workers may die at any of its steps, or, what the watcher
// rules out by waiting until it was reaped, be replaced while it is only stopped, and go on later. The search takes
// every reachable order. Violations:
//   - an arrival of a worker that was replaced goes through;
//   - a step arrives twice;
//   - the second step runs in another worker than the first, which has what the first has left;
//   - nobody can move, and the master has not seen the last arrival: a lost wake, or a step that nobody runs.

namespace rendezvous {

// Which defences are in place. The protocol as shipped is the default.
struct Rule {
    bool arrive_compares = true;          // arrive() is a CAS from the word that was taken, not a store
    bool incarnations = true;             // revoke() changes the incarnation, and take() and arrive() look at it
    bool revoke_reopens = true;           // revoke() asks again for a step that was taken
    bool releases_for_current = true;     // later steps are released for the incarnation of now
    bool bell_before_scan = true;         // a waiter reads its bell before it looks at the cells, not after
    bool says_that_it_sleeps = true;      // before it looks for the last time
    bool changes_before_ring = true;      // who rings has changed the cell before
    bool ring_always_after_death = true;  // every arrival rings from then on: the count of arrivals may be short
    bool balances = false;
    bool take_compares = true;        // taking is a CAS from the word that was read, not a store
    bool later_steps_follow = true;   // the second step is asked of the worker that ran the first
    bool revoke_finds_taken = true;   // cells are the dead worker's by the name in them, not by whom the rank belongs to
    bool looks_after_taking = true;   // who took a step asked of all looks whether it was replaced, and gives it back
    bool polls = false;               // bells are left out: who waits sees every change of the cell at once
    bool gives_back_all = false;      // it gives back what was asked of it alone, too
    bool dies = false;
    bool stops = false;
    bool other_dies = false;          // it is the other worker that dies or stops
};

enum Cell : std::uint8_t { IDLE, RELEASED, RUNNING, ARRIVED };

enum class Pc : std::uint8_t {
    FIRST, SECOND, WAKE, READ_BELL, SCAN, SET_FLAG, RESCAN, LATE_BELL, ENTER, ASLEEP, TAKE, CLAIM, LOOK, GIVE, ARRIVE,
    COUNT, RING, REVOKE, DONE,
};

// HOME is the worker that the rank belongs to, OTHER another one, FRESH the replacement of one of them.
enum Actor : unsigned { MASTER, HOME, FRESH, WATCHER, OTHER, ACTORS };

// Of the bell it matters only whether it was rung since its owner read it.
struct Door {
    std::uint8_t rung, sleeping;
};

// Bytes without padding, so that states compare as memory.
struct State {
    Pc pc[ACTORS];
    Door doors[ACTORS];
    std::uint8_t step, cell_step, cell_process, cell_incarnation, cell_state, cell_to_all;
    std::uint8_t incarnation[2];  // by process: 0 is HOME's
    std::uint8_t taken_step[ACTORS], taken_incarnation[ACTORS], ringing[ACTORS], leaving[ACTORS];
    std::uint8_t arrivals[3], ran_in[3];
    std::uint8_t counted, ring_always, noted, handled, revoked, stopped;

    friend bool operator==(const State& a, const State& b) { return std::memcmp(&a, &b, sizeof(State)) == 0; }
};

struct Hash {
    std::size_t operator()(const State& state) const {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&state), sizeof(State)});
    }
};

constexpr std::uint8_t LAST_STEP = 2;

class Model {
public:
    explicit Model(const Rule& rule) : m_rule(rule) {}

    // Empty if every interleaving is right; else what went wrong in the first bad one found.
    std::string explore() {
        State first{};
        for (Pc& pc : first.pc) pc = Pc::DONE;
        first.pc[MASTER] = Pc::FIRST;
        first.pc[HOME] = Pc::READ_BELL;
        if (m_rule.balances) first.pc[OTHER] = Pc::READ_BELL;
        first.step = 1;
        push(first);
        while (!m_open.empty() && m_violation.empty()) {
            const State state = m_open.front();
            m_open.pop_front();
            bool moved = false;
            for (unsigned actor = 0; actor < ACTORS; ++actor) moved |= step(state, actor);
            moved |= disturb(state);
            if (!moved && state.pc[MASTER] != Pc::DONE && m_violation.empty()) m_violation = "nobody goes on";
        }
        return m_violation;
    }
    std::size_t states() const { return m_seen.size(); }

private:
    unsigned victim() const { return m_rule.other_dies ? OTHER : HOME; }
    std::uint8_t process_of(unsigned actor) const { return (actor == FRESH ? victim() : actor) == OTHER; }

    void push(const State& state) {
        if (m_seen.insert(state).second) m_open.push_back(state);
    }

    bool step(const State& before, unsigned actor) {
        if (before.pc[actor] == Pc::DONE || before.pc[actor] == Pc::ASLEEP) return false;
        if (actor == victim() && before.stopped == 1) return false;
        State next = before;
        if (actor == MASTER) master(next);
        else if (actor == WATCHER) watcher(next);
        else worker(next, actor);
        push(next);
        return !(next == before);
    }

    // The death of a worker, or its stop and, once it was replaced, its revival.
    bool disturb(const State& before) {
        State next = before;
        if (before.stopped == 1 && before.handled != 0) {
            next.stopped = 2;
        } else if ((m_rule.dies || m_rule.stops) && before.stopped == 0 && before.noted == 0 &&
                   before.pc[WATCHER] == Pc::DONE && before.pc[victim()] != Pc::DONE && before.pc[MASTER] != Pc::DONE) {
            if (m_rule.stops) next.stopped = 1;
            else next.pc[victim()] = Pc::DONE;
            next.pc[WATCHER] = Pc::FIRST;
        } else {
            return false;
        }
        push(next);
        return true;
    }

    void watcher(State& state) const {
        Pc& pc = state.pc[WATCHER];
        if (pc == Pc::FIRST) {
            if (m_rule.ring_always_after_death) state.ring_always = 1;
            pc = Pc::SECOND;
        } else if (pc == Pc::SECOND) {
            state.noted = 1;
            pc = Pc::RING;
        } else {
            ring(state, WATCHER, MASTER, Pc::DONE);
        }
    }

    // RING: the increment. WAKE: the look at the flag, and the wake.
    void ring(State& state, unsigned actor, unsigned owner, Pc after) const {
        if (m_rule.polls) {
            state.pc[actor] = after;
            return;
        }
        if (state.pc[actor] == Pc::RING) {
            state.doors[owner].rung = 1;
            state.pc[actor] = Pc::WAKE;
            return;
        }
        if (state.doors[owner].sleeping != 0) {
            for (unsigned sleeper = 0; sleeper < ACTORS; ++sleeper)
                if (state.pc[sleeper] == Pc::ASLEEP && door_of(sleeper) == owner) awake(state, sleeper);
        }
        state.pc[actor] = after;
    }
    static unsigned door_of(unsigned actor) { return actor; }
    static void awake(State& state, unsigned actor) {
        state.doors[actor].sleeping = 0;
        state.pc[actor] = Pc::READ_BELL;
    }

    // wait_for() of doorbell.hpp.
    template <class Ready>
    void wait(State& state, unsigned actor, Pc when_ready, Ready ready) const {
        Pc& pc = state.pc[actor];
        Door& door = state.doors[actor];
        if (m_rule.polls) {
            if (ready()) pc = when_ready;
            return;
        }
        switch (pc) {
            case Pc::READ_BELL:
                door.rung = 0;
                pc = Pc::SCAN;
                break;
            case Pc::SCAN:
                pc = ready() ? when_ready : Pc::SET_FLAG;
                break;
            case Pc::SET_FLAG:
                door.sleeping = m_rule.says_that_it_sleeps ? 1 : 0;
                pc = Pc::RESCAN;
                break;
            case Pc::RESCAN:
                if (ready()) awake(state, actor);
                else pc = m_rule.bell_before_scan ? Pc::ENTER : Pc::LATE_BELL;
                break;
            case Pc::LATE_BELL:
                door.rung = 0;
                pc = Pc::ENTER;
                break;
            case Pc::ENTER:
                if (door.rung != 0) awake(state, actor);
                else pc = Pc::ASLEEP;
                break;
            default:
                break;
        }
    }

    static bool has_arrived(const State& state) {
        return state.cell_state == ARRIVED && state.cell_step == state.step;
    }

    // Rings the workers one after the other.
    void ring_workers(State& state, unsigned actor, Pc after) const {
        const bool second = state.ringing[actor] != 0;
        const unsigned named = second ? OTHER : HOME;
        const unsigned addressee = named == victim() && state.revoked != 0 ? unsigned{FRESH} : named;
        const bool more = m_rule.balances && !second;
        const bool wakes = state.pc[actor] == Pc::WAKE || m_rule.polls;
        ring(state, actor, addressee, more ? Pc::RING : after);
        if (wakes) state.ringing[actor] = more ? 1 : 0;
    }

    void master(State& state) {
        Pc& pc = state.pc[MASTER];
        switch (pc) {
            case Pc::FIRST:
                if (m_rule.changes_before_ring) release(state);
                pc = Pc::RING;
                break;
            case Pc::RING:
            case Pc::WAKE:
                ring_workers(state, MASTER, m_rule.changes_before_ring ? Pc::READ_BELL : Pc::SECOND);
                break;
            case Pc::SECOND:
                release(state);
                pc = Pc::READ_BELL;
                break;
            case Pc::TAKE:
                go_on(state);
                break;
            case Pc::REVOKE:
                revoke(state);
                break;
            default:
                wait(state, MASTER, Pc::TAKE,
                     [&] { return has_arrived(state) || state.noted != state.handled; });
                break;
        }
    }

    void release(State& state) const {
        if (state.step == 1 || !m_rule.later_steps_follow) state.cell_process = 0;
        state.cell_step = state.step;
        state.cell_state = RELEASED;
        state.cell_to_all = m_rule.balances && state.step == 1;
        state.cell_incarnation = m_rule.releases_for_current ? state.incarnation[state.cell_process] : std::uint8_t{0};
    }

    // As in wait_all(): all have arrived, or a death is handled.
    void go_on(State& state) const {
        if (has_arrived(state)) {
            state.pc[MASTER] = state.step == LAST_STEP ? Pc::DONE : Pc::FIRST;
            if (state.step != LAST_STEP) ++state.step;
            return;
        }
        state.pc[MASTER] = Pc::READ_BELL;
        if (state.noted == state.handled) return;
        state.handled = 1;
        if (m_rule.incarnations) state.incarnation[process_of(FRESH)] = 1;
        state.pc[MASTER] = Pc::REVOKE;
    }

    void revoke(State& state) const {
        state.revoked = 1;
        const std::uint8_t process = process_of(FRESH);
        if ((m_rule.revoke_finds_taken ? state.cell_process : std::uint8_t{0}) == process) {
            state.cell_incarnation = state.incarnation[process];
            if (state.cell_state == RUNNING && m_rule.revoke_reopens) {
                state.cell_state = RELEASED;
                state.cell_to_all = 0;
            }
        }
        state.pc[FRESH] = Pc::READ_BELL;
        state.pc[MASTER] = Pc::READ_BELL;
    }

    std::uint8_t incarnation_of(unsigned actor) const {
        return actor == FRESH && m_rule.incarnations ? std::uint8_t{1} : std::uint8_t{0};
    }
    bool is_named(const State& state, unsigned actor) const { return state.cell_process == process_of(actor); }
    bool was_replaced(const State& state, unsigned actor) const {
        return is_named(state, actor) && state.cell_incarnation != incarnation_of(actor);
    }
    bool is_for(const State& state, unsigned actor) const {
        const bool is_its = is_named(state, actor) && state.cell_incarnation == incarnation_of(actor);
        return state.cell_state == RELEASED && (is_its || state.cell_to_all != 0);
    }

    void worker(State& state, unsigned actor) {
        Pc& pc = state.pc[actor];
        switch (pc) {
            case Pc::TAKE:
                if (was_replaced(state, actor)) pc = Pc::DONE;
                else if (!is_for(state, actor)) pc = Pc::READ_BELL;
                else if (!m_rule.take_compares) pc = Pc::CLAIM;
                else claim(state, actor);
                break;
            case Pc::CLAIM:
                claim(state, actor);
                break;
            case Pc::LOOK:
                pc = state.incarnation[process_of(actor)] == incarnation_of(actor) ? Pc::ARRIVE : Pc::GIVE;
                break;
            case Pc::GIVE:
                if (is_taken(state, actor)) {
                    state.cell_state = RELEASED;
                    state.cell_to_all = 1;
                }
                state.leaving[actor] = 1;
                pc = Pc::RING;
                break;
            case Pc::ARRIVE:
                pc = arrive(state, actor) ? Pc::COUNT : Pc::DONE;
                break;
            case Pc::COUNT:
                ++state.counted;
                // One arrival is wanted for each step that was released.
                pc = state.counted == state.step || state.ring_always != 0 ? Pc::RING : Pc::READ_BELL;
                break;
            case Pc::RING:
            case Pc::WAKE:
                if (state.leaving[actor] != 0) ring_workers(state, actor, Pc::DONE);
                else ring(state, actor, MASTER, Pc::READ_BELL);
                break;
            default:
                wait(state, actor, Pc::TAKE, [&] { return is_for(state, actor) || was_replaced(state, actor); });
                break;
        }
    }

    void claim(State& state, unsigned actor) {
        const bool looks = m_rule.looks_after_taking && (m_rule.gives_back_all || state.cell_to_all != 0);
        state.cell_state = RUNNING;
        state.cell_to_all = 0;
        state.cell_process = process_of(actor);
        state.cell_incarnation = incarnation_of(actor);
        state.taken_step[actor] = state.cell_step;
        state.taken_incarnation[actor] = state.cell_incarnation;
        if (state.cell_step == 2 && state.ran_in[1] != process_of(actor))
            m_violation = "a step runs where its visit is not";
        state.pc[actor] = looks ? Pc::LOOK : Pc::ARRIVE;
    }

    bool is_taken(const State& state, unsigned actor) const {
        return state.cell_state == RUNNING && state.cell_step == state.taken_step[actor] && is_named(state, actor) &&
               state.cell_incarnation == state.taken_incarnation[actor];
    }

    bool arrive(State& state, unsigned actor) {
        if (m_rule.arrive_compares && !is_taken(state, actor)) return false;
        const std::uint8_t step = state.taken_step[actor];
        state.cell_state = ARRIVED;
        state.cell_step = step;
        state.cell_process = process_of(actor);
        state.cell_incarnation = state.taken_incarnation[actor];
        state.ran_in[step] = process_of(actor);
        if (actor == victim() && state.revoked != 0) m_violation = "an arrival of a worker that was replaced";
        if (++state.arrivals[step] > 1) m_violation = "a step arrives twice";
        // What nobody asks for any more must not tell states apart.
        state.taken_step[actor] = state.taken_incarnation[actor] = 0;
        return true;
    }

    Rule m_rule;
    std::unordered_set<State, Hash> m_seen;
    std::deque<State> m_open;
    std::string m_violation;
};

}  // namespace rendezvous
