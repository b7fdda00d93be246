// SPDX-License-Identifier: BSD-3-Clause
// The same protocols between threads, where a race detector can see every access.
#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "shm/account.hpp"
#include "shm/block_header.hpp"
#include "support.hpp"

using namespace support;

namespace {

// Threads that play processes: one header and its block, both in ordinary memory.
struct Stage {
    BlockHeaderShm header{};
    std::uint64_t pixels = 0;  // not atomic on purpose: the protocol alone must keep its users apart
};

constexpr unsigned THREADS = 4;
constexpr unsigned VISIT = 5;

// Waits in a way that lets others run on few cores.
void wait_for(const std::atomic<unsigned>& value, unsigned wanted) {
    while (value.load() != wanted) std::this_thread::yield();
}

void let_go(Stage& stage, ProcessSlot self, std::atomic<unsigned>& reclaimed) {
    clear_holder(stage.header, self);
    if (const auto generation = try_reclaim(stage.header, self)) {
        stage.pixels = 0;  // what the next owner would do
        change_state(stage.header, {BlockState::busy, self, *generation},
                     {BlockState::free_warm, {}, *generation});
        ++reclaimed;
    }
}

}  // namespace

PEX_TEST(threads_as_processes_never_see_a_block_reclaimed_under_them) {
    constexpr unsigned ROUNDS = 400;
    Stage stage;
    std::atomic<unsigned> round{0}, arrived{0}, reclaimed{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < THREADS; ++t) {
        threads.emplace_back([&, t] {
            const ProcessSlot self{static_cast<std::uint8_t>(t * 64)};
            for (unsigned r = 1; r <= ROUNDS; ++r) {
                wait_for(round, r);
                set_holder(stage.header, self);  // materialise, under the visit's root
                const std::uint64_t seen = stage.pixels;
                ++arrived;
                PEX_CHECK_EQ(stage.pixels, seen);
                PEX_CHECK_EQ(seen, r);
                let_go(stage, self, reclaimed);
            }
        });
    }
    for (unsigned r = 1; r <= ROUNDS; ++r) {
        const ProcessSlot master{255};
        const StateWord free = load_state(stage.header);
        PEX_CHECK(change_state(stage.header, free, {BlockState::busy, master, free.generation}));
        stage.pixels = r;
        set_holder(stage.header, master);
        PEX_CHECK(change_state(stage.header, {BlockState::busy, master, free.generation},
                               {BlockState::live, {}, free.generation.next()}));
        set_root(stage.header, VISIT);
        arrived = 0;
        round = r;
        let_go(stage, master, reclaimed);
        wait_for(arrived, THREADS);
        clear_root(stage.header, VISIT);
        if (const auto generation = try_reclaim(stage.header, master)) {
            stage.pixels = 0;
            change_state(stage.header, {BlockState::busy, master, *generation},
                         {BlockState::free_warm, {}, *generation});
            ++reclaimed;
        }
        wait_for(reclaimed, r);
    }
    for (std::thread& thread : threads) thread.join();
    PEX_CHECK(load_state(stage.header).state == BlockState::free_warm);
}

PEX_TEST(threads_of_one_process_allocate_hold_and_drop_at_once) {
    auto sut = attached_arena(16 * MIB);
    const BlockRef shared = sut->alloc(100 * KIB).block.ref;
    mark(*sut, shared);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < THREADS; ++t) {
        threads.emplace_back([&, t] {
            std::minstd_rand random(t + 1);
            std::vector<BlockRef> mine;
            for (int i = 0; i < 600; ++i) {
                const AllocResult got = sut->alloc(1 + random() % (500 * KIB));
                if (got.outcome == Outcome::ok) {
                    mark(*sut, got.block.ref);
                    PEX_CHECK(sut->find(got.block.data + got.block.bytes - 1)->ref == got.block.ref);
                    mine.push_back(got.block.ref);
                }
                sut->hold(shared);
                PEX_CHECK(is_marked(*sut, shared));
                sut->drop(shared);
                while (mine.size() > random() % 6) {
                    PEX_CHECK(is_marked(*sut, mine.back()));
                    sut->drop(mine.back());
                    mine.pop_back();
                }
                if (i % 100 == 0) sut->trim(4 * MIB);
            }
            for (const BlockRef ref : mine) sut->drop(ref);
        });
    }
    for (std::thread& thread : threads) thread.join();
    PEX_CHECK_EQ(sut->hold_count(shared), 1U);
    sut->drop(shared);
    check_all_free(*sut);
}

PEX_TEST(processes_that_charge_at_once_never_go_over_the_limit) {
    // Threads as processes on one account: each checks after charging, as an allocation does.
    const SizeClasses classes(64 * MIB, 4096);
    const ControlLayout layout(classes, 0, 4096);
    std::vector<std::byte> memory(layout.total_bytes + 64);
    std::byte* base = memory.data() + (64 - reinterpret_cast<std::uintptr_t>(memory.data()) % 64) % 64;
    const ControlView view(base, layout, classes, 0);
    constexpr std::uint64_t LIMIT = 60;
    std::atomic<std::uint64_t> held{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < THREADS; ++t) {
        threads.emplace_back([&, t] {
            const ProcessSlot self{static_cast<std::uint8_t>(t)};
            Account sut(view);
            sut.enlist(self);
            std::minstd_rand random(t + 1);
            for (int i = 0; i < 3000; ++i) {
                const auto pages = static_cast<std::uint32_t>(1 + random() % 30);
                sut.record(self, {t}, pages);
                if (sut.total_pages() <= LIMIT) {
                    PEX_CHECK(held.fetch_add(pages) + pages <= LIMIT);
                    held -= pages;
                }
                sut.record(self, {t}, 0);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    PEX_CHECK_EQ(Account(view).total_pages(), 0U);
}
