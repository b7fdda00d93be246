// SPDX-License-Identifier: BSD-3-Clause
// A process that was killed and does not end: its slot and blocks stay out of use until it was reaped.
#include <atomic>

#include "os/error.hpp"
#include "support.hpp"

using namespace support;

namespace {

constexpr ProcessSlot UNDEAD{7};

// A child that holds two blocks and stops; what the master knows of it.
struct Sleeper {
    pid_t pid = 0;
    BlockRef large, small;
};

struct Shared {
    std::atomic<std::uint64_t> large, small;
};

Sleeper start_sleeper(Arena& arena) {
    auto& place = *reinterpret_cast<Shared*>(arena.application().data());
    Sleeper sleeper;
    sleeper.pid = fork_child([&] {
        arena.attach(UNDEAD);
        place.small = arena.alloc(100 * KIB).block.ref.packed();
        place.large = arena.alloc(1 * MIB).block.ref.packed();
        ::raise(SIGSTOP);
    });
    int status = 0;
    PEX_CHECK(::waitpid(sleeper.pid, &status, WUNTRACED) == sleeper.pid && WIFSTOPPED(status));
    sleeper.large = BlockRef::from_packed(place.large);
    sleeper.small = BlockRef::from_packed(place.small);
    return sleeper;
}

}  // namespace

PEX_TEST(what_an_undead_process_holds_is_counted_and_used_by_nobody) {
    auto sut = attached_arena(4 * MIB);
    const Sleeper sleeper = start_sleeper(*sut);
    const HolderInfo kept = sut->quarantine(UNDEAD);
    PEX_CHECK(kept.kind == HolderInfo::Kind::process && kept.slot == UNDEAD.value);
    PEX_CHECK_EQ(kept.blocks, 2U);
    PEX_CHECK_EQ(kept.bytes, 1 * MIB + 100 * KIB);
    sut->retire_visit(0);
    PEX_CHECK(sut->is_live(sleeper.large) && sut->is_live(sleeper.small));
    PEX_CHECK(sut->alloc(3 * MIB).outcome == Outcome::arena_full);
    ::kill(sleeper.pid, SIGKILL);
    reap(sleeper.pid);
}

PEX_TEST(a_slot_in_quarantine_can_t_be_attached_to_until_it_was_swept) {
    auto sut = attached_arena(4 * MIB);
    const Sleeper sleeper = start_sleeper(*sut);
    sut->quarantine(UNDEAD);
    reap_and_check(fork_child([&] { PEX_CHECK_THROWS(sut->attach(UNDEAD), pex::os::InternalError); }));
    ::kill(sleeper.pid, SIGKILL);
    reap(sleeper.pid);
    sut->sweep(UNDEAD);
    PEX_CHECK(!sut->is_live(sleeper.large) && !sut->is_live(sleeper.small));
    reap_and_check(fork_child([&] {
        sut->attach(UNDEAD);
        PEX_CHECK(sut->alloc(3 * MIB).outcome == Outcome::ok);
    }));
    sut->sweep(UNDEAD);
    check_all_free(*sut);
}

PEX_TEST(a_process_can_t_put_itself_in_quarantine) {
    auto sut = attached_arena(4 * MIB);
    PEX_CHECK_THROWS(sut->quarantine(MASTER), pex::os::InternalError);
}
