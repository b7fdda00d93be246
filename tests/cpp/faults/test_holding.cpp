// SPDX-License-Identifier: BSD-3-Clause
// The orders of events that the defences of a block's header are for, made to happen at fault points of the real code:
// with its defence nothing goes wrong, without it a block is taken from who holds it, or never comes back.
#include <cstring>
#include <functional>

#include "../shm/support.hpp"
#include "os/fault_point.hpp"
#include "shm/block_header.hpp"

using namespace support;
namespace os = pex::os;

namespace {

constexpr ProcessSlot RECLAIMER{1}, EARLY{5}, LATE{200};
constexpr unsigned VISIT = 3;

const char* meanwhile_at = nullptr;
std::function<void()> meanwhile;

// What others do while the reclaimer is at a point of its scan.
void interrupt(const char* name) {
    if (meanwhile_at == nullptr || std::strcmp(name, meanwhile_at) != 0) return;
    meanwhile_at = nullptr;  // once, and not for those who interrupt
    meanwhile();
}

BlockHeaderShm* live_block() {
    static BlockHeaderShm header;
    header.state.store(StateWord{BlockState::live, {}, Generation{1}}.pack());
    header.adds.store(0);
    header.roots.store(0);
    for (auto& word : header.holders) word.store(0);
    return &header;
}

// Whether a reclaimer gets the block while `act` happens at `point` of its scan.
bool gets_it(BlockHeaderShm& header, const char* without, const char* point, std::function<void()> act) {
    os::removed_defence = without;
    os::fault_hook = interrupt;
    meanwhile_at = point;
    meanwhile = std::move(act);
    const bool got = try_reclaim(header, RECLAIMER).has_value();
    PEX_CHECK(meanwhile_at == nullptr);
    os::fault_hook = nullptr;
    os::removed_defence = nullptr;
    return got;
}

// A publisher sets the visit's root when the roots have been read, and drops its own hold before the holders are.
bool gets_what_is_being_published(const char* without) {
    BlockHeaderShm& header = *live_block();
    set_holder(header, LATE);
    return gets_it(header, without, "reclaim: no roots", [&] {
        set_root(header, VISIT);
        clear_holder(header, LATE);
    });
}

// Under another's hold a process takes one of its own, in a word that has been read; then the other lets go.
bool gets_what_is_handed_over(const char* without) {
    BlockHeaderShm& header = *live_block();
    set_holder(header, LATE);
    return gets_it(header, without, "reclaim: a word of holders", [&] {
        set_holder(header, EARLY);
        clear_holder(header, LATE);
    });
}

// Another reclaims the block after the scan, and a third has it already.
bool gets_what_is_in_use_again(const char* without) {
    BlockHeaderShm& header = *live_block();
    return gets_it(header, without, "reclaim: scanned", [&] {
        const auto generation = try_reclaim(header, EARLY);
        PEX_CHECK(generation.has_value());
        set_holder(header, LATE);
        PEX_CHECK(change_state(header, {BlockState::busy, EARLY, *generation},
                               {BlockState::live, {}, generation->next()}));
    });
}

void die_at_the_drop(const char* name) {
    if (std::strcmp(name, "arena: dropped") == 0) ::kill(::getpid(), SIGKILL);
}

// A worker dies when its bit is gone and nobody has reclaimed the block: how many blocks are live after the sweep.
std::uint64_t live_after_the_sweep(const char* without) {
    constexpr ProcessSlot DEAD{7};
    auto sut = attached_arena(4 * MIB);
    const pid_t pid = fork_child([&] {
        sut->attach(DEAD);
        const BlockRef ref = sut->alloc(100 * KIB).block.ref;
        os::fault_hook = die_at_the_drop;
        sut->drop(ref);
    });
    const int status = reap(pid);
    PEX_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    os::removed_defence = without;
    sut->sweep(DEAD);
    os::removed_defence = nullptr;
    return sut->stats().live_blocks;
}

}  // namespace

PEX_TEST(without_the_second_look_at_adds_a_block_is_taken_from_who_holds_it) {
    PEX_CHECK(!gets_what_is_being_published(nullptr));
    PEX_CHECK(gets_what_is_being_published("reclaim: adds again"));
    PEX_CHECK(!gets_what_is_handed_over(nullptr));
    PEX_CHECK(gets_what_is_handed_over("reclaim: adds again"));
}

PEX_TEST(without_the_bump_of_a_root_what_is_being_published_is_taken) {
    PEX_CHECK(gets_what_is_being_published("root: bump"));
}

PEX_TEST(without_the_bump_of_a_hold_what_is_handed_over_is_taken) {
    PEX_CHECK(gets_what_is_handed_over("hold: bump"));
}

PEX_TEST(without_the_generation_a_block_that_is_in_use_again_is_taken) {
    PEX_CHECK(!gets_what_is_in_use_again(nullptr));
    PEX_CHECK(gets_what_is_in_use_again("reclaim: generation"));
}

PEX_TEST(a_sweep_of_blocks_with_the_dead_one_s_bit_only_leaves_what_it_was_about_to_reclaim) {
    PEX_CHECK_EQ(live_after_the_sweep(nullptr), 0u);
    PEX_CHECK_EQ(live_after_the_sweep("sweep: every live block"), 1u);
}
