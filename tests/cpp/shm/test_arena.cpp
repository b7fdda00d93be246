// SPDX-License-Identifier: BSD-3-Clause
// One process and its arena: allocation, warm reuse, limits, references, roots.
#include <cstring>

#include "os/error.hpp"
#include "support.hpp"

using namespace support;

PEX_TEST(a_new_block_is_live_held_once_and_zero) {
    auto sut = attached_arena(16 * MIB);
    const AllocResult got = sut->alloc(100 * KIB);
    PEX_CHECK(got.outcome == Outcome::ok);
    PEX_CHECK(sut->is_live(got.block.ref));
    PEX_CHECK_EQ(sut->hold_count(got.block.ref), 1U);
    PEX_CHECK(got.block.zeroed);
    PEX_CHECK_EQ(got.block.bytes, 100 * KIB);
    PEX_CHECK(got.block.data == sut->data(got.block.ref));
    for (std::uint64_t i = 0; i < got.block.bytes; ++i) PEX_CHECK(got.block.data[i] == std::byte{0});
    std::memset(got.block.data, 1, got.block.bytes);
    sut->drop(got.block.ref);
    check_all_free(*sut);
}

PEX_TEST(only_the_pages_asked_for_are_committed) {
    auto sut = attached_arena(16 * MIB);
    const AllocResult got = sut->alloc(2 * MIB + 1);
    PEX_CHECK_EQ(sut->capacity(got.block.ref), 2 * MIB + 4096);
    PEX_CHECK_EQ(sut->stats().committed_bytes, 2 * MIB + 4096);
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), 2 * MIB + 4096);
}

PEX_TEST(a_large_block_is_committed_in_the_units_the_kernel_gives_there) {
    auto sut = attached_arena(64 * MIB);
    const Block got = sut->alloc(9 * MIB + 1).block;
    const std::uint64_t unit =
        sut->pixel_segment().commit_unit(static_cast<std::uint64_t>(got.data - sut->pixel_segment().data()));
    PEX_CHECK_EQ(sut->capacity(got.ref), (9 * MIB + 1 + unit - 1) / unit * unit);
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), sut->capacity(got.ref));
    std::memset(got.data, 1, got.bytes);
    sut->drop(got.ref);
    sut->trim();
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), 0U);
}

PEX_TEST(a_freed_block_comes_back_warm_at_the_same_address) {
    auto sut = attached_arena(16 * MIB);
    const Block first = sut->alloc(1 * MIB).block;
    const Block second = sut->alloc(1 * MIB).block;
    sut->drop(first.ref);
    sut->drop(second.ref);
    const Block again = sut->alloc(1 * MIB).block;
    PEX_CHECK(again.data == second.data);  // last in, first out
    PEX_CHECK(again.ref != second.ref);
    PEX_CHECK(!again.zeroed);
    PEX_CHECK(sut->alloc(1 * MIB).block.data == first.data);
    PEX_CHECK_EQ(sut->stats().allocs_warm, 2U);
    PEX_CHECK_EQ(sut->stats().allocs_fresh, 2U);
}

PEX_TEST(a_reused_block_grows_to_what_is_asked) {
    auto sut = attached_arena(16 * MIB);
    const Block small = sut->alloc(900 * KIB).block;
    sut->drop(small.ref);
    const Block large = sut->alloc(1000 * KIB).block;
    PEX_CHECK(large.data == small.data);
    PEX_CHECK_EQ(sut->capacity(large.ref), 1000 * KIB);
    std::memset(large.data, 7, large.bytes);
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), 1000 * KIB);
    sut->drop(large.ref);
    PEX_CHECK_EQ(sut->capacity(sut->alloc(900 * KIB).block.ref), 1000 * KIB);
    PEX_CHECK_EQ(sut->stats().committed_bytes, 1000 * KIB);
}

PEX_TEST(a_full_arena_refuses_and_says_what_is_missing) {
    auto sut = attached_arena(4 * MIB);
    const Block held = sut->alloc(3 * MIB).block;
    const AllocResult got = sut->alloc(2 * MIB);
    PEX_CHECK(got.outcome == Outcome::arena_full);
    PEX_CHECK_EQ(got.missing_bytes, 1 * MIB);
    PEX_CHECK(!got.block.ref);
    const std::string text = sut->explain(got);
    PEX_CHECK(text.find("2097152 bytes") != std::string::npos);
    PEX_CHECK(text.find("process slot 0 with 3.0 MiB in 1 blocks") != std::string::npos);
    PEX_CHECK(sut->alloc(1 * MIB).outcome == Outcome::ok);
    PEX_CHECK_EQ(sut->stats().committed_bytes, 4 * MIB);
    PEX_CHECK_EQ(sut->stats().allocs_refused, 1U);
    sut->drop(held.ref);
    PEX_CHECK(sut->alloc(3 * MIB).outcome == Outcome::ok);
}

PEX_TEST(what_no_class_or_arena_can_hold_is_refused_without_trimming) {
    auto sut = attached_arena(4 * MIB);
    sut->drop(sut->alloc(1 * MIB).block.ref);
    PEX_CHECK(sut->alloc(4 * MIB + 1).outcome == Outcome::arena_full);
    PEX_CHECK(sut->alloc(std::uint64_t{1} << 50).outcome == Outcome::arena_full);
    PEX_CHECK_EQ(sut->stats().warm_bytes, 1 * MIB);
    PEX_CHECK(sut->alloc(4 * MIB).outcome == Outcome::ok);
}

PEX_TEST(an_empty_request_gets_a_block_of_its_own) {
    auto sut = attached_arena(4 * MIB);
    const AllocResult a = sut->alloc(0), b = sut->alloc(0);
    PEX_CHECK(a.outcome == Outcome::ok && b.outcome == Outcome::ok);
    PEX_CHECK(a.block.data != b.block.data);
    PEX_CHECK_EQ(a.block.bytes, 0U);
}

PEX_TEST(warm_blocks_of_other_classes_make_room) {
    auto sut = attached_arena(4 * MIB);
    const Block a = sut->alloc(1 * MIB).block, b = sut->alloc(1 * MIB).block, c = sut->alloc(1 * MIB).block;
    sut->drop(a.ref);
    sut->drop(b.ref);
    sut->drop(c.ref);
    PEX_CHECK(sut->alloc(2 * MIB).outcome == Outcome::ok);  // 4 - 3 warm = 1 free: one warm block must go
    PEX_CHECK_EQ(sut->stats().blocks_trimmed, 1U);
    PEX_CHECK_EQ(sut->stats().warm_bytes, 2 * MIB);
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), sut->stats().committed_bytes);
    PEX_CHECK(sut->alloc(1 * MIB).outcome == Outcome::ok);
}

PEX_TEST(trim_gives_pages_back_and_trimmed_blocks_are_used_again_as_zeroes) {
    auto sut = attached_arena(16 * MIB);
    const Block a = sut->alloc(1 * MIB).block, b = sut->alloc(1 * MIB).block;
    std::memset(a.data, 1, a.bytes);
    std::memset(b.data, 1, b.bytes);
    sut->drop(a.ref);
    sut->drop(b.ref);
    PEX_CHECK_EQ(sut->trim(1 * MIB), 1 * MIB);
    PEX_CHECK_EQ(sut->stats().warm_bytes, 1 * MIB);
    PEX_CHECK_EQ(sut->trim(), 1 * MIB);
    check_all_free(*sut);
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), 0U);
    const Block c = sut->alloc(1 * MIB).block;
    PEX_CHECK(c.data == a.data ||
              c.data == b.data);  // the header table doesn't grow while cold blocks are there
    PEX_CHECK(c.zeroed);
    PEX_CHECK(c.data[0] == std::byte{0} && c.data[c.bytes - 1] == std::byte{0});
}

PEX_TEST(find_knows_the_block_of_every_address_in_it) {
    auto sut = attached_arena(16 * MIB);
    const Block a = sut->alloc(1 * MIB).block, b = sut->alloc(1 * MIB).block;
    for (const std::uint64_t offset : {std::uint64_t{0}, std::uint64_t{12345}, 1 * MIB - 1}) {
        const auto found = sut->find(b.data + offset);
        PEX_CHECK(found && found->ref == b.ref);
        PEX_CHECK_EQ(found->offset_bytes, offset);
    }
    PEX_CHECK(sut->contains(a.data));
    sut->drop(a.ref);
    PEX_CHECK(!sut->find(a.data));
    PEX_CHECK(sut->contains(a.data));
    int elsewhere = 0;
    PEX_CHECK(!sut->find(&elsewhere) && !sut->contains(&elsewhere) && !sut->find(nullptr));
    PEX_CHECK(!sut->find(sut->pixel_segment().data() + sut->pixel_segment().bytes() - 1));
}

PEX_TEST(a_reference_to_an_earlier_use_is_refused) {
    auto sut = attached_arena(16 * MIB);
    const Block old = sut->alloc(1 * MIB).block;
    sut->drop(old.ref);
    const Block now = sut->alloc(1 * MIB).block;
    PEX_CHECK_EQ(now.ref.index().value, old.ref.index().value);
    PEX_CHECK_EQ(now.ref.generation().value, old.ref.generation().value + 1);
    PEX_CHECK(!sut->is_live(old.ref));
    PEX_CHECK_EQ(sut->hold_count(old.ref), 0U);
    PEX_CHECK_THROWS(sut->hold(old.ref), pex::os::InternalError);
    PEX_CHECK_THROWS(sut->drop(old.ref), pex::os::InternalError);
    PEX_CHECK_THROWS(sut->set_root(old.ref, 0), pex::os::InternalError);
    PEX_CHECK_EQ(sut->hold_count(now.ref), 1U);
}

PEX_TEST(a_reference_from_nowhere_is_refused) {
    auto sut = attached_arena(16 * MIB);
    const Block block = sut->alloc(1 * MIB).block;
    for (const BlockRef wrong : {BlockRef{}, BlockRef::from_packed(~std::uint64_t{0}),
                                 BlockRef({block.ref.index().value + 1}, {1}), BlockRef({0}, {1})}) {
        PEX_CHECK(!sut->is_live(wrong));
        PEX_CHECK_THROWS(sut->data(wrong), pex::os::InternalError);
        PEX_CHECK_THROWS(sut->hold(wrong), pex::os::InternalError);
    }
}

PEX_TEST(holds_are_counted_and_a_drop_too_many_is_a_bug) {
    auto sut = attached_arena(16 * MIB);
    const BlockRef ref = sut->alloc(1 * MIB).block.ref;
    sut->hold(ref);
    sut->hold(ref);
    PEX_CHECK_EQ(sut->hold_count(ref), 3U);
    sut->drop(ref);
    sut->drop(ref);
    PEX_CHECK(sut->is_live(ref));
    sut->drop(ref);
    PEX_CHECK(!sut->is_live(ref));
    PEX_CHECK_THROWS(sut->drop(ref), pex::os::InternalError);
    check_all_free(*sut);
}

PEX_TEST(a_root_keeps_a_block_until_its_visit_is_retired) {
    auto sut = attached_arena(16 * MIB);
    const BlockRef ref = sut->alloc(1 * MIB).block.ref;
    sut->set_root(ref, 63);
    sut->set_root(ref, 5);
    sut->drop(ref);
    PEX_CHECK(sut->is_live(ref));
    sut->retire_visit(63);
    sut->retire_visit(7);
    PEX_CHECK(sut->is_live(ref));
    sut->hold(ref);  // materialised under the root
    sut->retire_visit(5);
    PEX_CHECK(sut->is_live(ref));
    sut->drop(ref);
    PEX_CHECK(!sut->is_live(ref));
    check_all_free(*sut);
    PEX_CHECK_THROWS(sut->set_root(ref, 5), pex::os::InternalError);
    PEX_CHECK_THROWS(sut->retire_visit(64), pex::os::InternalError);
}

PEX_TEST(biggest_holders_names_processes_and_visits) {
    auto sut = attached_arena(16 * MIB);
    const BlockRef big = sut->alloc(2 * MIB).block.ref;
    const BlockRef small = sut->alloc(1 * MIB).block.ref;
    sut->set_root(big, 9);
    const auto holders = sut->biggest_holders(8);
    PEX_CHECK_EQ(holders.size(), 2U);
    PEX_CHECK(holders[0].kind == HolderInfo::Kind::process && holders[0].slot == 0);
    PEX_CHECK_EQ(holders[0].bytes, 3 * MIB);
    PEX_CHECK_EQ(holders[0].blocks, 2U);
    PEX_CHECK(holders[1].kind == HolderInfo::Kind::visit && holders[1].slot == 9);
    PEX_CHECK_EQ(holders[1].bytes, 2 * MIB);
    PEX_CHECK_EQ(sut->biggest_holders(1).size(), 1U);
    sut->drop(small);
}

PEX_TEST(memory_short_of_the_margin_is_refused_and_trimming_helps) {
    std::uint64_t available = 100 * MIB;
    ArenaConfig config = config_of(64 * MIB);
    config.headroom_margin_bytes = 10 * MIB;
    config.headroom = [&available] { return pex::os::Headroom{1024 * MIB, available, "test"}; };
    auto sut = Arena::create(config);
    sut->attach(MASTER);
    const BlockRef first = sut->alloc(2 * MIB).block.ref;
    available = 11 * MIB;
    ::usleep(6000);  // past the reading's age
    const AllocResult got = sut->alloc(2 * MIB);
    PEX_CHECK(got.outcome == Outcome::headroom);
    PEX_CHECK_EQ(got.missing_bytes, 1 * MIB);
    PEX_CHECK(sut->explain(got).find("11.0 MiB by test") != std::string::npos);
    PEX_CHECK(sut->alloc(1 * MIB).outcome == Outcome::ok);
    sut->drop(first);
    PEX_CHECK(sut->alloc(2 * MIB).outcome == Outcome::ok);  // warm: costs no memory
    PEX_CHECK_EQ(sut->stats().committed_bytes, 3 * MIB);
}

PEX_TEST(growth_since_the_last_reading_counts_against_it) {
    int readings = 0;
    ArenaConfig config = config_of(64 * MIB);
    config.headroom_margin_bytes = 0;
    config.headroom = [&readings] {
        ++readings;
        return pex::os::Headroom{1024 * MIB, 8 * MIB, "test"};  // a machine that never shows what we took
    };
    auto sut = Arena::create(config);
    sut->attach(MASTER);
    readings = 0;
    for (int i = 0; i < 8; ++i) PEX_CHECK(sut->alloc(1 * MIB).outcome == Outcome::ok);
    PEX_CHECK(readings < 8);
}

PEX_TEST(the_application_area_is_zeroed_aligned_and_committed) {
    ArenaConfig config = config_of(4 * MIB);
    config.application_bytes = 1 * MIB;
    auto sut = Arena::create(config);
    PEX_CHECK_EQ(sut->application().size(), 1 * MIB);
    PEX_CHECK_EQ(reinterpret_cast<std::uintptr_t>(sut->application().data()) % 64, 0U);
    for (const std::byte value : sut->application()) PEX_CHECK(value == std::byte{0});
    PEX_CHECK(sut->control_segment().resident_bytes() >= 1 * MIB);
    PEX_CHECK(sut->control_segment().resident_bytes() < sut->control_segment().bytes() + 4096);
}

PEX_TEST(the_header_table_is_committed_as_it_is_used) {
    auto sut = attached_arena(256 * MIB);
    const std::uint64_t before = sut->control_segment().resident_bytes();
    const BlockRef ref = sut->alloc(64 * KIB).block.ref;
    PEX_CHECK_EQ(sut->control_segment().resident_bytes(), before + 4096);
    sut->drop(ref);
    PEX_CHECK(sut->control_segment().bytes() > before + 64 * 4096);
}

PEX_TEST(impossible_sizes_are_refused_with_a_reason) {
    PEX_CHECK_THROWS(Arena::create(config_of(0)), pex::os::Error);
    PEX_CHECK_THROWS(Arena::create(config_of(MAX_ARENA_BYTES + 1)), pex::os::Error);
    ArenaConfig config = config_of(64 * MIB);
    config.headroom = [] { return pex::os::Headroom{32 * MIB, 32 * MIB, "test"}; };
    try {
        Arena::create(config);
        PEX_CHECK(false);
    } catch (const pex::os::Error& error) {
        PEX_CHECK(std::string(error.what()).find("33554432 bytes in all") != std::string::npos);
    }
}

PEX_TEST(the_default_size_is_at_most_half_of_the_machine) {
    const std::uint64_t bytes = default_arena_bytes();
    PEX_CHECK(bytes >= SMALLEST_BLOCK_BYTES);
    PEX_CHECK(bytes <= pex::os::MemoryProbe{}.read().total_bytes / 2);
    auto sut = Arena::create({.arena_bytes = bytes});
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), 0U);
}
