// SPDX-License-Identifier: BSD-3-Clause
// Class, size, index and offset follow from each other.
#include "check.hpp"
#include "os/error.hpp"
#include "shm/size_classes.hpp"

using namespace pex::shm;

namespace {
constexpr std::uint64_t KIB = 1024, MIB = KIB * KIB, GIB = KIB * MIB;
}

PEX_TEST(classes_come_four_per_doubling_from_64_kib) {
    const SizeClasses sut(64 * MIB, 4096);
    const std::uint64_t expected[] = {64, 80, 96, 112, 128, 160, 192, 224, 256};
    for (unsigned c = 0; c < 9; ++c) PEX_CHECK_EQ(sut[c].block_bytes, expected[c] * KIB);
    PEX_CHECK_EQ(sut.largest_block_bytes(), 64 * MIB);
}

PEX_TEST(class_for_gives_the_smallest_class_that_fits) {
    const SizeClasses sut(300 * MIB, 4096);
    for (unsigned c = 0; c < sut.count(); ++c) {
        const std::uint64_t bytes = sut[c].block_bytes;
        PEX_CHECK_EQ(sut.class_for(bytes).value(), c);
        PEX_CHECK_EQ(sut.class_for(bytes - 1).value(), c);
        if (c + 1 < sut.count()) PEX_CHECK_EQ(sut.class_for(bytes + 1).value(), c + 1);
    }
    PEX_CHECK_EQ(sut.class_for(0).value(), 0U);
    PEX_CHECK(!sut.class_for(sut.largest_block_bytes() + 1));
    PEX_CHECK(sut.largest_block_bytes() >= 300 * MIB);
}

PEX_TEST(offset_and_index_are_inverse_in_every_class) {
    const SizeClasses sut(64 * MIB, 4096);
    for (unsigned c = 0; c < sut.count(); ++c) {
        for (const std::uint32_t nth : {0U, sut[c].block_count / 2, sut[c].block_count - 1}) {
            const BlockIndex index{sut[c].first_index + nth};
            PEX_CHECK_EQ(sut.class_of(index), c);
            const std::uint64_t offset = sut.offset_of(index);
            PEX_CHECK_EQ(offset % 4096, 0U);
            for (const std::uint64_t inside : {std::uint64_t{0}, sut[c].block_bytes - 1}) {
                const auto place = sut.place_of(offset + inside);
                PEX_CHECK(place.has_value());
                PEX_CHECK_EQ(place->index.value, index.value);
                PEX_CHECK_EQ(place->size_class, c);
                PEX_CHECK_EQ(place->offset_in_block, inside);
            }
        }
        const std::uint64_t end = sut.region_bytes() * c + sut[c].block_bytes * sut[c].block_count;
        PEX_CHECK(end <= sut.region_bytes() * (c + 1));
        if (end < sut.region_bytes() * (c + 1)) PEX_CHECK(!sut.place_of(end));
    }
    PEX_CHECK(!sut.place_of(sut.segment_bytes()));
}

PEX_TEST(every_region_holds_the_whole_arena_in_blocks_of_its_class) {
    const SizeClasses sut(GIB, 4096);
    for (unsigned c = 1; c < sut.count(); ++c) {
        // The least such a block commits is a page more than the class before holds.
        const std::uint64_t least = sut[c - 1].block_bytes + 4096;
        PEX_CHECK((sut[c].block_count + std::uint64_t{1}) * least > GIB);
    }
    PEX_CHECK(sut[0].block_count * sut[0].block_bytes == GIB);
}

PEX_TEST(what_may_be_lent_makes_regions_longer_and_changes_no_size) {
    const SizeClasses plain(300 * MIB, 4096), sut(300 * MIB, 4096, 500 * MIB), whole(800 * MIB, 4096);
    PEX_CHECK_EQ(sut.count(), plain.count());
    PEX_CHECK_EQ(sut.largest_block_bytes(), plain.largest_block_bytes());
    for (unsigned c = 0; c < sut.count(); ++c) {
        PEX_CHECK_EQ(sut[c].block_bytes, plain[c].block_bytes);
        PEX_CHECK_EQ(sut[c].block_count, whole[c].block_count);
        PEX_CHECK_EQ(sut.class_of({sut[c].first_index + sut[c].block_count - 1}), c);
        PEX_CHECK(sut[c].block_bytes * sut[c].block_count <= sut.region_bytes());
    }
    PEX_CHECK(!sut.class_for(sut.largest_block_bytes() + 1));
    PEX_CHECK_THROWS(SizeClasses(MIB, 4096, MAX_ARENA_BYTES), pex::os::InternalError);
}

PEX_TEST(blocks_in_the_part_for_huge_pages_start_and_end_on_them) {
    const SizeClasses sut(256 * MIB, 4096);
    const auto first = static_cast<unsigned>(sut.huge_from() / sut.region_bytes());
    PEX_CHECK_EQ(sut[first].block_bytes, 8 * MIB);
    for (unsigned c = first; c < sut.count(); ++c) {
        PEX_CHECK_EQ(sut.offset_of({sut[c].first_index}) % (2 * MIB), 0U);
        PEX_CHECK_EQ(sut[c].block_bytes % (2 * MIB), 0U);
    }
    PEX_CHECK_EQ(SizeClasses(4 * MIB, 4096).huge_from(), SizeClasses(4 * MIB, 4096).segment_bytes());
}

PEX_TEST(the_largest_arena_fits_indices_and_addresses) {
    const SizeClasses sut(MAX_ARENA_BYTES, 4096);
    PEX_CHECK(sut.header_count() < (1U << INDEX_BITS));
    PEX_CHECK(sut.segment_bytes() < (std::uint64_t{1} << 46));
    PEX_CHECK(sut[0].block_count == MAX_BLOCKS_PER_CLASS);
}

PEX_TEST(large_pages_make_the_smallest_class_larger) {
    const SizeClasses sut(64 * MIB, 64 * KIB);
    PEX_CHECK_EQ(sut[0].block_bytes, 256 * KIB);
    for (unsigned c = 0; c < sut.count(); ++c) PEX_CHECK_EQ(sut[c].block_bytes % (64 * KIB), 0U);
    PEX_CHECK_EQ(sut.class_for(256 * KIB + 1).value(), 1U);
}

PEX_TEST(sizes_outside_the_limits_are_refused) {
    PEX_CHECK_THROWS(SizeClasses(SMALLEST_BLOCK_BYTES - 1, 4096), pex::os::InternalError);
    PEX_CHECK_THROWS(SizeClasses(MAX_ARENA_BYTES + 1, 4096), pex::os::InternalError);
    PEX_CHECK_THROWS(SizeClasses(MIB, 3000), pex::os::InternalError);
}

PEX_TEST(a_block_ref_packs_index_and_generation) {
    const BlockRef sut(BlockIndex{0xfedcba}, Generation{0x123456789a});
    PEX_CHECK_EQ(sut.index().value, 0xfedcbaU);
    PEX_CHECK_EQ(sut.generation().value, 0x123456789aU);
    PEX_CHECK(BlockRef::from_packed(sut.packed()) == sut);
    PEX_CHECK(!BlockRef{});
    PEX_CHECK_EQ(Generation{(std::uint64_t{1} << GENERATION_BITS) - 1}.next().value, 1U);
}
