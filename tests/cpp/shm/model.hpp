// SPDX-License-Identifier: BSD-3-Clause
// A model of the hold, publish and reclaim protocol, and a search of all its interleavings.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// One block and up to six actors, each a straight program of atomic steps (all seq_cst, as in
// block_header.cpp). The search takes every reachable order of steps. Violations:
//   - the block leaves LIVE while a holder or root bit is set;
//   - an actor that was promised the block sets its bit on a block that is no longer live in that generation;
//   - all programs have ended and nobody has reclaimed the block.

namespace model {

enum class Op : std::uint8_t {
    set_root,
    bump,
    publish,  // the manifest becomes visible to the addressee
    wait_published,
    set_bit,
    arrive,
    wait_arrived,  // the addressees arrived, or were reaped and swept
    clear_root,
    clear_bit,
    wait_dead,  // the addressee was reaped
    clear_dead_bit,
    load_state,  // the reclaim rule, one step per load
    load_adds,
    load_roots,
    load_word_0,
    load_word_1,
    reload_adds,
    cas_busy,
    reuse,  // BUSY(me): own bit for the next use
    open,   // LIVE(gen + 1)
    end,
};

// An atomic step; `what` is a visit for roots and publications, an addressee's number for its arrival, and a set
// of those for a wait.
struct Step {
    Op op = Op::end;
    std::uint8_t what = 0;
};
using Program = std::vector<Step>;

enum Actor : unsigned { PUBLISHER, HOLDER, ADDRESSEE, MASTER, EXTRA, SECOND, ACTORS };

// Who is there beside publisher, addressee and master.
enum class Cast : std::uint8_t {
    one_visit,       // a second holder, and a process that tries to reclaim out of turn or sweeps
    two_addressees,  // of one visit, and a second holder
    two_visits,      // of one publisher, with an addressee each, and a second holder
    relay,           // the addressee publishes what it received in a second visit; and a second holder
};

// Which defences are in place. The rule as shipped is the default.
struct Rule {
    bool reload_adds = true;
    bool bump_on_hold = true;
    bool bump_on_root = true;
    bool bit_before_bump = true;
    bool check_generation = true;
    bool wait_for_arrival = true;
    bool wait_for_all = true;  // addressees of a visit
    bool reclaim_after_clear = true;
    bool roots_first = true;      // both orders of the scan must do
    bool addressee_dies = false;  // at any of its steps; EXTRA then is the sweeper
    bool sweep_all_live = true;
    Cast cast = Cast::one_visit;
};

struct State {
    std::array<std::uint8_t, ACTORS> pc{};
    std::array<std::uint8_t, ACTORS> seen_adds{};
    std::array<std::uint8_t, ACTORS> seen_generation{};
    std::array<std::uint8_t, 2>
        words{};  // addressee and master in word 1, the others in word 0
    std::uint8_t roots = 0;      // a bit per visit
    std::uint8_t adds = 0;
    std::uint8_t live = 1;
    std::uint8_t owner = 0;  // of the busy state
    std::uint8_t generation = 1;
    std::uint8_t published = 0;  // a bit per visit
    std::uint8_t arrived = 0;    // a bit per addressee
    std::uint8_t dead = 0;
};

using Key = std::array<std::uint64_t, 2>;

// All of a state in 128 bits, so that millions of them fit in a hash set.
Key key_of(const State& state) {
    Key key{};
    unsigned used = 0;
    const auto put = [&](std::uint8_t value, unsigned bits) {
        if (used % 64 + bits > 64) used += 64 - used % 64;
        if (value >= 1U << bits || used + bits > 128)
            throw std::logic_error("the key of a state has too few bits");
        key[used / 64] |= std::uint64_t{value} << used % 64;
        used += bits;
    };
    for (unsigned actor = 0; actor < ACTORS; ++actor) {
        put(state.pc[actor], 5);
        put(state.seen_adds[actor], 4);
        put(state.seen_generation[actor], 2);
    }
    put(static_cast<std::uint8_t>(state.words[0] | state.words[1]), ACTORS);
    put(state.adds, 4);
    put(static_cast<std::uint8_t>(state.live << 3 | state.owner), 4);
    put(state.generation, 2);
    put(static_cast<std::uint8_t>(state.roots << 2 | state.published), 4);
    put(static_cast<std::uint8_t>(state.arrived << 1 | state.dead), 3);
    return key;
}

constexpr unsigned word_of(unsigned actor) { return actor == ADDRESSEE || actor == MASTER ? 1 : 0; }
constexpr std::uint8_t bit_of(unsigned actor) { return static_cast<std::uint8_t>(1U << actor); }

// The states seen: keys in an open table, because millions of them are asked for.
class KeySet {
  public:
    // True if the key is new.
    bool insert(const Key& key) {
        if (2 * m_count >= m_slots.size()) grow();
        if (!place(m_slots, key)) return false;
        ++m_count;
        return true;
    }
    std::size_t size() const { return m_count; }

  private:
    static constexpr Key EMPTY{};  // no state's key: the generation is never 0

    static bool place(std::vector<Key>& slots, const Key& key) {
        const std::uint64_t mixed = (key[0] ^ (key[1] * 0xff51afd7ed558ccdU)) * 0x9e3779b97f4a7c15U;
        std::size_t at = (mixed ^ mixed >> 32) & (slots.size() - 1);
        for (; slots[at] != EMPTY; at = (at + 1) & (slots.size() - 1)) {
            if (slots[at] == key) return false;
        }
        slots[at] = key;
        return true;
    }
    void grow() {
        std::vector<Key> larger(m_slots.size() * 4);
        for (const Key& key : m_slots) {
            if (key != EMPTY) place(larger, key);
        }
        m_slots = std::move(larger);
    }

    std::vector<Key> m_slots = std::vector<Key>(std::size_t{1} << 16);
    std::size_t m_count = 0;
};

class Model {
  public:
    explicit Model(const Rule& rule) : m_rule(rule) {
        const bool two_visits = rule.cast == Cast::two_visits, relay = rule.cast == Cast::relay;
        const bool two_addressees = rule.cast == Cast::two_addressees;
        const Program leave = join({{{Op::clear_bit}}, rule.reclaim_after_clear ? reclaim() : Program{}});

        m_programs[PUBLISHER] = join({publish(0), two_visits ? publish(1) : Program{}, leave});
        // A death multiplies the states; of the droppers this one is then not there.
        m_has_holder = rule.cast == Cast::one_visit || !rule.addressee_dies;
        if (m_has_holder) m_programs[HOLDER] = leave;
        m_programs[ADDRESSEE] = join({receive(0, 0), relay ? publish(1) : Program{}, leave});
        m_programs[MASTER] = retire(0, two_addressees && rule.wait_for_all ? 3 : 1);
        if (two_addressees) m_programs[SECOND] = join({receive(0, 1), leave});
        if (two_visits || relay) {
            m_programs[SECOND] = join({receive(1, 1), leave});
            m_programs[MASTER] = join({retire(0, 1), retire(1, 2)});
        }
        if (rule.addressee_dies) m_programs[EXTRA] = join({{{Op::wait_dead}, {Op::clear_dead_bit}}, reclaim()});
        if (!rule.addressee_dies && rule.cast == Cast::one_visit) m_programs[EXTRA] = reclaim();
        for (Program& program : m_programs) program.push_back({Op::end});
    }

    // Empty if every interleaving is right; else what went wrong in the first bad one found.
    std::string explore() {
        State first;
        first.words[0] = bit_of(PUBLISHER);
        if (m_has_holder) first.words[0] = static_cast<std::uint8_t>(first.words[0] | bit_of(HOLDER));
        push(first);
        while (!m_open.empty() && m_violation.empty()) {
            const State state = m_open.front();
            m_open.pop_front();
            bool moved = false;
            for (unsigned actor = 0; actor < ACTORS; ++actor) moved |= step(state, actor);
            if (m_rule.addressee_dies) moved |= kill_addressee(state);
            if (!moved) check_end(state);
        }
        return m_violation;
    }

    std::size_t states() const { return m_seen.size(); }

  private:
    static Program join(const std::vector<Program>& parts) {
        Program program;
        for (const Program& part : parts) program.insert(program.end(), part.begin(), part.end());
        return program;
    }

    Program reclaim() const {
        Program program{{Op::load_state}, {Op::load_adds}};
        if (m_rule.roots_first) program.push_back({Op::load_roots});
        for (const Op op : {Op::load_word_0, Op::load_word_1}) program.push_back({op});
        if (!m_rule.roots_first) program.push_back({Op::load_roots});
        if (m_rule.reload_adds) program.push_back({Op::reload_adds});
        for (const Op op : {Op::cas_busy, Op::reuse, Op::open}) program.push_back({op});
        return program;
    }
    Program publish(std::uint8_t visit) const {
        Program program{{Op::set_root, visit}};
        if (m_rule.bump_on_root) program.push_back({Op::bump});
        program.push_back({Op::publish, visit});
        return program;
    }
    Program receive(std::uint8_t visit, std::uint8_t addressee) const {
        Program program{{Op::wait_published, visit}};
        if (m_rule.bump_on_hold && !m_rule.bit_before_bump) program.push_back({Op::bump});
        program.push_back({Op::set_bit});
        if (m_rule.bump_on_hold && m_rule.bit_before_bump) program.push_back({Op::bump});
        program.push_back({Op::arrive, addressee});
        return program;
    }
    Program retire(std::uint8_t visit, std::uint8_t addressees) const {
        const Step wait = m_rule.wait_for_arrival ? Step{Op::wait_arrived, addressees} : Step{Op::wait_published, visit};
        return join({{wait, {Op::clear_root, visit}}, m_rule.reclaim_after_clear ? reclaim() : Program{}});
    }

    void push(const State& state) {
        if (m_seen.insert(key_of(state))) m_open.push_back(state);
    }

    // Runs one step of an actor; false if it has ended, is dead or waits.
    bool step(const State& before, unsigned actor) {
        State next = before;
        const Step now = m_programs[actor][before.pc[actor]];
        const Op op = now.op;
        if (op == Op::end || (actor == ADDRESSEE && before.dead != 0)) return false;
        ++next.pc[actor];
        if (op >= Op::load_state) {
            reclaim_step(next, actor, op);
        } else if (!protocol_step(next, actor, now)) {
            return false;
        }
        push(next);
        return true;
    }

    bool protocol_step(State& state, unsigned actor, Step now) {
        const auto own = bit_of(actor);
        const auto bit = static_cast<std::uint8_t>(1U << now.what);
        std::uint8_t& word = state.words[word_of(actor)];
        switch (now.op) {
            case Op::set_root:
                state.roots = static_cast<std::uint8_t>(state.roots | bit);
                break;
            case Op::bump:
                ++state.adds;
                break;
            case Op::publish:
                state.published = static_cast<std::uint8_t>(state.published | bit);
                break;
            case Op::wait_published:
                return (state.published & bit) != 0;
            case Op::set_bit:
                if (state.live == 0 || state.generation != 1)
                    m_violation = "a bit set on a block that is gone";
                word = static_cast<std::uint8_t>(word | own);
                break;
            case Op::arrive:
                state.arrived = static_cast<std::uint8_t>(state.arrived | bit);
                break;
            case Op::wait_arrived:
                return (state.arrived & now.what) == now.what;
            case Op::clear_root:
                state.roots = static_cast<std::uint8_t>(state.roots & ~bit);
                break;
            case Op::clear_bit:
                word = static_cast<std::uint8_t>(word & ~own);
                break;
            case Op::wait_dead:
                return state.dead != 0;
            case Op::clear_dead_bit:
                sweep(state);
                break;
            default:
                break;
        }
        return true;
    }

    // The sweeper's visit to the header: clear the bit, take over a busy block, let the master go on.
    void sweep(State& state) {
        std::uint8_t& word = state.words[word_of(ADDRESSEE)];
        const bool had_bit = (word & bit_of(ADDRESSEE)) != 0;
        word = static_cast<std::uint8_t>(word & ~bit_of(ADDRESSEE));
        state.arrived = static_cast<std::uint8_t>(state.arrived | 1U);
        if (state.live == 0 && state.owner == ADDRESSEE) state.owner = EXTRA;
        if (!had_bit && !m_rule.sweep_all_live) state.pc[EXTRA] = last(EXTRA);
    }

    void reclaim_step(State& state, unsigned actor, Op op) {
        bool held = false;
        switch (op) {
            case Op::load_state:
                held = state.live == 0;
                state.seen_generation[actor] = state.generation;
                break;
            case Op::load_adds:
                state.seen_adds[actor] = state.adds;
                break;
            case Op::load_roots:
                held = state.roots != 0;
                break;
            case Op::load_word_0:
                held = state.words[0] != 0;
                break;
            case Op::load_word_1:
                held = state.words[1] != 0;
                break;
            case Op::reload_adds:
                held = state.adds != state.seen_adds[actor];
                break;
            case Op::cas_busy:
                held = state.live == 0 ||
                       (m_rule.check_generation && state.generation != state.seen_generation[actor]);
                if (held) break;
                if (state.words[0] != 0 || state.words[1] != 0 || state.roots != 0)
                    m_violation = "reclaimed while held";
                state.live = 0;
                state.owner = static_cast<std::uint8_t>(actor);
                break;
            case Op::reuse:
                state.words[word_of(actor)] =
                    static_cast<std::uint8_t>(state.words[word_of(actor)] | bit_of(actor));
                ++state.adds;
                break;
            case Op::open:
                state.live = 1;
                ++state.generation;
                break;
            default:
                break;
        }
        if (held) state.pc[actor] = after_reclaim(actor, state.pc[actor]);
        // What is not looked at again is forgotten, so that states that differ in nothing else become one.
        if (held || op == Op::cas_busy) state.seen_adds[actor] = state.seen_generation[actor] = 0;
        if (op == Op::reload_adds) state.seen_adds[actor] = 0;
    }

    bool kill_addressee(const State& before) {
        if (before.dead != 0 || before.published == 0) return false;
        State next = before;
        next.dead = 1;
        push(next);
        return true;
    }

    void check_end(const State& state) {
        if (state.live != 0 && state.generation == 1) m_violation = "nobody reclaimed the block";
    }

    // Where an actor that was refused goes on.
    std::uint8_t after_reclaim(unsigned actor, std::uint8_t pc) const {
        // The step refused may have been the last but one: `pc` is past it already.
        while (m_programs[actor][pc - 1U].op != Op::open) ++pc;
        return pc;
    }

    std::uint8_t last(unsigned actor) const {
        return static_cast<std::uint8_t>(m_programs[actor].size() - 1);
    }

    Rule m_rule;
    bool m_has_holder = true;
    std::array<Program, ACTORS> m_programs;
    KeySet m_seen;
    std::deque<State> m_open;
    std::string m_violation;
};

}  // namespace model
