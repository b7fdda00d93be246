// SPDX-License-Identifier: BSD-3-Clause
// A process may die between any two instructions: each is tried, by single steps and by real kills.
#include <cstring>
#include <random>
#include <vector>

#include "stepper.hpp"
#include "support.hpp"

using namespace support;

namespace {

constexpr ProcessSlot VICTIM{7};
constexpr unsigned VISIT = 3;

// Sweeps a copy of the control segment as if the victim had died there, and checks that all is whole again.
class Autopsy {
  public:
    Autopsy(const Arena& patient, const ArenaConfig& config, std::vector<BlockRef> survivors)
        : m_config(config),
          m_survivors(std::move(survivors)),
          m_snapshot(patient.control_segment().bytes()) {}

    // True if the shared state differs from the last one seen.
    bool changed(const Arena& patient) {
        const std::byte* now = patient.control_segment().data();
        if (std::memcmp(now, m_snapshot.data(), m_snapshot.size()) == 0) return false;
        std::memcpy(m_snapshot.data(), now, m_snapshot.size());
        return true;
    }

    void examine() {
        auto sut = Arena::create(m_config);
        std::memcpy(sut->control_segment().data(), m_snapshot.data(), m_snapshot.size());
        sut->attach(MASTER);
        // Nobody else is changing a block.
        const ArenaStats dying = sut->stats();
        const std::uint64_t busy = dying.busy_blocks;
        PEX_CHECK_EQ(dying.live_bytes + dying.warm_bytes, dying.counted_bytes);  // what is busy is not free
        PEX_CHECK_EQ(sut->live_bytes(), dying.live_bytes);
        PEX_CHECK(sut->quarantine(VICTIM).blocks >= busy);
        PEX_CHECK_EQ(sut->stats().busy_blocks, busy);
        m_busy += busy;
        sut->sweep(VICTIM);
        sut->retire_visit(VISIT);
        const ArenaStats stats = sut->stats();
        PEX_CHECK_EQ(stats.busy_blocks, 0U);
        PEX_CHECK_EQ(stats.live_blocks, m_survivors.size());
        PEX_CHECK_EQ(stats.committed_bytes, stats.counted_bytes);
        PEX_CHECK_EQ(stats.committed_bytes, stats.live_bytes + stats.warm_bytes);
        for (const BlockRef ref : m_survivors) PEX_CHECK(sut->is_live(ref));
        for (const HolderInfo& holder : sut->biggest_holders(10)) {
            PEX_CHECK(holder.kind == HolderInfo::Kind::process && holder.slot == MASTER.value);
        }
        // Everything that is not held can be had: the whole rest of the arena in one block.
        PEX_CHECK(sut->alloc(stats.arena_bytes - stats.live_bytes).outcome == Outcome::ok);
        ++m_examined;
    }

    int examined() const { return m_examined; }
    std::uint64_t busy() const { return m_busy; }

  private:
    ArenaConfig m_config;
    std::vector<BlockRef> m_survivors;
    std::vector<std::byte> m_snapshot;
    int m_examined = 0;
    std::uint64_t m_busy = 0;
};

// Runs body(arena) in a child, one instruction at a time, and examines every state that others could find the
// shared memory in. Returns the number of states.
template <class Body>
int examine_each_step(Arena& patient, const ArenaConfig& config, std::vector<BlockRef> survivors, Body body) {
    Stepper child([&] { body(patient); });
    Autopsy autopsy(patient, config, std::move(survivors));
    autopsy.changed(patient);
    for (; !child.ended(); child.step()) {
        if (autopsy.changed(patient)) autopsy.examine();
    }
    PEX_CHECK(autopsy.busy() > 0);  // some deaths were in the middle of a change
    return autopsy.examined();
}

}  // namespace

PEX_TEST(a_death_at_any_instruction_of_a_fresh_allocation_and_its_release_leaves_all_whole) {
    if (skip_under_thread_sanitizer("a process stepped through by another")) return;
    const ArenaConfig config = config_of(2 * MIB);
    auto patient = Arena::create(config);
    patient->attach(MASTER);
    const BlockRef kept = patient->alloc(256 * KIB).block.ref;
    const int states = examine_each_step(*patient, config, {kept}, [](Arena& arena) {
        arena.attach(VICTIM);
        const BlockRef ref = arena.alloc(100 * KIB).block.ref;
        arena.set_root(ref, VISIT);
        arena.hold(ref);
        arena.drop(ref);
        arena.drop(ref);
        arena.hold(ref);
        arena.drop(ref);
    });
    PEX_CHECK(states > 15);
}

PEX_TEST(a_death_at_any_instruction_of_warm_reuse_growth_and_trimming_leaves_all_whole) {
    if (skip_under_thread_sanitizer("a process stepped through by another")) return;
    const ArenaConfig config = config_of(2 * MIB);
    auto patient = Arena::create(config);
    patient->attach(MASTER);
    const BlockRef kept = patient->alloc(256 * KIB).block.ref;
    const int states = examine_each_step(*patient, config, {kept}, [](Arena& arena) {
        arena.attach(VICTIM);
        arena.drop(arena.alloc(900 * KIB).block.ref);
        arena.drop(arena.alloc(1000 * KIB).block.ref);  // warm, and grows
        arena.drop(arena.alloc(1500 * KIB).block.ref);  // the warm block must be trimmed for it
        arena.alloc(1900 * KIB);                        // refused: goes through every way out
        arena.trim();
    });
    PEX_CHECK(states > 60);
}

PEX_TEST(a_death_at_any_instruction_of_stealing_and_sharing_leaves_all_whole) {
    if (skip_under_thread_sanitizer("a process stepped through by another")) return;
    const ArenaConfig config = config_of(2 * MIB);
    auto patient = Arena::create(config);
    patient->attach(MASTER);
    const BlockRef warm = patient->alloc(1200 * KIB).block.ref;
    const BlockRef shared = patient->alloc(400 * KIB).block.ref;
    patient->drop(warm);
    const int states = examine_each_step(*patient, config, {shared}, [&](Arena& arena) {
        arena.attach(VICTIM);
        arena.hold(shared);
        const BlockRef stolen = arena.alloc(1200 * KIB).block.ref;  // no room for a fresh one
        if (stolen.index() != warm.index()) throw std::runtime_error("not the master's block");
        arena.set_root(stolen, VISIT);
        arena.drop(stolen);
        arena.drop(shared);
    });
    PEX_CHECK(states > 8);
}

namespace {

// What a process does in the killing test: everything, in random order, on blocks of its own and on those the
// master shares. A block carries its reference at both ends while it is held; a mark that is gone ends the
// process with 99.
class Restless {
  public:
    Restless(Arena& arena, unsigned seed, const std::vector<BlockRef>& shared)
        : m_arena(arena), m_random(seed), m_shared(shared) {}

    void do_something() {
        const auto what = m_random() % 64;
        if (what < 24) {
            allocate();
        } else if (what < 44) {
            give_one_back();
        } else if (what < 54) {
            hold_shared();
        } else if (what < 62) {
            if (!m_mine.empty()) m_arena.set_root(m_mine.back(), VISIT);
        } else {
            m_arena.trim(m_random() % (4 * MIB));
        }
    }

    void give_all_back() {
        while (!m_mine.empty()) give_one_back();
    }

  private:
    void allocate() {
        const AllocResult got = m_arena.alloc(1 + m_random() % (600 * KIB));
        if (got.outcome != Outcome::ok) return give_one_back();
        mark(m_arena, got.block.ref);
        m_mine.push_back(got.block.ref);
    }
    void give_one_back() {
        if (m_mine.empty()) return;
        std::swap(m_mine[m_random() % m_mine.size()], m_mine.back());
        if (!is_marked(m_arena, m_mine.back())) ::_exit(99);
        m_arena.drop(m_mine.back());
        m_mine.pop_back();
    }
    void hold_shared() {
        const BlockRef ref = m_shared[m_random() % m_shared.size()];
        m_arena.hold(ref);
        m_mine.push_back(ref);
        if (!is_marked(m_arena, ref)) ::_exit(99);
    }

    Arena& m_arena;
    std::minstd_rand m_random;
    const std::vector<BlockRef>& m_shared;
    std::vector<BlockRef> m_mine;
};

pid_t fork_restless(Arena& arena, ProcessSlot slot, unsigned seed, const std::vector<BlockRef>& shared) {
    return fork_child([&] {
        arena.attach(slot);
        Restless worker(arena, seed, shared);
        for (;;) worker.do_something();
    });
}

void kill_and_reap(pid_t pid) {
    ::kill(pid, SIGKILL);
    const int status = reap(pid);
    PEX_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

}  // namespace

PEX_TEST(processes_killed_at_random_leave_nothing_that_a_sweep_does_not_find) {
    constexpr unsigned WORKERS = 3, DEATHS = 120;
    const unsigned seed = std::random_device{}();
    auto sut = attached_arena(12 * MIB);
    std::vector<BlockRef> shared;
    for (int i = 0; i < 4; ++i) {
        shared.push_back(sut->alloc(200 * KIB).block.ref);
        mark(*sut, shared.back());
    }
    std::minstd_rand random(seed);
    Restless master(*sut, seed, shared);
    pid_t workers[WORKERS];
    const auto slot_of = [](unsigned worker) {
        return ProcessSlot{static_cast<std::uint8_t>(worker * 63 + 10)};
    };
    for (unsigned w = 0; w < WORKERS; ++w) workers[w] = fork_restless(*sut, slot_of(w), seed + w, shared);
    const int before = check::failures();
    for (unsigned death = 0; death < DEATHS && check::failures() == before; ++death) {
        for (auto steps = random() % 200; steps > 0; --steps) master.do_something();
        const auto w = static_cast<unsigned>(random() % WORKERS);
        kill_and_reap(workers[w]);
        sut->sweep(slot_of(w));
        workers[w] = fork_restless(*sut, slot_of(w), seed + WORKERS + death, shared);
        if (death % 8 == 0) sut->retire_visit(VISIT);
    }
    for (unsigned w = 0; w < WORKERS; ++w) {
        kill_and_reap(workers[w]);
        sut->sweep(slot_of(w));
    }
    sut->retire_visit(VISIT);
    master.give_all_back();
    for (const BlockRef ref : shared) PEX_CHECK(is_marked(*sut, ref));
    for (const BlockRef ref : shared) sut->drop(ref);
    check_all_free(*sut);
    sut->trim();
    PEX_CHECK_EQ(sut->stats().committed_bytes, 0U);
    PEX_CHECK(sut->alloc(12 * MIB).outcome == Outcome::ok);
    if (check::failures() != before) std::cerr << "seed " << seed << "\n";
}
