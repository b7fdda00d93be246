// SPDX-License-Identifier: BSD-3-Clause
// Several processes and one arena: sharing, warm returns, stealing, heirs, strangers, and pipelined visits.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>

#include <atomic>
#include <cstring>
#include <random>
#include <vector>

#include "os/error.hpp"
#include "support.hpp"

using namespace support;

namespace {

constexpr ProcessSlot WORKER{200};  // its holder bit is in the last word

// A word of the application area, for tests to talk through.
std::atomic<std::uint64_t>& word(const Arena& arena, std::size_t n) {
    return reinterpret_cast<std::atomic<std::uint64_t>*>(arena.application().data())[n];
}

void wait_until_at_least(const std::atomic<std::uint64_t>& value, std::uint64_t wanted) {
    while (value.load() < wanted) ::sched_yield();
}

int count_entries(const char* directory) {
    int count = 0;
    DIR* open = ::opendir(directory);
    while (open != nullptr && ::readdir(open) != nullptr) ++count;
    if (open != nullptr) ::closedir(open);
    return count;
}

int duplicate(int fd) { return ::fcntl(fd, F_DUPFD_CLOEXEC, 0); }

}  // namespace

PEX_TEST(a_block_lives_while_any_process_holds_it) {
    auto sut = attached_arena(16 * MIB);
    const BlockRef ref = sut->alloc(1 * MIB).block.ref;
    mark(*sut, ref);
    const pid_t worker = fork_child([&] {
        sut->attach(WORKER);
        sut->hold(ref);
        word(*sut, 0) = 1;
        wait_until_at_least(word(*sut, 1), 1);
        PEX_CHECK(is_marked(*sut, ref));
        PEX_CHECK_EQ(sut->hold_count(ref), 1U);
        sut->drop(ref);
        PEX_CHECK(!sut->is_live(ref));
    });
    wait_until_at_least(word(*sut, 0), 1);
    sut->drop(ref);
    PEX_CHECK(sut->is_live(ref));
    const auto holders = sut->biggest_holders(4);
    PEX_CHECK(holders.size() == 1 && holders[0].slot == WORKER.value);
    word(*sut, 1) = 1;
    reap_and_check(worker);
    check_all_free(*sut);
}

PEX_TEST(a_block_that_another_process_freed_last_comes_back_warm_to_its_home) {
    auto sut = attached_arena(16 * MIB);
    const pid_t worker = fork_child([&] {
        sut->attach(WORKER);
        std::vector<Block> blocks;
        for (int i = 0; i < 3; ++i) {
            blocks.push_back(sut->alloc(1 * MIB).block);
            sut->set_root(blocks.back().ref, 1);
            sut->drop(blocks.back().ref);
        }
        word(*sut, 0) = 1;
        wait_until_at_least(word(*sut, 1), 1);  // the master has retired the visit
        for (int i = 0; i < 3; ++i) {
            const Block again = sut->alloc(1 * MIB).block;
            PEX_CHECK(std::any_of(blocks.begin(), blocks.end(),
                                  [&](const Block& b) { return b.data == again.data; }));
        }
        PEX_CHECK_EQ(sut->stats().allocs_warm, 3U);
        PEX_CHECK_EQ(sut->stats().allocs_fresh, 3U);
    });
    wait_until_at_least(word(*sut, 0), 1);
    sut->retire_visit(1);
    PEX_CHECK_EQ(sut->stats().warm_blocks, 3U);
    word(*sut, 1) = 1;
    reap_and_check(worker);
}

PEX_TEST(a_full_arena_gives_another_process_s_warm_block) {
    auto sut = attached_arena(4 * MIB);
    const BlockRef kept = sut->alloc(1 * MIB).block.ref;
    const Block theirs = sut->alloc(3 * MIB).block;
    sut->drop(theirs.ref);
    reap_and_check(fork_child([&] {
        sut->attach(WORKER);
        const AllocResult got = sut->alloc(3 * MIB);
        PEX_CHECK(got.outcome == Outcome::ok);
        PEX_CHECK(got.block.data == theirs.data);
        PEX_CHECK_EQ(sut->stats().allocs_stolen, 1U);
        PEX_CHECK_EQ(sut->stats().blocks_trimmed, 0U);
        std::memset(got.block.data, 1, got.block.bytes);
        sut->drop(got.block.ref);
        PEX_CHECK(sut->alloc(3 * MIB).block.data == theirs.data);
        PEX_CHECK_EQ(sut->stats().allocs_warm, 1U);  // it's the thief's home now
    }));
    sut->sweep(WORKER);
    PEX_CHECK(sut->is_live(kept));
    PEX_CHECK(sut->alloc(3 * MIB).block.data == theirs.data);
}

PEX_TEST(an_heir_of_a_slot_takes_its_predecessor_s_warm_blocks_over) {
    auto sut = attached_arena(16 * MIB);
    const auto one_worker = [&](std::uint64_t expected_warm) {
        reap_and_check(fork_child([&] {
            sut->attach(WORKER);
            for (int i = 0; i < 2; ++i) sut->alloc(1 * MIB);  // not dropped: ends while it holds them
            PEX_CHECK_EQ(sut->stats().warm_blocks, 0U);
            PEX_CHECK_EQ(sut->stats().allocs_fresh, 2U - expected_warm);
        }));
        sut->sweep(WORKER);
        PEX_CHECK_EQ(sut->stats().warm_blocks, 2U);
    };
    one_worker(0);
    one_worker(2);
    check_all_free(*sut);
}

PEX_TEST(a_fork_that_does_not_attach_leaves_the_arena_alone) {
    auto sut = attached_arena(16 * MIB);
    const Block block = sut->alloc(1 * MIB).block;
    mark(*sut, block.ref);
    reap_and_check(fork_child([&] {
        PEX_CHECK(!sut->is_attached());
        PEX_CHECK(sut->alloc(1 * MIB).outcome == Outcome::detached);
        sut->drop(block.ref);
        sut->drop(block.ref);
        PEX_CHECK(!sut->try_drop(block.ref));
        PEX_CHECK_THROWS(sut->hold(block.ref), pex::os::InternalError);
        PEX_CHECK_THROWS(sut->set_root(block.ref, 0), pex::os::InternalError);
        PEX_CHECK_THROWS(sut->retire_visit(0), pex::os::InternalError);
        PEX_CHECK_THROWS(sut->sweep(WORKER), pex::os::InternalError);
        PEX_CHECK_THROWS(sut->trim(), pex::os::InternalError);
        PEX_CHECK(sut->find(block.data)->ref == block.ref);
        PEX_CHECK(is_marked(*sut, block.ref));
        PEX_CHECK_EQ(sut->hold_count(block.ref), 0U);
        PEX_CHECK_EQ(sut->stats().live_blocks, 1U);
    }));
    reap_and_check(fork_child([&] {  // a guest: attached, but what it inherited is not its own
        sut->attach(WORKER);
        PEX_CHECK(!sut->try_drop(block.ref));
        PEX_CHECK_THROWS(sut->drop(block.ref), pex::os::InternalError);
        sut->hold(block.ref);
        PEX_CHECK(sut->try_drop(block.ref));
    }));
    PEX_CHECK(sut->is_attached());
    PEX_CHECK_EQ(sut->hold_count(block.ref), 1U);
    PEX_CHECK_THROWS(sut->attach(WORKER), pex::os::InternalError);
}

PEX_TEST(an_arena_is_opened_from_its_descriptors_at_another_address) {
    auto first = attached_arena(16 * MIB);
    const Block block = first->alloc(1 * MIB).block;
    mark(*first, block.ref);
    ArenaConfig config;
    config.headroom = plenty;
    auto sut =
        Arena::open(duplicate(first->control_segment().fd()), duplicate(first->pixel_segment().fd()), config);
    PEX_CHECK(sut->data(block.ref) != block.data);
    PEX_CHECK_EQ(sut->arena_bytes(), 16 * MIB);
    PEX_CHECK_EQ(sut->application().size(), first->application().size());
    PEX_CHECK(is_marked(*sut, block.ref));
    sut->attach(WORKER);
    sut->hold(block.ref);
    first->drop(block.ref);
    PEX_CHECK(sut->is_live(block.ref));
    sut->drop(block.ref);
    PEX_CHECK(!first->is_live(block.ref));
    check_all_free(*first);
}

PEX_TEST(what_is_no_arena_of_ours_is_not_opened_and_leaves_no_descriptor) {
    auto arena = attached_arena(16 * MIB);
    const int control = arena->control_segment().fd(), pixels = arena->pixel_segment().fd();
    const int before = count_entries("/proc/self/fd");
    PEX_CHECK_THROWS(Arena::open(duplicate(pixels), duplicate(pixels)), pex::os::Error);
    PEX_CHECK_THROWS(Arena::open(duplicate(control), duplicate(control)), pex::os::Error);
    PEX_CHECK_THROWS(Arena::open(-1, duplicate(pixels)), pex::os::Error);
    auto& version = reinterpret_cast<std::uint32_t*>(arena->control_segment().data())[2];
    ++version;
    try {
        Arena::open(duplicate(control), duplicate(pixels));
        PEX_CHECK(false);
    } catch (const pex::os::Error& error) {
        PEX_CHECK(std::string(error.what()).find("layout version 4") != std::string::npos);
    }
    --version;
    PEX_CHECK(Arena::open(duplicate(control), duplicate(pixels)) != nullptr);
    PEX_CHECK_EQ(count_entries("/proc/self/fd"), before);
}

PEX_TEST(an_arena_leaves_nothing_in_dev_shm_with_either_backing) {
    const int names = count_entries("/dev/shm"), descriptors = count_entries("/proc/self/fd");
    for (const auto backing : {pex::os::Backing::memfd, pex::os::Backing::posix_shm}) {
        ArenaConfig config = config_of(16 * MIB);
        config.backing = backing;
        auto sut = Arena::create(config);
        sut->attach(MASTER);
        PEX_CHECK(sut->pixel_segment().backing() == backing);
        sut->drop(sut->alloc(1 * MIB).block.ref);
        check_all_free(*sut);
        PEX_CHECK_EQ(count_entries("/dev/shm"), names);
    }
    PEX_CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
}

namespace {

// A pipeline in small: in every visit each worker publishes one block under the visit's root, materialises
// those of all others, and keeps some for later visits. Two visits are under way at a time; the master
// retires.
constexpr unsigned RANKS = 3, VISITS = 150, IN_FLIGHT = 2;

enum Words : std::size_t { PUBLISHED = 0, ARRIVED = 8, RETIRED = 16, TABLE = 32 };

std::atomic<std::uint64_t>& table(const Arena& arena, unsigned visit, unsigned rank) {
    return word(arena, TABLE + visit % IN_FLIGHT * 8 + rank);
}

void run_visit(Arena& arena, unsigned visit, unsigned rank, std::minstd_rand& random,
               std::vector<BlockRef>& kept) {
    wait_until_at_least(word(arena, RETIRED), visit < IN_FLIGHT ? 0 : visit - IN_FLIGHT + 1);
    const BlockRef own = arena.alloc(1 + random() % (300 * KIB)).block.ref;
    mark(arena, own);
    arena.set_root(own, visit % IN_FLIGHT);
    table(arena, visit, rank) = own.packed();
    if (random() % 2 == 0) {
        arena.drop(own);
    } else {
        kept.push_back(own);
    }
    ++word(arena, PUBLISHED + visit % IN_FLIGHT);
    wait_until_at_least(word(arena, PUBLISHED + visit % IN_FLIGHT), RANKS * (visit / IN_FLIGHT + 1));
    for (unsigned other = 0; other < RANKS; ++other) {
        const BlockRef ref = BlockRef::from_packed(table(arena, visit, other));
        arena.hold(ref);
        PEX_CHECK(is_marked(arena, ref));
        kept.push_back(ref);
    }
    ++word(arena, ARRIVED + visit % IN_FLIGHT);
    while (kept.size() > random() % 8) {
        std::swap(kept[random() % kept.size()], kept.back());
        PEX_CHECK(is_marked(arena, kept.back()));
        arena.drop(kept.back());
        kept.pop_back();
    }
}

}  // namespace

PEX_TEST(a_block_is_never_reused_while_somebody_who_holds_it_reads_it) {
    auto sut = attached_arena(32 * MIB);
    std::vector<pid_t> workers;
    for (unsigned rank = 0; rank < RANKS; ++rank) {
        workers.push_back(fork_child([&, rank] {
            sut->attach(ProcessSlot{static_cast<std::uint8_t>(rank * 64 + 1)});
            std::minstd_rand random(rank + 1);
            std::vector<BlockRef> kept;
            for (unsigned visit = 0; visit < VISITS; ++visit) run_visit(*sut, visit, rank, random, kept);
            for (const BlockRef ref : kept) sut->drop(ref);
        }));
    }
    for (unsigned visit = 0; visit < VISITS; ++visit) {
        wait_until_at_least(word(*sut, ARRIVED + visit % IN_FLIGHT), RANKS * (visit / IN_FLIGHT + 1));
        sut->retire_visit(visit % IN_FLIGHT);
        ++word(*sut, RETIRED);
    }
    for (const pid_t worker : workers) reap_and_check(worker);
    check_all_free(*sut);
    // Blocks did come round again: far fewer of them than were published.
    PEX_CHECK(sut->stats().warm_blocks < RANKS * VISITS / 3);
}
