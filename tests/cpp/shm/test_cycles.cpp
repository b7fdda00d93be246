// SPDX-License-Identifier: BSD-3-Clause
// A million lives of blocks need no more memory than the first few, shared or private.
#include <malloc.h>

#include <array>
#include <random>

#include "support.hpp"

using namespace support;

namespace {

constexpr unsigned VISIT = 3;

// One item's way: computed, published, received, let go of by its maker, retired, let go of by its receiver.
void cycle(Arena& arena, std::uint64_t bytes) {
    const AllocResult got = arena.alloc(bytes);
    PEX_CHECK(got.outcome == Outcome::ok);
    arena.set_root(got.block.ref, VISIT);
    arena.hold(got.block.ref);
    arena.drop(got.block.ref);
    arena.drop(got.block.ref);
    arena.retire_visit(VISIT);
    PEX_CHECK(!arena.is_live(got.block.ref));
}

struct Footprint {
    std::uint64_t control, pixels, heap;
};

Footprint footprint(const Arena& arena) {
    return {arena.control_segment().resident_bytes(), arena.pixel_segment().resident_bytes(),
            static_cast<std::uint64_t>(::mallinfo2().uordblks)};
}

}  // namespace

PEX_TEST(a_million_put_get_free_cycles_grow_nothing) {
    if (skip_under_thread_sanitizer("one thread, a million times")) return;
    auto sut = attached_arena(16 * MIB);
    const std::array<std::uint64_t, 4> sizes{1000, 100 * KIB, 300 * KIB, 2 * MIB};
    Footprint warm_up{};
    for (unsigned i = 0; i < 1'000'000; ++i) {
        cycle(*sut, sizes[i % sizes.size()]);
        if (i == 1000) warm_up = footprint(*sut);
    }
    const Footprint end = footprint(*sut);
    PEX_CHECK_EQ(end.control, warm_up.control);
    PEX_CHECK_EQ(end.pixels, warm_up.pixels);
    PEX_CHECK_EQ(end.heap, warm_up.heap);
    PEX_CHECK_EQ(sut->stats().allocs_fresh, sizes.size());
    check_all_free(*sut);
}

PEX_TEST(trimming_after_every_visit_grows_no_list) {
    if (skip_under_thread_sanitizer("one thread, 20,000 visits")) return;
    auto sut = attached_arena(16 * MIB);
    std::minstd_rand random(1);
    Footprint warm_up{};
    for (unsigned visit = 0; visit < 20'000; ++visit) {
        std::array<BlockRef, 6> held{};
        for (BlockRef& ref : held) {
            const AllocResult got = sut->alloc(1 + random() % (200 * KIB));
            PEX_CHECK(got.outcome == Outcome::ok);
            ref = got.block.ref;
        }
        for (const BlockRef ref : held) sut->drop(ref);
        sut->trim(300 * KIB);
        PEX_CHECK(sut->stats().warm_bytes <= 300 * KIB);
        if (visit == 2000) warm_up = footprint(*sut);
    }
    const Footprint end = footprint(*sut);
    PEX_CHECK(end.heap <= warm_up.heap + 4 * KIB);
    PEX_CHECK(end.control <= warm_up.control + 4 * KIB);
    check_all_free(*sut);
}
