// SPDX-License-Identifier: BSD-3-Clause
// A model of two slots of a rank, which take the visits in flight in turn, and a search of all its interleavings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>

// One rank, three visits of two steps, two slots; a master, the rank's worker and, when that is replaced, a fresh one. Each is
// a program of atomic steps, all seq_cst. Bells are left out, for the protocol of model.hpp does not depend on what is looked
// for: who waits sees every change at once. The master walks any visit that may go on, not only the oldest one. A worker
// goes through the slots as run_released() does. It may die at any step, or be replaced while it lives and go on. Violations:
//   - a step of a visit arrives before the same step of the visit before;
//   - an arrival of a worker that was replaced goes through, once another one is there;
//   - a step arrives twice;
//   - nobody can move, and the last visit has not ended.

namespace flights {

// Which defences are in place. The protocol as shipped is the default.
struct Rule {
    bool looks_for_older = true;       // who has seen a step looks whether the rank's step of an older visit waits
    bool looks_after_seeing = true;    // and not before it has seen it
    bool releases_in_order = true;     // the master asks for a step of a visit when it has asked the visit before for it
    bool takes_what_it_saw = true;     // taking is a CAS from the word by which the worker has looked for older ones
    bool sorts_slots = true;           // the slot of the older visit is looked at first
    bool revokes_youngest_first = true;
    bool dies = false;
    bool is_replaced_alive = false;
};

constexpr std::uint8_t VISITS = 3, STEPS = 2, SLOTS = 2;
enum State : std::uint8_t { IDLE, RELEASED, RUNNING, ARRIVED };
enum class Pc : std::uint8_t { SLEEP, ORDER, ORDER_SECOND, LOOK_EARLY, SEE, LOOK, TAKE, ARRIVE, GONE };
enum Who : unsigned { FIRST, FRESH, WORKERS };

struct Word {
    std::uint8_t visit, step, state, incarnation;
    friend bool operator==(const Word&, const Word&) = default;
};

struct Worker {
    Pc pc;
    std::uint8_t first, second, place;  // slots in the order in which it looks at them, and at which it is
    std::uint8_t found_older;
    std::uint8_t read_visit;            // of slot 0, while it orders them
    Word seen;
};

// Bytes without padding, so that states compare as memory.
struct World {
    Word cells[SLOTS];
    Worker workers[WORKERS];
    std::uint8_t next[VISITS + 1];  // of a visit: 2s - 2 before the release of step s, 2s - 1 before its arrival
    std::uint8_t arrived[VISITS + 1];  // steps, as bits
    std::uint8_t incarnation, replacing;  // 0: no; 1, 2: a first or second slot is revoked next; 3: done

    friend bool operator==(const World& a, const World& b) { return std::memcmp(&a, &b, sizeof(World)) == 0; }
};

struct Hash {
    std::size_t operator()(const World& world) const {
        return std::hash<std::string_view>{}({reinterpret_cast<const char*>(&world), sizeof(World)});
    }
};

class Model {
public:
    explicit Model(const Rule& rule) : m_rule(rule) {}

    // Empty if every interleaving is right; else what went wrong in the first bad one found.
    std::string explore() {
        World start{};
        start.workers[FRESH].pc = Pc::GONE;
        push(start);
        while (!m_open.empty() && m_violation.empty()) {
            const World world = m_open.front();
            m_open.pop_front();
            const std::size_t before = m_moves;
            walk(world);
            replace(world);
            for (unsigned who = 0; who < WORKERS; ++who) work(world, who);
            if (m_moves == before && world.next[VISITS] != 2 * STEPS && m_violation.empty()) m_violation = "nobody goes on";
        }
        return m_violation;
    }
    std::size_t states() const { return m_seen.size(); }

private:
    static constexpr std::uint8_t slot_of(unsigned visit) { return static_cast<std::uint8_t>(visit % SLOTS); }

    void push(const World& world) {
        ++m_moves;
        if (m_seen.insert(world).second) m_open.push_back(world);
    }

    // --- the master

    void walk(const World& world) {
        if (world.replacing == 1 || world.replacing == 2) return;
        for (std::uint8_t visit = 1; visit <= VISITS; ++visit) {
            // A slot is free when the visit that had it has ended.
            if (visit > SLOTS && world.next[visit - SLOTS] != 2 * STEPS) continue;
            const std::uint8_t at = world.next[visit];
            if (at == 2 * STEPS || (m_rule.releases_in_order && visit > 1 && world.next[visit - 1] <= at)) continue;
            const auto step = static_cast<std::uint8_t>(at / 2 + 1);
            World next = world;
            Word& cell = next.cells[slot_of(visit)];
            ++next.next[visit];
            if (at % 2 == 0) cell = {visit, step, RELEASED, world.incarnation};
            else if (cell.state != ARRIVED || cell.visit != visit || cell.step != step) continue;
            push(next);
        }
    }

    // A worker is replaced, dead or alive: its incarnation, then slot after slot.
    void replace(const World& world) {
        if (!m_rule.dies && !m_rule.is_replaced_alive) return;
        World next = world;
        if (world.replacing == 0) {
            if (m_rule.dies) next.workers[FIRST] = {Pc::GONE, 0, 0, 0, 0, 0, {}};
            next.incarnation = 1;
        } else if (world.replacing <= SLOTS) {
            const bool first_is_younger = world.cells[0].visit > world.cells[1].visit;
            const bool takes_first = (world.replacing == 1) == (first_is_younger == m_rule.revokes_youngest_first);
            Word& cell = next.cells[takes_first ? 0 : 1];
            cell.incarnation = 1;
            if (cell.state == RUNNING) cell.state = RELEASED;
            if (world.replacing == SLOTS) next.workers[FRESH].pc = Pc::SLEEP;
        } else {
            return;
        }
        ++next.replacing;
        push(next);
    }

    // --- a worker

    static bool is_for(const Word& word, unsigned who) { return word.state == RELEASED && word.incarnation == who; }

    void work(const World& world, unsigned who) {
        World next = world;
        Worker& self = next.workers[who];
        const std::uint8_t slot = self.place == 0 ? self.first : self.second;
        const Word other = world.cells[1 - slot];
        const auto looks_for_older = [&] { self.found_older = is_for(other, who) && other.visit < self.seen.visit; };
        switch (self.pc) {
            case Pc::GONE:
                return;
            case Pc::SLEEP:
                if (!is_for(world.cells[0], who) && !is_for(world.cells[1], who)) return;
                self = {Pc::ORDER, 0, 1, 0, 0, 0, {}};
                break;
            case Pc::ORDER:
                self.read_visit = world.cells[0].visit;
                self.pc = Pc::ORDER_SECOND;
                break;
            case Pc::ORDER_SECOND:
                if (m_rule.sorts_slots && world.cells[1].visit < self.read_visit) std::swap(self.first, self.second);
                self.read_visit = 0;
                self.pc = m_rule.looks_after_seeing ? Pc::SEE : Pc::LOOK_EARLY;
                break;
            case Pc::LOOK_EARLY:
                self.seen = world.cells[slot];
                self.seen.visit = static_cast<std::uint8_t>(self.seen.visit + 1);
                looks_for_older();
                self.seen = {};
                self.pc = Pc::SEE;
                break;
            case Pc::SEE:
                self.seen = world.cells[slot];
                if (!is_for(self.seen, who)) nothing(self);
                else self.pc = m_rule.looks_for_older ? Pc::LOOK : Pc::TAKE;
                break;
            case Pc::LOOK:
                if (m_rule.looks_after_seeing) looks_for_older();
                if (self.found_older != 0) nothing(self);
                else self.pc = Pc::TAKE;
                break;
            case Pc::TAKE:
                take(next, who, slot);
                break;
            case Pc::ARRIVE:
                arrive(next, who, slot);
                break;
        }
        push(next);
    }

    // Nothing was found in a slot: the other one, or it sleeps.
    void nothing(Worker& self) const {
        if (self.place == 1) {
            self = {Pc::SLEEP, 0, 0, 0, 0, 0, {}};
            return;
        }
        self.place = 1;
        self.found_older = 0;
        self.seen = {};
        self.pc = m_rule.looks_after_seeing ? Pc::SEE : Pc::LOOK_EARLY;
    }

    void take(World& next, unsigned who, std::uint8_t slot) const {
        Worker& self = next.workers[who];
        Word& cell = next.cells[slot];
        if (m_rule.takes_what_it_saw ? cell != self.seen : !is_for(cell, who)) return nothing(self);
        cell.state = RUNNING;
        self.seen = cell;
        self.pc = Pc::ARRIVE;
    }

    void arrive(World& next, unsigned who, std::uint8_t slot) {
        Worker& self = next.workers[who];
        Word& cell = next.cells[slot];
        if (cell != self.seen) {
            self = {Pc::GONE, 0, 0, 0, 0, 0, {}};
            return;
        }
        const unsigned visit = cell.visit, bit = 1u << cell.step;
        cell.state = ARRIVED;
        self = {Pc::ORDER, 0, 1, 0, 0, 0, {}};
        if (visit > 1 && (next.arrived[visit - 1] & bit) == 0) m_violation = "a visit overtakes the one before";
        if ((next.arrived[visit] & bit) != 0) m_violation = "a step arrives twice";
        if (who == FIRST && next.replacing > SLOTS) m_violation = "an arrival of a worker that was replaced";
        next.arrived[visit] = static_cast<std::uint8_t>(next.arrived[visit] | bit);
    }

    Rule m_rule;
    std::unordered_set<World, Hash> m_seen;
    std::deque<World> m_open;
    std::size_t m_moves = 0;
    std::string m_violation;
};

}  // namespace flights
