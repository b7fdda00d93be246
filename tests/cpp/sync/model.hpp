// SPDX-License-Identifier: BSD-3-Clause
// A model of the rendezvous with deaths, revivals and replacements, and a search of all its interleavings.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <set>
#include <string>
#include <vector>

// One rank, two steps, a master, the first worker and up to two replacements. Every actor is a program of atomic steps
// (all seq_cst, as in cell.hpp, doorbell.hpp and arrivals.hpp). The first worker may die, or stop and be revived after
// it was replaced, at any of its steps; the search takes every reachable order. Violations:
//   - the master counts an arrival that the worker did not make who has the cell, or counts one step twice;
//   - a step is run to its end by two workers, and both arrivals count;
//   - somebody sleeps for ever although there is something to do for it: a lost wake.

namespace rendezvous {

// Which defences are in place. The protocol as shipped is the default.
struct Rule {
    bool arrive_compares = true;      // arrive() is a CAS from the word that was taken, not a store
    bool incarnations = true;         // revoke() changes the incarnation, and take() looks at it
    bool revoke_reopens = true;       // revoke() asks again for a step that was taken
    bool bell_before_scan = true;     // a waiter reads its bell before it looks at the cells
    bool sleeping_before_rescan = true;  // and says that it sleeps before it looks again
    bool ring_after_change = true;    // who rings has changed the cell before
    bool ring_always_after_death = true;  // once somebody has died, every arrival rings
    bool release_current = true;      // the master releases for the incarnation of now
    bool dies = false;                // the first worker may die at any step; it is then replaced
    bool stops = false;               // the first worker may stop, is replaced as if dead, and goes on later
};

constexpr std::uint8_t STEPS = 2;
constexpr unsigned MASTER = 0, WORKERS = 2;  // workers are actors 1 and 2

enum Cell : std::uint8_t { IDLE, RELEASED, RUNNING, ARRIVED };

enum class Pc : std::uint8_t {
    // master
    RELEASE, RING_WORKER, WAKE_WORKER, READ_BELL, SCAN, SLEEP_FLAG, RESCAN, BLOCK, REVOKE, DONE,
    // worker
    W_READ_BELL, W_SCAN, W_SLEEP_FLAG, W_RESCAN, W_BLOCK, W_RUN, W_ARRIVE, W_COUNT, W_RING, W_WAKE, W_GONE, W_UNBORN,
};

struct Door {
    std::uint8_t bell = 0, sleeping = 0;
};

// All fields are bytes without padding, so that states compare as memory.
struct State {
    Pc pc[1 + WORKERS] = {Pc::RELEASE, Pc::W_READ_BELL, Pc::W_UNBORN};
    std::uint8_t seen_bell[1 + WORKERS] = {};
    Door door[2];  // the master's, and that of the worker's number
    std::uint8_t step = 1, cell_step = 0, cell_incarnation = 0, cell_state = IDLE;
    std::uint8_t taken_step[1 + WORKERS] = {}, taken_incarnation[1 + WORKERS] = {};
    std::uint8_t incarnation = 0;   // as the master knows it
    std::uint8_t ran[STEPS + 1] = {};  // arrivals that went through, by step
    std::uint8_t counted = 0;       // arrivals counted: the hint by which the last one rings
    std::uint8_t ring_always = 0, death_seen = 0, replaced = 0, stopped = 0;

    friend bool operator<(const State& a, const State& b) { return std::memcmp(&a, &b, sizeof(State)) < 0; }
};

class Model {
public:
    explicit Model(const Rule& rule) : m_rule(rule) {}

    // Empty if every interleaving is right; else what went wrong in the first bad one found.
    std::string explore() {
        push(State{});
        while (!m_open.empty() && m_violation.empty()) {
            const State state = m_open.front();
            m_open.pop_front();
            bool moved = false;
            for (unsigned actor = 0; actor <= WORKERS; ++actor) moved |= step(state, actor);
            moved |= disturb(state);
            if (!moved && state.pc[MASTER] != Pc::DONE && m_violation.empty()) m_violation = "somebody sleeps for ever";
        }
        return m_violation;
    }
    std::size_t states() const { return m_seen.size(); }

private:
    void push(const State& state) {
        if (m_seen.insert(state).second) m_open.push_back(state);
    }

    bool step(const State& before, unsigned actor) {
        State next = before;
        const bool moved = actor == MASTER ? master(next) : worker(next, actor);
        if (moved) push(next);
        return moved;
    }

    // A death, the watcher's note of it, a stop and a revival.
    bool disturb(const State& before) {
        bool moved = false;
        const Pc first = before.pc[1];
        const bool alive = first != Pc::W_GONE && first != Pc::W_UNBORN;
        if ((m_rule.dies || m_rule.stops) && alive && before.death_seen == 0 && before.stopped == 0) {
            State next = before;
            if (m_rule.stops) next.stopped = 1;
            else next.pc[1] = Pc::W_GONE;
            note_death(next);
            push(next);
            moved = true;
        }
        if (before.stopped == 1 && before.replaced != 0) {
            State next = before;
            next.stopped = 2;
            push(next);
            moved = true;
        }
        return moved;
    }

    // The watcher: the flag, the note, the ring.
    void note_death(State& state) const {
        if (m_rule.ring_always_after_death) state.ring_always = 1;
        state.death_seen = 1;
        ring(state, 0);
    }

    // The increment; who sleeps in the kernel is woken by a changed bell in blocked() only if somebody looked at its
    // flag, which is what `woken` stands for.
    static void ring(State& state, unsigned door) {
        state.door[door].bell = static_cast<std::uint8_t>((state.door[door].bell + 1) % 8);
        if (state.door[door].sleeping == 1) state.door[door].sleeping = 2;  // a wake on its way
    }

    bool has_arrived(const State& state) const {
        return state.cell_state == ARRIVED && state.cell_step == state.step;
    }
    bool master_ready(const State& state) const {
        return has_arrived(state) || (state.death_seen != 0 && state.replaced == 0);
    }

    bool master(State& state) {
        Pc& pc = state.pc[MASTER];
        switch (pc) {
            case Pc::RELEASE:
                if (m_rule.ring_after_change) {
                    put_release(state);
                } else {
                    ring(state, 1);
                }
                pc = Pc::RING_WORKER;
                return true;
            case Pc::RING_WORKER:
                if (m_rule.ring_after_change) ring(state, 1);
                else put_release(state);
                pc = Pc::READ_BELL;
                return true;
            case Pc::READ_BELL:
                if (m_rule.bell_before_scan) state.seen_bell[MASTER] = state.door[0].bell;
                pc = Pc::SCAN;
                return true;
            case Pc::SCAN:
                pc = master_ready(state) ? Pc::REVOKE : Pc::SLEEP_FLAG;
                return true;
            case Pc::SLEEP_FLAG:
                if (!m_rule.bell_before_scan) state.seen_bell[MASTER] = state.door[0].bell;
                if (m_rule.sleeping_before_rescan) state.door[0].sleeping = 1;
                pc = Pc::RESCAN;
                return true;
            case Pc::RESCAN:
                if (m_rule.bell_before_scan && master_ready(state)) {
                    state.door[0].sleeping = 0;
                    pc = Pc::READ_BELL;
                    return true;
                }
                pc = Pc::BLOCK;
                return true;
            case Pc::BLOCK:
                return blocked(state, 0, MASTER, Pc::READ_BELL);
            case Pc::REVOKE:
                go_on(state);
                return true;
            default:
                return false;
        }
    }

    void put_release(State& state) const {
        state.cell_step = state.step;
        state.cell_state = RELEASED;
        state.cell_incarnation = m_rule.release_current ? state.incarnation : std::uint8_t{0};
    }

    void go_on(State& state) {
        if (has_arrived(state)) {
            if (state.ran[state.step] != 1) m_violation = "an arrival counts twice";
            state.pc[MASTER] = state.step == STEPS ? Pc::DONE : Pc::RELEASE;
            ++state.step;
            return;
        }
        if (state.death_seen != 0 && state.replaced == 0) {
            state.replaced = 1;
            if (m_rule.incarnations) state.incarnation = 1;
            state.cell_incarnation = state.incarnation;
            if (state.cell_state == RUNNING && m_rule.revoke_reopens) state.cell_state = RELEASED;
            state.pc[2] = Pc::W_READ_BELL;
        }
        state.pc[MASTER] = Pc::READ_BELL;
    }

    // Asleep in the kernel: goes on if the bell differs from what was seen, or somebody woke it.
    static bool blocked(State& state, unsigned door, unsigned actor, Pc after) {
        Door& own = state.door[door];
        if (own.bell == state.seen_bell[actor] && own.sleeping != 2) return false;
        if (own.bell != state.seen_bell[actor] && own.sleeping == 0 && state.seen_bell[actor] != 255) {
            // The comparison at the entry of the call; later changes need a wake.
        }
        own.sleeping = 0;
        state.pc[actor] = after;
        return true;
    }

    std::uint8_t own_incarnation(unsigned actor) const {
        return static_cast<std::uint8_t>(m_rule.incarnations ? actor - 1 : 0);
    }

    bool worker_ready(const State& state, unsigned actor) const {
        return state.cell_state == RELEASED || state.cell_incarnation != own_incarnation(actor);
    }

    bool worker(State& state, unsigned actor) {
        if (actor == 1 && state.stopped == 1) return false;
        Pc& pc = state.pc[actor];
        switch (pc) {
            case Pc::W_READ_BELL:
                state.seen_bell[actor] = state.door[1].bell;
                pc = Pc::W_SCAN;
                return true;
            case Pc::W_SCAN:
                if (state.cell_incarnation != own_incarnation(actor)) {
                    pc = Pc::W_GONE;
                } else if (state.cell_state == RELEASED) {
                    state.cell_state = RUNNING;
                    state.taken_step[actor] = state.cell_step;
                    state.taken_incarnation[actor] = state.cell_incarnation;
                    pc = Pc::W_RUN;
                } else {
                    pc = Pc::W_SLEEP_FLAG;
                }
                return true;
            case Pc::W_SLEEP_FLAG:
                state.door[1].sleeping = 1;
                pc = Pc::W_RESCAN;
                return true;
            case Pc::W_RESCAN:
                if (worker_ready(state, actor)) {
                    state.door[1].sleeping = 0;
                    pc = Pc::W_READ_BELL;
                } else {
                    pc = Pc::W_BLOCK;
                }
                return true;
            case Pc::W_BLOCK:
                return blocked(state, 1, actor, Pc::W_READ_BELL);
            case Pc::W_RUN:
                pc = Pc::W_ARRIVE;
                return true;
            case Pc::W_ARRIVE:
                pc = arrive(state, actor) ? Pc::W_COUNT : Pc::W_GONE;
                return true;
            case Pc::W_COUNT:
                ++state.counted;
                // The last one wanted so far rings: one arrival per step.
                pc = state.counted == state.taken_step[actor] || state.ring_always != 0 ? Pc::W_RING : Pc::W_READ_BELL;
                return true;
            case Pc::W_RING:
                ring(state, 0);
                pc = Pc::W_READ_BELL;
                return true;
            default:
                return false;
        }
    }

    bool arrive(State& state, unsigned actor) const {
        const bool same = state.cell_state == RUNNING && state.cell_step == state.taken_step[actor] &&
                          state.cell_incarnation == state.taken_incarnation[actor];
        if (m_rule.arrive_compares && !same) return false;
        state.cell_state = ARRIVED;
        state.cell_step = state.taken_step[actor];
        state.cell_incarnation = state.taken_incarnation[actor];
        ++state.ran[state.taken_step[actor]];
        return true;
    }

    Rule m_rule;
    std::set<State> m_seen;
    std::deque<State> m_open;
    std::string m_violation;
};

}  // namespace rendezvous
