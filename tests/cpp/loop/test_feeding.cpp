// SPDX-License-Identifier: BSD-3-Clause
// Which way to a release is taken before a long step of the master, by what serial halves and slices usually take.
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "loop/feeding.hpp"

using namespace pex;
using loop::Feeding;
using loop::Schedule;
using loop::StepKind;

namespace {

Schedule two_stages() { return Schedule::compile({{"one", "two"}, true, 0, {}, {}, {}}); }

// Where a step of a stage stands.
std::size_t index_of(const Schedule& schedule, StepKind kind, std::uint16_t stage) {
    for (std::size_t i = 0; i < schedule.steps().size(); ++i)
        if (schedule.steps()[i].kind == kind && schedule.steps()[i].stage == stage) return i;
    throw std::out_of_range("no such step");
}

const std::vector<std::size_t> NONE;

}  // namespace

PEX_TEST(the_way_that_is_shortest_comes_first_and_of_two_the_older) {
    const Schedule schedule = two_stages();
    Feeding sut(schedule);
    for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{2}}) sut.note_slices(stage, 1000);
    sut.note_serial(index_of(schedule, StepKind::POSTPROCESS, 1), 300);
    sut.note_serial(index_of(schedule, StepKind::PREPROCESS, 2), 100);
    sut.note_serial(index_of(schedule, StepKind::PREPROCESS, 1), 200);
    sut.begin(1000);
    sut.add(0, index_of(schedule, StepKind::GATHER, 1), 0);
    sut.add(1, 0, 0);
    sut.add(2, index_of(schedule, StepKind::RELEASE, 1), 0);
    sut.add(3, 0, 0);
    PEX_CHECK(sut.nearest() == (std::vector<std::size_t>{2, 1, 3, 0}));
}

PEX_TEST(a_way_that_takes_as_long_as_the_step_or_leads_nowhere_is_none) {
    const Schedule schedule = two_stages();
    Feeding sut(schedule);
    for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{2}}) sut.note_slices(stage, 1000);
    sut.note_serial(index_of(schedule, StepKind::PREPROCESS, 1), 1000);
    sut.begin(1000);
    sut.add(0, 0, 0);
    sut.add(1, index_of(schedule, StepKind::GATHER, 2), 0);
    PEX_CHECK(sut.nearest() == NONE);
}

PEX_TEST(slices_that_work_more_than_twice_as_long_as_the_step_are_not_put_before_it) {
    const Schedule schedule = two_stages();
    Feeding sut(schedule);
    sut.begin(1000);
    sut.add(0, 0, 0);
    PEX_CHECK(sut.nearest() == NONE);  // nothing is known of them
    sut.note_slices(1, 2002);
    sut.begin(1000);
    sut.add(0, 0, 0);
    PEX_CHECK(sut.nearest() == NONE);
    sut.note_slices(1, 2000);
    sut.begin(1000);
    sut.add(0, 0, 0);
    PEX_CHECK(sut.nearest() == std::vector<std::size_t>{0});
}

PEX_TEST(what_slices_were_asked_for_before_is_part_of_the_way) {
    const Schedule schedule = two_stages();
    Feeding sut(schedule);
    sut.note_slices(1, 10);
    sut.note_slices(2, 1000);
    sut.note_slices(schedule.close_step(), 5);
    sut.begin(1000);
    sut.add(0, index_of(schedule, StepKind::PROCESS, 1), 1);
    sut.add(1, 0, schedule.close_step());
    PEX_CHECK(sut.nearest() == (std::vector<std::size_t>{1, 0}));
}

PEX_TEST(slices_are_waited_for_that_take_hardly_any_time_beside_the_step) {
    const Schedule schedule = two_stages();
    Feeding sut(schedule);
    sut.begin(3200);
    PEX_CHECK_EQ(sut.soon_ns(1), 0u);  // nothing is known of them
    sut.note_slices(1, 100);
    PEX_CHECK_EQ(sut.soon_ns(1), 200u);
    // The usual time is the least, and grows slowly when it is exceeded.
    sut.note_slices(1, 90);
    sut.note_slices(1, 1'000'000);
    PEX_CHECK(sut.soon_ns(1) == 0u);
    sut.begin(32 * 102);
    PEX_CHECK_EQ(sut.soon_ns(1), 204u);
}

PEX_TEST(what_a_serial_half_usually_takes_follows_the_latest_times) {
    const Schedule schedule = two_stages();
    Feeding sut(schedule);
    const std::size_t index = index_of(schedule, StepKind::POSTPROCESS, 2);
    PEX_CHECK_EQ(sut.serial_ns(index), 0u);
    sut.note_serial(index, 400);
    PEX_CHECK_EQ(sut.serial_ns(index), 400u);
    sut.note_serial(index, 800);
    PEX_CHECK_EQ(sut.serial_ns(index), 500u);
}
