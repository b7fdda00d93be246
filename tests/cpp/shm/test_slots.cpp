// SPDX-License-Identifier: BSD-3-Clause
// More blocks than the arena has places for: larger ones stand in, then the refusal says what is lacking.
#include <string>
#include <vector>

#include "support.hpp"

using namespace support;

namespace {

// Allocates blocks of one page until none is given; the refusal.
AllocResult fill_with_pages(Arena& arena, std::vector<BlockRef>& held) {
    for (;;) {
        const AllocResult got = arena.alloc(4096);
        if (got.outcome != Outcome::ok) return got;
        mark(arena, got.block.ref);
        held.push_back(got.block.ref);
    }
}

}  // namespace

PEX_TEST(larger_blocks_stand_in_where_those_of_the_size_are_taken_and_commit_no_more) {
    auto sut = attached_arena(4 * MIB);
    std::vector<BlockRef> held;
    for (std::uint64_t i = 0; i < 4 * MIB / SMALLEST_BLOCK_BYTES + 20; ++i) {
        const AllocResult got = sut->alloc(4096);
        PEX_CHECK(got.outcome == Outcome::ok);
        mark(*sut, got.block.ref);
        PEX_CHECK(sut->find(got.block.data + 4095)->ref == got.block.ref);
        held.push_back(got.block.ref);
    }
    PEX_CHECK_EQ(sut->stats().committed_bytes, held.size() * 4096);
    PEX_CHECK_EQ(sut->stats().allocs_refused, 0U);
    for (const BlockRef ref : held) {
        PEX_CHECK(is_marked(*sut, ref));
        sut->drop(ref);
    }
    check_all_free(*sut);
}

PEX_TEST(an_arena_out_of_blocks_says_so_and_what_to_do) {
    auto sut = attached_arena(4 * MIB);
    std::vector<BlockRef> held;
    const AllocResult refused = fill_with_pages(*sut, held);
    PEX_CHECK(refused.outcome == Outcome::slots_full);
    PEX_CHECK(sut->stats().committed_bytes < 4 * MIB);
    PEX_CHECK_EQ(sut->stats().allocs_refused, 1U);
    const std::string text = sut->explain(refused);
    for (const char* part : {"every block that could hold it is taken", "all 64 blocks for arrays up to 0.1 MiB",
                             "join them into larger ones", "process slot 0 with"})
        PEX_CHECK(contains(text, part));
    PEX_CHECK(!contains(text, "are missing") && !contains(text, "own size is the limit"));
    sut->drop(held.back());
    held.pop_back();
    const AllocResult again = sut->alloc(4096);
    PEX_CHECK(again.outcome == Outcome::ok);
    sut->drop(again.block.ref);
    for (const BlockRef ref : held) sut->drop(ref);
    check_all_free(*sut);
}

PEX_TEST(running_out_of_blocks_leaves_what_is_warm_warm) {
    auto sut = attached_arena(4 * MIB);
    std::vector<BlockRef> held;
    sut->drop(sut->alloc(2 * MIB).block.ref);
    while (sut->alloc(4096).outcome == Outcome::ok) {
    }
    PEX_CHECK_EQ(sut->stats().blocks_trimmed, 0U);
}

PEX_TEST(no_small_block_takes_a_huge_page) {
    auto sut = attached_arena(64 * MIB);
    std::vector<BlockRef> held;
    fill_with_pages(*sut, held);
    const std::uint64_t unit = sut->pixel_segment().commit_unit(sut->pixel_segment().bytes() - 1);
    if (unit == 4096) std::cout << "skip  this machine grants no huge pages in shared memory" << std::endl;
    PEX_CHECK_EQ(sut->stats().committed_bytes, held.size() * 4096);
}
