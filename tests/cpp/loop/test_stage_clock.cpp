// SPDX-License-Identifier: BSD-3-Clause
// Deadlines of steps: each call has the limit for itself, and time in which nobody could work does not count.
#include "check.hpp"
#include "loop/stage_clock.hpp"

using pex::loop::StageClock;

namespace {

constexpr std::uint64_t SECOND = 1'000'000'000;

// Looks every tick from `from` to `to`, as a master does that waits.
void watch(StageClock& clock, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t now = from; now < to;) {
        now = clock.next_look(now);
        clock.look(now);
    }
}

}  // namespace

PEX_TEST(a_call_is_late_when_its_own_limit_has_passed) {
    StageClock sut(2 * SECOND, 100 * SECOND);
    watch(sut, 100 * SECOND, 103 * SECOND);
    PEX_CHECK(!sut.is_late(102 * SECOND, 103 * SECOND, 2 * SECOND));
    PEX_CHECK(sut.is_late(101 * SECOND, 103 * SECOND, 2 * SECOND));
}

PEX_TEST(who_has_not_begun_is_late_by_the_release_of_the_step) {
    StageClock sut(2 * SECOND, 100 * SECOND);
    watch(sut, 100 * SECOND, 102 * SECOND);
    PEX_CHECK(!sut.is_late(7, 102 * SECOND - 1, 2 * SECOND));
    PEX_CHECK(sut.is_late(7, 102 * SECOND, 2 * SECOND));
}

PEX_TEST(a_gap_in_the_looks_moves_the_deadlines_that_were_running) {
    StageClock sut(2 * SECOND, 100 * SECOND);
    watch(sut, 100 * SECOND, 101 * SECOND);
    sut.look(131 * SECOND);  // stopped for half a minute
    watch(sut, 131 * SECOND, 132 * SECOND);
    PEX_CHECK(!sut.is_late(100 * SECOND, 131 * SECOND + SECOND / 2, 2 * SECOND));
    PEX_CHECK(sut.is_late(100 * SECOND, 133 * SECOND, 2 * SECOND));
    // What began afterwards has its own two seconds and no more.
    PEX_CHECK(sut.is_late(131 * SECOND, 133 * SECOND, 2 * SECOND));
}

PEX_TEST(without_a_limit_nobody_is_late_and_nobody_looks) {
    StageClock sut(0, 100 * SECOND);
    PEX_CHECK_EQ(sut.next_look(100 * SECOND), pex::os::NO_DEADLINE);
    PEX_CHECK(!sut.is_late(1, 1'000'000 * SECOND, 0));
}

PEX_TEST(calls_of_one_step_may_have_limits_of_their_own) {
    StageClock sut(SECOND, 100 * SECOND);
    watch(sut, 100 * SECOND, 102 * SECOND);
    PEX_CHECK(sut.is_late(100 * SECOND, 102 * SECOND, SECOND));
    PEX_CHECK(!sut.is_late(100 * SECOND, 102 * SECOND, 3 * SECOND));
    PEX_CHECK(!sut.is_late(100 * SECOND, 102 * SECOND, 0));
}
