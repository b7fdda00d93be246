// SPDX-License-Identifier: BSD-3-Clause
// Doorbells over threads: no wake is lost, deadlines hold. Meant for the thread sanitizer too.
#include <sched.h>

#include <atomic>
#include <thread>

#include "check.hpp"
#include "os/clock.hpp"
#include "sync/doorbell.hpp"

using namespace pex;

namespace {

// Two threads hand a turn to each other; a lost wake would leave both asleep until the deadline.
bool ping_pong(const sync::Patience& patience, std::uint32_t rounds) {
    sync::DoorbellShm doors[2] = {};
    std::atomic<std::uint32_t> turn{0};
    std::atomic<bool> in_time{true};
    auto player = [&](std::uint32_t self) {
        for (std::uint32_t round = 0; round < rounds; ++round) {
            const std::uint32_t mine = 2 * round + self;
            const std::uint64_t deadline = os::now_ns() + 20'000'000'000u;
            const auto outcome = sync::wait_for(doors[self], patience, deadline,
                                                [&] { return turn.load(std::memory_order_seq_cst) == mine; });
            if (outcome != sync::WaitOutcome::READY) {
                in_time = false;
                return;
            }
            turn.store(mine + 1, std::memory_order_seq_cst);
            sync::ring(doors[1 - self]);
        }
    };
    std::thread other(player, 1u);
    player(0u);
    other.join();
    return in_time;
}

}  // namespace

PEX_TEST(no_wake_is_lost_when_waiters_sleep_at_once) { PEX_CHECK(ping_pong({}, 3000)); }

PEX_TEST(no_wake_is_lost_when_waiters_yield_first) { PEX_CHECK(ping_pong({20'000, 0}, 3000)); }

PEX_TEST(a_wait_ends_at_its_deadline_and_not_before) {
    sync::DoorbellShm door{};
    const std::uint64_t deadline = os::now_ns() + 20'000'000;
    const auto outcome = sync::wait_for(door, {1000, 10}, deadline, [] { return false; });
    PEX_CHECK(outcome == sync::WaitOutcome::TIMEOUT);
    PEX_CHECK(os::now_ns() >= deadline);
}

PEX_TEST(a_ring_before_the_wait_is_not_needed) {
    sync::DoorbellShm door{};
    PEX_CHECK(sync::wait_for(door, {}, os::NO_DEADLINE, [] { return true; }) == sync::WaitOutcome::READY);
}

PEX_TEST(others_are_let_in_before_a_wait_blocks_and_not_when_there_is_none) {
    sync::DoorbellShm door{};
    int idle = 0;
    auto count = [&] { ++idle; };
    sync::wait_for(door, {}, os::NO_DEADLINE, [] { return true; }, count);
    PEX_CHECK_EQ(idle, 0);
    // Without `idle` this one would not end: what is waited for is what it lets in.
    const auto outcome = sync::wait_for(door, {1'000'000, 5}, os::now_ns() + 10'000'000'000u, [&] { return idle > 0; }, [&] {
        count();
        sync::ring(door);
    });
    PEX_CHECK(outcome == sync::WaitOutcome::READY);
}

PEX_TEST(a_door_knows_on_which_core_its_owner_waits) {
    sync::DoorbellShm door{};
    bool shared = false;
    std::thread waiting([&] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        sched_setaffinity(0, sizeof(one), &one);
        sync::wait_for(door, {}, os::NO_DEADLINE, [] { return true; });
        shared = sync::shares_core(door);
    });
    waiting.join();
    PEX_CHECK(shared);
    door.core.store(-1);
    PEX_CHECK(!sync::shares_core(door));
}
