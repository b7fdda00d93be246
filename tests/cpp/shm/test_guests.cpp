// SPDX-License-Identifier: BSD-3-Clause
// Forks that do not take part: what they inherited is theirs to read and to write, and nobody is harmed.
#include <algorithm>
#include <cstring>
#include <vector>

#include "support.hpp"

using namespace support;

PEX_TEST(a_guest_s_writes_stay_its_own_and_it_sees_what_it_inherited) {
    auto sut = attached_arena(4 * MIB);
    std::vector<BlockRef> held;
    for (int i = 0; i < 20; ++i) {
        held.push_back(sut->alloc(100 * KIB).block.ref);
        mark(*sut, held.back());
    }
    reap_and_check(fork_child([&] {
        PEX_CHECK_EQ(sut->become_guest(), 0);
        for (const BlockRef ref : held) {
            PEX_CHECK(is_marked(*sut, ref));
            std::memset(sut->data(ref), 0x77, sut->capacity(ref));
            PEX_CHECK(!is_marked(*sut, ref));
        }
    }));
    for (const BlockRef ref : held) {
        PEX_CHECK(is_marked(*sut, ref));
        sut->drop(ref);
    }
    check_all_free(*sut);
}

PEX_TEST(a_guest_neither_allocates_nor_drops) {
    auto sut = attached_arena(4 * MIB);
    const BlockRef ref = sut->alloc(100 * KIB).block.ref;
    reap_and_check(fork_child([&] {
        PEX_CHECK_EQ(sut->become_guest(), 0);
        PEX_CHECK(sut->alloc(100 * KIB).outcome == Outcome::detached);
        PEX_CHECK(!sut->try_drop(ref));
        sut->drop(ref);
    }));
    PEX_CHECK_EQ(sut->hold_count(ref), 1U);
    PEX_CHECK_EQ(sut->stats().live_blocks, 1U);
    sut->drop(ref);
    check_all_free(*sut);
}

PEX_TEST(a_guest_that_attaches_after_all_shares_again) {
    auto sut = attached_arena(4 * MIB);
    const BlockRef ref = sut->alloc(100 * KIB).block.ref;
    mark(*sut, ref);
    reap_and_check(fork_child([&] {
        PEX_CHECK_EQ(sut->become_guest(), 0);
        *first_word(*sut, ref) = 1;
        sut->attach(ProcessSlot{1});
        PEX_CHECK(is_marked(*sut, ref));  // what it wrote as a guest is gone
        *last_word(*sut, ref) = 2;
    }));
    PEX_CHECK_EQ(*last_word(*sut, ref), 2U);
    sut->sweep(ProcessSlot{1});
    sut->drop(ref);
    check_all_free(*sut);
}

PEX_TEST(a_guest_with_no_room_for_another_mapping_can_harm_nobody_either) {
    if (skip_under_thread_sanitizer("a fault on purpose")) return;
    auto sut = attached_arena(4 * MIB);
    const BlockRef ref = sut->alloc(100 * KIB).block.ref;
    mark(*sut, ref);
    const pid_t pid = fork_child([&] {
        ::close(sut->pixel_segment().fd());  // mmap fails with EBADF
        PEX_CHECK(sut->become_guest() != 0);
        PEX_CHECK(is_marked(*sut, ref));
        std::signal(SIGSEGV, SIG_DFL);
        *first_word(*sut, ref) = 1;
    });
    const int status = reap(pid);
    PEX_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    PEX_CHECK(is_marked(*sut, ref));
    sut->drop(ref);
}

PEX_TEST(a_guest_has_its_own_copy_of_what_may_hold_pointers_and_reads_the_rest_as_it_is) {
    auto sut = attached_arena(4 * MIB);
    const BlockRef pointers = sut->alloc(300 * KIB, {.copied_at_fork = true}).block.ref;
    const BlockRef pixels = sut->alloc(300 * KIB).block.ref;
    mark(*sut, pointers);
    mark(*sut, pixels);
    const HeldBlocks held = sut->hold_all();
    PEX_CHECK(held.copied_at_fork == std::vector<BlockRef>{pointers});
    int ready[2], changed[2];
    PEX_CHECK(::pipe(ready) == 0 && ::pipe(changed) == 0);
    char byte = 0;
    const pid_t pid = fork_child([&] {
        PEX_CHECK_EQ(sut->become_guest(held.copied_at_fork), 0);
        PEX_CHECK(::write(ready[1], "", 1) == 1 && ::read(changed[0], &byte, 1) == 1);
        PEX_CHECK(is_marked(*sut, pointers));
        PEX_CHECK(!is_marked(*sut, pixels));
    });
    PEX_CHECK(::read(ready[0], &byte, 1) == 1);
    *first_word(*sut, pointers) = *first_word(*sut, pixels) = 0;
    PEX_CHECK(::write(changed[1], "", 1) == 1);
    reap_and_check(pid);
    for (const int fd : {ready[0], ready[1], changed[0], changed[1]}) ::close(fd);
    for (const BlockRef ref : {pointers, pixels}) {
        sut->drop(ref);
        sut->drop(ref);
    }
    check_all_free(*sut);
}

PEX_TEST(hold_all_keeps_every_block_until_each_is_dropped_once_more) {
    auto sut = attached_arena(4 * MIB);
    std::vector<BlockRef> held;
    for (int i = 0; i < 20; ++i) held.push_back(sut->alloc((70 + 10 * i) * KIB).block.ref);
    sut->hold(held[3]);
    const BlockRef free = held.back();
    held.pop_back();
    sut->drop(free);
    std::vector<BlockRef> again = sut->hold_all().refs;
    std::sort(again.begin(), again.end());
    std::vector<BlockRef> wanted = held;
    std::sort(wanted.begin(), wanted.end());
    PEX_CHECK(again == wanted);
    sut->drop(held[3]);
    for (const BlockRef ref : held) sut->drop(ref);
    PEX_CHECK_EQ(sut->stats().live_blocks, held.size());
    for (const BlockRef ref : again) sut->drop(ref);
    check_all_free(*sut);
}

PEX_TEST(a_reserve_is_left_to_others_and_warm_blocks_are_given_out_of_it) {
    auto sut = attached_arena(4 * MIB);
    const AllocWish wish{.reserved_bytes = 1 * MIB};
    std::vector<BlockRef> held;
    for (;;) {
        const AllocResult got = sut->alloc(512 * KIB, wish);
        if (got.outcome != Outcome::ok) {
            PEX_CHECK(got.outcome == Outcome::arena_full);
            PEX_CHECK_EQ(got.missing_bytes, 512 * KIB);
            break;
        }
        held.push_back(got.block.ref);
    }
    PEX_CHECK_EQ(held.size(), 6U);
    const AllocResult rest = sut->alloc(1 * MIB);
    PEX_CHECK(rest.outcome == Outcome::ok);
    sut->drop(held.back());
    held.back() = sut->alloc(512 * KIB, wish).block.ref;
    PEX_CHECK(held.back() != BlockRef{});
    sut->drop(rest.block.ref);
    for (const BlockRef ref : held) sut->drop(ref);
    check_all_free(*sut);
}
