// SPDX-License-Identifier: BSD-3-Clause
// What is lent raises the limit for a time; blocks, block sizes and what was allocated do not depend on it.
#include <algorithm>
#include <csignal>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "os/error.hpp"
#include "os/limits.hpp"
#include "support.hpp"

using namespace support;

namespace {

constexpr ProcessSlot WORKER{9};

ArenaConfig lending_config(std::uint64_t arena_bytes, std::uint64_t lend_bytes) {
    ArenaConfig config = config_of(arena_bytes);
    config.lend_bytes = lend_bytes;
    return config;
}

std::unique_ptr<Arena> lending_arena(std::uint64_t arena_bytes, std::uint64_t lend_bytes) {
    auto arena = Arena::create(lending_config(arena_bytes, lend_bytes));
    arena->attach(MASTER);
    return arena;
}

// Allocates blocks of one size until one is refused; the refusal.
AllocResult fill(Arena& arena, std::uint64_t bytes, std::vector<BlockRef>& held) {
    for (;;) {
        const AllocResult got = arena.alloc(bytes);
        if (got.outcome != Outcome::ok) return got;
        mark(arena, got.block.ref);
        held.push_back(got.block.ref);
    }
}

void check_and_drop(Arena& arena, std::vector<BlockRef>& held) {
    for (const BlockRef ref : held) {
        PEX_CHECK(is_marked(arena, ref));
        arena.drop(ref);
    }
    held.clear();
}

}  // namespace

PEX_TEST(what_is_refused_at_the_limit_is_given_once_more_is_lent_and_refused_again_afterwards) {
    auto sut = lending_arena(4 * MIB, 4 * MIB);
    std::vector<BlockRef> held;
    PEX_CHECK(fill(*sut, 1 * MIB, held).outcome == Outcome::arena_full);
    PEX_CHECK_EQ(held.size(), 4U);
    sut->lend(2 * MIB);
    PEX_CHECK_EQ(fill(*sut, 1 * MIB, held).missing_bytes, 1 * MIB);
    PEX_CHECK_EQ(held.size(), 6U);
    PEX_CHECK_EQ(sut->stats().lent_bytes, 2 * MIB);
    PEX_CHECK_EQ(sut->stats().limit_bytes, 6 * MIB);
    sut->lend(0);
    PEX_CHECK_EQ(sut->stats().committed_bytes, 6 * MIB);
    const AllocResult refused = sut->alloc(1 * MIB);
    PEX_CHECK(refused.outcome == Outcome::arena_full);
    PEX_CHECK_EQ(refused.missing_bytes, 3 * MIB);
    for (const BlockRef ref : held) PEX_CHECK(sut->is_live(ref));
    check_and_drop(*sut, held);
    PEX_CHECK(sut->alloc(4 * MIB).outcome == Outcome::ok);
    PEX_CHECK(sut->stats().committed_bytes <= 4 * MIB);
}

PEX_TEST(the_first_commitment_under_a_lowered_limit_trims_what_is_warm_down_to_it) {
    auto sut = lending_arena(4 * MIB, 4 * MIB);
    std::vector<BlockRef> held;
    sut->lend(4 * MIB);
    fill(*sut, 1 * MIB, held);
    PEX_CHECK_EQ(held.size(), 8U);
    check_and_drop(*sut, held);
    sut->lend(0);
    PEX_CHECK_EQ(sut->stats().warm_bytes, 8 * MIB);
    const AllocResult got = sut->alloc(512 * KIB);  // of another class: needs pages
    PEX_CHECK(got.outcome == Outcome::ok);
    PEX_CHECK_EQ(sut->stats().warm_bytes, 3 * MIB);
    PEX_CHECK_EQ(sut->stats().committed_bytes, 3 * MIB + 512 * KIB);
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), sut->stats().committed_bytes);
}

PEX_TEST(a_lowered_limit_is_kept_at_once_if_the_master_wishes_so_but_for_what_is_live) {
    auto sut = lending_arena(4 * MIB, 4 * MIB);
    std::vector<BlockRef> held;
    sut->lend(4 * MIB);
    PEX_CHECK_EQ(sut->trim_to_limit(), 0U);
    fill(*sut, 1 * MIB, held);
    PEX_CHECK_EQ(sut->trim_to_limit(), 0U);
    sut->lend(0);
    for (int i = 0; i < 3; ++i) {
        sut->drop(held.back());
        held.pop_back();
    }
    PEX_CHECK_EQ(sut->trim_to_limit(), 3 * MIB);  // five are live: still one too many
    PEX_CHECK_EQ(sut->stats().committed_bytes, 5 * MIB);
    check_and_drop(*sut, held);
    PEX_CHECK_EQ(sut->trim_to_limit(), 1 * MIB);
    PEX_CHECK_EQ(sut->stats().warm_bytes, 4 * MIB);
    check_all_free(*sut);
}

PEX_TEST(every_size_class_can_be_filled_up_to_all_that_may_be_lent) {
    constexpr std::uint64_t ARENA = 5 * MIB, LEND = 3 * MIB;
    auto sut = lending_arena(ARENA, LEND);
    sut->lend(LEND);
    const SizeClasses classes(ARENA, 4096, LEND);
    std::vector<BlockRef> held;
    for (unsigned c = 0; c < classes.count(); ++c) {
        const std::uint64_t largest = std::min(classes[c].block_bytes, ARENA);
        const std::uint64_t least = c == 0 ? SMALLEST_BLOCK_BYTES : classes[c - 1].block_bytes + 4096;
        for (const std::uint64_t bytes : {largest, least}) {
            fill(*sut, bytes, held);
            PEX_CHECK_EQ(held.size(), (ARENA + LEND) / bytes);  // bytes ran out, not blocks
            for (const BlockRef ref : held) PEX_CHECK_EQ(classes.class_of(ref.index()), c);
            check_and_drop(*sut, held);
            sut->trim();
        }
    }
    check_all_free(*sut);
}

PEX_TEST(block_sizes_and_the_largest_one_follow_from_the_arena_alone) {
    const auto plain = attached_arena(10 * MIB);
    const auto sut = lending_arena(10 * MIB, 90 * MIB);
    PEX_CHECK_EQ(sut->largest_block_bytes(), plain->largest_block_bytes());
    PEX_CHECK_EQ(sut->arena_bytes(), 10 * MIB);
    sut->lend(90 * MIB);
    PEX_CHECK_EQ(sut->limit_bytes(), 100 * MIB);
    for (const std::uint64_t bytes : {10 * MIB + 1, 11 * MIB, std::uint64_t{1} << 50}) {
        const AllocResult refused = sut->alloc(bytes), as_ever = plain->alloc(bytes);
        PEX_CHECK(refused.outcome == as_ever.outcome);
        PEX_CHECK_EQ(refused.missing_bytes, as_ever.missing_bytes);
    }
    PEX_CHECK(sut->alloc(10 * MIB).outcome == Outcome::ok);
    PEX_CHECK(sut->alloc(10 * MIB).outcome == Outcome::ok);
}

PEX_TEST(lending_more_than_the_arena_was_made_for_is_refused_and_changes_nothing) {
    auto sut = lending_arena(4 * MIB, 2 * MIB);
    sut->lend(1 * MIB);
    try {
        sut->lend(2 * MIB + 1);
        PEX_CHECK(false);
    } catch (const pex::os::Error& error) {
        const std::string text = error.what();
        PEX_CHECK(contains(text, "lending to the arena") && contains(text, "bytes=2097153"));
        PEX_CHECK(contains(text, "at most lend_bytes=2097152 above its arena_bytes=4194304"));
    }
    PEX_CHECK_EQ(sut->lent_bytes(), 1 * MIB);
    PEX_CHECK_THROWS(attached_arena(4 * MIB)->lend(1), pex::os::Error);
    attached_arena(4 * MIB)->lend(0);
    PEX_CHECK_THROWS(Arena::create(config_of(4 * MIB))->lend(0), pex::os::InternalError);
}

PEX_TEST(what_may_be_lent_is_part_of_the_largest_arena) {
    PEX_CHECK_THROWS(Arena::create(lending_config(4 * MIB, MAX_ARENA_BYTES - 4 * MIB + 1)), pex::os::Error);
    PEX_CHECK_THROWS(Arena::create(lending_config(4 * MIB, ~std::uint64_t{0})), pex::os::Error);
    PEX_CHECK_EQ(SizeClasses(4 * MIB, 4096, MAX_ARENA_BYTES - 4 * MIB).largest_block_bytes(), 4 * MIB);
}

PEX_TEST(lending_costs_no_memory_and_does_not_ask_more_of_the_machine) {
    ArenaConfig config = lending_config(4 * MIB, 60 * MIB);
    config.headroom_margin_bytes = 0;
    config.headroom = [] { return pex::os::Headroom{8 * MIB, 2 * MIB, "test"}; };
    auto sut = Arena::create(config);
    sut->attach(MASTER);
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), 0U);
    sut->lend(60 * MIB);
    const AllocResult refused = sut->alloc(3 * MIB);
    PEX_CHECK(refused.outcome == Outcome::headroom);
    PEX_CHECK_EQ(refused.missing_bytes, 1 * MIB);
    PEX_CHECK_EQ(sut->stats().peak_committed_bytes, 0U);
}

PEX_TEST(a_refusal_says_what_is_lent_and_what_the_limit_is) {
    auto sut = lending_arena(4 * MIB, 3 * MIB);
    std::vector<BlockRef> held;
    const std::string before = sut->explain(fill(*sut, 1 * MIB, held));
    PEX_CHECK(contains(before, "the arena's own size is the limit"));
    PEX_CHECK(contains(before, "4.0 MiB and is lent 0.0 MiB more, of at most 3.0 MiB: the limit is 4.0 MiB"));
    sut->lend(2 * MIB);
    const std::string after = sut->explain(fill(*sut, 1 * MIB, held));
    PEX_CHECK(contains(after, "the arena's own size and what is lent to it are the limit; 1.0 MiB are missing"));
    PEX_CHECK(contains(after, "4.0 MiB and is lent 2.0 MiB more, of at most 3.0 MiB: the limit is 6.0 MiB; "
                              "6.0 MiB are held in 6 blocks"));
    PEX_CHECK(contains(sut->explain(sut->alloc(5 * MIB)), "the arena's own size is the limit"));
    auto plain = attached_arena(4 * MIB);
    PEX_CHECK(!contains(plain->explain(plain->alloc(5 * MIB)), "lent"));
    check_and_drop(*sut, held);
}

PEX_TEST(a_reserve_is_counted_from_the_limit_of_the_moment) {
    auto sut = lending_arena(4 * MIB, 4 * MIB);
    const AllocWish wish{.reserved_bytes = 1 * MIB};
    PEX_CHECK(sut->alloc(3 * MIB, wish).outcome == Outcome::ok);
    PEX_CHECK(sut->alloc(1 * MIB, wish).outcome == Outcome::arena_full);
    sut->lend(1 * MIB);
    PEX_CHECK(sut->alloc(1 * MIB, wish).outcome == Outcome::ok);
    sut->lend(0);
    PEX_CHECK_EQ(sut->alloc(64 * KIB, {.reserved_bytes = 64 * MIB}).missing_bytes, 4 * MIB + 64 * KIB);
}

PEX_TEST(live_bytes_are_what_is_committed_without_what_is_warm) {
    auto sut = lending_arena(16 * MIB, 0);
    PEX_CHECK_EQ(sut->live_bytes(), 0U);
    const Block a = sut->alloc(3 * MIB).block;
    const Block b = sut->alloc(100 * KIB).block;
    sut->drop(a.ref);
    PEX_CHECK_EQ(sut->live_bytes(), 100 * KIB);
    PEX_CHECK_EQ(sut->stats().live_bytes, 100 * KIB);
    PEX_CHECK_EQ(sut->stats().committed_bytes, 3 * MIB + 100 * KIB);
    sut->drop(b.ref);
    PEX_CHECK_EQ(sut->live_bytes(), 0U);
}

PEX_TEST(the_peak_is_the_highest_total_until_it_is_reset) {
    auto sut = lending_arena(8 * MIB, 2 * MIB);
    PEX_CHECK_EQ(sut->stats().peak_committed_bytes, 0U);
    const Block a = sut->alloc(3 * MIB).block, b = sut->alloc(2 * MIB).block;
    sut->drop(b.ref);
    sut->trim();
    PEX_CHECK_EQ(sut->stats().peak_committed_bytes, 5 * MIB);
    PEX_CHECK(sut->alloc(6 * MIB).outcome == Outcome::arena_full);  // what was refused is no peak
    PEX_CHECK_EQ(sut->stats().peak_committed_bytes, 5 * MIB);
    sut->reset_peak();
    PEX_CHECK_EQ(sut->stats().peak_committed_bytes, 3 * MIB);
    sut->drop(a.ref);
    sut->drop(sut->alloc(3 * MIB).block.ref);  // warm: takes no pages
    PEX_CHECK_EQ(sut->stats().peak_committed_bytes, 3 * MIB);
    sut->lend(2 * MIB);
    PEX_CHECK(sut->alloc(7 * MIB).outcome == Outcome::ok);
    PEX_CHECK_EQ(sut->stats().peak_committed_bytes, 10 * MIB);
}

PEX_TEST(every_process_and_who_opens_the_arena_later_sees_what_is_lent) {
    auto sut = lending_arena(4 * MIB, 4 * MIB);
    std::vector<BlockRef> held;
    fill(*sut, 1 * MIB, held);
    sut->lend(2 * MIB);
    reap_and_check(fork_child([&] {
        sut->attach(WORKER);
        PEX_CHECK_EQ(sut->limit_bytes(), 6 * MIB);
        sut->drop(sut->alloc(2 * MIB).block.ref);
    }));
    ArenaConfig asked;
    asked.headroom = plenty;
    auto other = Arena::open(::dup(sut->control_segment().fd()), ::dup(sut->pixel_segment().fd()), asked);
    PEX_CHECK_EQ(other->lend_bytes(), 4 * MIB);
    PEX_CHECK_EQ(other->limit_bytes(), 6 * MIB);
    PEX_CHECK_EQ(other->largest_block_bytes(), sut->largest_block_bytes());
    for (const BlockRef ref : held) PEX_CHECK(is_marked(*other, ref));
    other->attach(ProcessSlot{10});
    const AllocResult got = other->alloc(2 * MIB);
    PEX_CHECK(got.outcome == Outcome::ok);
    PEX_CHECK(sut->is_live(got.block.ref));
    other->drop(got.block.ref);
    check_and_drop(*sut, held);
    check_all_free(*sut);
}

PEX_TEST(blocks_that_a_killed_process_had_of_what_was_lent_return) {
    auto sut = lending_arena(4 * MIB, 4 * MIB);
    std::vector<BlockRef> held;
    fill(*sut, 1 * MIB, held);
    sut->lend(4 * MIB);
    const pid_t worker = fork_child([&] {
        sut->attach(WORKER);
        std::vector<BlockRef> own;
        fill(*sut, 512 * KIB, own);
        ::raise(SIGKILL);
    });
    PEX_CHECK(WIFSIGNALED(reap(worker)));
    PEX_CHECK_EQ(sut->live_bytes(), 8 * MIB);
    sut->lend(0);
    sut->sweep(WORKER);
    PEX_CHECK_EQ(sut->live_bytes(), 4 * MIB);
    PEX_CHECK_EQ(sut->stats().committed_bytes, sut->stats().counted_bytes);
    PEX_CHECK_EQ(sut->trim_to_limit(), 4 * MIB);
    sut->lend(4 * MIB);
    PEX_CHECK_EQ(fill(*sut, 1 * MIB, held).missing_bytes, 1 * MIB);
    PEX_CHECK_EQ(held.size(), 8U);
    check_and_drop(*sut, held);
    check_all_free(*sut);
}

PEX_TEST(allocations_under_a_limit_that_goes_up_and_down_keep_their_blocks_and_the_highest_limit) {
    constexpr std::uint64_t ARENA = 2 * MIB, LEND = 2 * MIB;
    auto sut = lending_arena(ARENA, LEND);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            std::minstd_rand random(t + 1);
            std::vector<BlockRef> held;
            for (int i = 0; i < 1500; ++i) {
                const AllocResult got = sut->alloc(1 + random() % (400 * KIB));
                if (got.outcome == Outcome::ok) {
                    mark(*sut, got.block.ref);
                    held.push_back(got.block.ref);
                }
                while (got.outcome != Outcome::ok ? !held.empty() : held.size() > random() % 8) {
                    PEX_CHECK(is_marked(*sut, held.back()));
                    sut->drop(held.back());
                    held.pop_back();
                }
            }
            check_and_drop(*sut, held);
        });
    }
    std::minstd_rand random(99);
    for (int i = 0; i < 300; ++i) {
        sut->lend(random() % (LEND + 1));
        if (i % 3 == 0) sut->trim_to_limit();
        if (i % 50 == 0) sut->reset_peak();
        PEX_CHECK(sut->stats().peak_committed_bytes <= ARENA + LEND);
        std::this_thread::yield();
    }
    for (std::thread& thread : threads) thread.join();
    sut->lend(0);
    sut->trim_to_limit();
    PEX_CHECK(sut->stats().committed_bytes <= ARENA);
    check_all_free(*sut);
}
