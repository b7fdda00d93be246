// SPDX-License-Identifier: BSD-3-Clause
// A model of the rendezvous with deaths, revivals and replacements, and a search of all its interleavings.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <set>
#include <string>

// One rank and two steps; a master, its watcher, a worker and its replacement. Each is a program of atomic steps (all
// seq_cst, as in cell.hpp, doorbell.hpp and arrivals.hpp); a futex sleeps only if the bell is as it was read, and wakes
// only when somebody who has seen the flag wakes it. The first worker may die at any of its steps, or, what the watcher
// rules out by waiting until it was reaped, be replaced while it is only stopped, and go on later. The search takes
// every reachable order. Violations:
//   - an arrival of a worker that was replaced goes through;
//   - a step arrives twice;
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
    bool dies = false;
    bool stops = false;
};

enum Cell : std::uint8_t { IDLE, RELEASED, RUNNING, ARRIVED };

enum class Pc : std::uint8_t {
    FIRST, SECOND, WAKE, READ_BELL, SCAN, SET_FLAG, RESCAN, LATE_BELL, ENTER, ASLEEP, TAKE, ARRIVE, COUNT, RING, DONE,
};

enum Actor : unsigned { MASTER, OLD, FRESH, WATCHER, ACTORS };

struct Door {
    std::uint8_t bell, sleeping;
};

// Bytes without padding, so that states compare as memory.
struct State {
    Pc pc[ACTORS];
    std::uint8_t seen[ACTORS];
    Door doors[ACTORS];
    std::uint8_t step, cell_step, cell_incarnation, cell_state, incarnation;
    std::uint8_t taken_step[ACTORS], taken_incarnation[ACTORS];
    std::uint8_t arrivals[3];
    std::uint8_t counted, ring_always, noted, handled, stopped;

    friend bool operator<(const State& a, const State& b) { return std::memcmp(&a, &b, sizeof(State)) < 0; }
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
        first.pc[OLD] = Pc::READ_BELL;
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
    void push(const State& state) {
        if (m_seen.insert(state).second) m_open.push_back(state);
    }

    bool step(const State& before, unsigned actor) {
        if (before.pc[actor] == Pc::DONE || before.pc[actor] == Pc::ASLEEP) return false;
        if (actor == OLD && before.stopped == 1) return false;
        State next = before;
        if (actor == MASTER) master(next);
        else if (actor == WATCHER) watcher(next);
        else worker(next, actor);
        push(next);
        return true;
    }

    // The death of the first worker, or its stop and, once it was replaced, its revival.
    bool disturb(const State& before) {
        State next = before;
        if (before.stopped == 1 && before.handled != 0) {
            next.stopped = 2;
        } else if ((m_rule.dies || m_rule.stops) && before.stopped == 0 && before.noted == 0 &&
                   before.pc[WATCHER] == Pc::DONE && before.pc[OLD] != Pc::DONE && before.pc[MASTER] != Pc::DONE) {
            if (m_rule.stops) next.stopped = 1;
            else next.pc[OLD] = Pc::DONE;
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
    static void ring(State& state, unsigned actor, unsigned owner, Pc after) {
        if (state.pc[actor] == Pc::RING) {
            state.doors[owner].bell = static_cast<std::uint8_t>((state.doors[owner].bell + 1) & 7);
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
        switch (pc) {
            case Pc::READ_BELL:
                state.seen[actor] = door.bell;
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
                state.seen[actor] = door.bell;
                pc = Pc::ENTER;
                break;
            case Pc::ENTER:
                if (door.bell != state.seen[actor]) awake(state, actor);
                else pc = Pc::ASLEEP;
                break;
            default:
                break;
        }
    }

    static bool has_arrived(const State& state) {
        return state.cell_state == ARRIVED && state.cell_step == state.step;
    }

    void master(State& state) {
        Pc& pc = state.pc[MASTER];
        const unsigned addressee = state.handled != 0 ? FRESH : OLD;
        switch (pc) {
            case Pc::FIRST:
                if (m_rule.changes_before_ring) {
                    release(state);
                    pc = Pc::RING;
                } else {
                    pc = Pc::RING;
                }
                break;
            case Pc::RING:
            case Pc::WAKE:
                ring(state, MASTER, addressee, m_rule.changes_before_ring ? Pc::READ_BELL : Pc::SECOND);
                break;
            case Pc::SECOND:
                release(state);
                pc = Pc::READ_BELL;
                break;
            case Pc::TAKE:
                go_on(state);
                break;
            default:
                wait(state, MASTER, Pc::TAKE,
                     [&] { return has_arrived(state) || state.noted != state.handled; });
                break;
        }
    }

    void release(State& state) const {
        state.cell_step = state.step;
        state.cell_state = RELEASED;
        state.cell_incarnation = m_rule.releases_for_current ? state.incarnation : std::uint8_t{0};
    }

    // As in wait_all(): all have arrived, or a death is handled.
    void go_on(State& state) {
        if (has_arrived(state)) {
            state.pc[MASTER] = state.step == LAST_STEP ? Pc::DONE : Pc::FIRST;
            if (state.step != LAST_STEP) ++state.step;
            return;
        }
        state.pc[MASTER] = Pc::READ_BELL;
        if (state.noted == state.handled) return;
        state.handled = 1;
        if (m_rule.incarnations) state.incarnation = 1;
        state.cell_incarnation = state.incarnation;
        if (state.cell_state == RUNNING && m_rule.revoke_reopens) state.cell_state = RELEASED;
        state.pc[FRESH] = Pc::READ_BELL;
    }

    std::uint8_t incarnation_of(unsigned actor) const {
        return actor == FRESH && m_rule.incarnations ? std::uint8_t{1} : std::uint8_t{0};
    }

    void worker(State& state, unsigned actor) {
        Pc& pc = state.pc[actor];
        const bool is_mine = state.cell_incarnation == incarnation_of(actor);
        switch (pc) {
            case Pc::TAKE:
                if (!is_mine) {
                    pc = Pc::DONE;
                } else if (state.cell_state != RELEASED) {
                    pc = Pc::READ_BELL;
                } else {
                    state.cell_state = RUNNING;
                    state.taken_step[actor] = state.cell_step;
                    state.taken_incarnation[actor] = state.cell_incarnation;
                    pc = Pc::ARRIVE;
                }
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
                ring(state, actor, MASTER, Pc::READ_BELL);
                break;
            default:
                wait(state, actor, Pc::TAKE, [&] { return state.cell_state == RELEASED || !is_mine; });
                break;
        }
    }

    bool arrive(State& state, unsigned actor) {
        const bool is_taken = state.cell_state == RUNNING && state.cell_step == state.taken_step[actor] &&
                              state.cell_incarnation == state.taken_incarnation[actor];
        if (m_rule.arrive_compares && !is_taken) return false;
        state.cell_state = ARRIVED;
        state.cell_step = state.taken_step[actor];
        state.cell_incarnation = state.taken_incarnation[actor];
        if (actor == OLD && state.handled != 0) m_violation = "an arrival of a worker that was replaced";
        if (++state.arrivals[state.taken_step[actor]] > 1) m_violation = "a step arrives twice";
        return true;
    }

    Rule m_rule;
    std::set<State> m_seen;
    std::deque<State> m_open;
    std::string m_violation;
};

}  // namespace rendezvous
