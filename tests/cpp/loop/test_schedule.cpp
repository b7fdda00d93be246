// SPDX-License-Identifier: BSD-3-Clause
// The lockstep schedule: the order of the contract, and what explain() says about it.
#include <stdexcept>

#include "check.hpp"
#include "loop/schedule.hpp"

using namespace pex::loop;

PEX_TEST(a_stage_goes_preprocess_release_process_gather_postprocess) {
    const Schedule sut = Schedule::compile({{"one", "two"}, true, 0});
    const std::vector<StepKind> expected = {
        StepKind::BEGIN_VISIT, StepKind::PREPROCESS, StepKind::RELEASE,     StepKind::PROCESS, StepKind::GATHER,
        StepKind::POSTPROCESS, StepKind::PREPROCESS, StepKind::RELEASE,     StepKind::PROCESS, StepKind::GATHER,
        StepKind::POSTPROCESS, StepKind::CLOSE,      StepKind::END_VISIT,
    };
    PEX_CHECK_EQ(sut.steps().size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) PEX_CHECK(sut.steps()[i].kind == expected[i]);
    PEX_CHECK_EQ(sut.steps()[6].stage, std::uint16_t{2});
    PEX_CHECK_EQ(sut.close_step(), std::uint16_t{3});
}

PEX_TEST(without_slices_there_is_nothing_to_wait_for) {
    const Schedule sut = Schedule::compile({{"one"}, false, 1});
    PEX_CHECK_EQ(sut.steps().size(), std::size_t{4});
    PEX_CHECK_EQ(sut.max_visits(), std::uint64_t{1});
}

PEX_TEST(a_pipeline_without_stages_is_refused) {
    PEX_CHECK_THROWS(Schedule::compile({{}, true, 0}), std::invalid_argument);
    PEX_CHECK_THROWS(Schedule::compile({std::vector<std::string>(20000, "x"), true, 0}), std::invalid_argument);
}

PEX_TEST(explain_names_stages_and_reasons) {
    const std::string text = Schedule::compile({{"Warp"}, true, 1}).explain();
    PEX_CHECK(text.find("stage 1 (Warp): release the slices: none may start before preprocess") != std::string::npos);
    PEX_CHECK(text.find("1 visit") != std::string::npos);
}

PEX_TEST(an_exchange_stands_between_release_and_process_and_says_who_receives) {
    const Schedule sut = Schedule::compile({{"one", "two"}, true, 0, {{std::uint16_t{2}, "ring, clockwise"}}});
    std::vector<StepKind> second;
    for (const Step& step : sut.steps())
        if (step.stage == 2) second.push_back(step.kind);
    const std::vector<StepKind> expected = {StepKind::PREPROCESS, StepKind::RELEASE, StepKind::EXCHANGE,
                                            StepKind::PROCESS,    StepKind::GATHER,  StepKind::POSTPROCESS};
    PEX_CHECK(second == expected);
    PEX_CHECK(sut.explain().find("stage 2 (two): slices exchange") != std::string::npos);
    PEX_CHECK(sut.explain().find("(ring, clockwise)") != std::string::npos);
    PEX_CHECK(sut.explain().find("stage 1 (one): slices exchange") == std::string::npos);
}

PEX_TEST(an_exchange_before_a_stage_that_is_not_there_is_refused) {
    PEX_CHECK_THROWS(Schedule::compile({{"one"}, true, 0, {{std::uint16_t{2}, "ring"}}}), std::invalid_argument);
    PEX_CHECK_THROWS(Schedule::compile({{"one"}, true, 0, {{std::uint16_t{0}, "ring"}}}), std::invalid_argument);
}

PEX_TEST(visits_to_skip_are_passed_over_and_the_others_keep_their_numbers) {
    const Schedule sut = Schedule::compile({{"one"}, true, 9, {}, {{1, 3}, {4, 4}, {7, 8}}});
    const std::vector<std::uint32_t> expected = {5, 5, 5, 5, 5, 6, 9, 9, 9, 10};
    for (std::uint32_t visit = 1; visit <= 10; ++visit) PEX_CHECK_EQ(sut.next_visit(visit), expected[visit - 1]);
    PEX_CHECK_EQ(Schedule::compile({{"one"}, true, 0}).next_visit(1), std::uint32_t{1});
}

PEX_TEST(visits_to_skip_that_are_out_of_order_are_refused) {
    PEX_CHECK_THROWS(Schedule::compile({{"one"}, true, 0, {}, {{0, 1}}}), std::invalid_argument);
    PEX_CHECK_THROWS(Schedule::compile({{"one"}, true, 0, {}, {{2, 1}}}), std::invalid_argument);
    PEX_CHECK_THROWS(Schedule::compile({{"one"}, true, 0, {}, {{1, 3}, {3, 4}}}), std::invalid_argument);
}

PEX_TEST(a_stage_with_a_topic_waits_before_preprocess_and_explain_names_the_topic) {
    const Schedule sut = Schedule::compile({{"one", "two"}, false, 0, {}, {}, {{std::uint16_t{2}, "newFrame"}}});
    std::vector<StepKind> kinds;
    for (const Step& step : sut.steps()) kinds.push_back(step.kind);
    const std::vector<StepKind> expected = {StepKind::BEGIN_VISIT, StepKind::PREPROCESS,  StepKind::POSTPROCESS,
                                            StepKind::WAIT_EVENT,  StepKind::PREPROCESS,  StepKind::POSTPROCESS,
                                            StepKind::END_VISIT};
    PEX_CHECK(kinds == expected);
    PEX_CHECK(sut.explain().find("stage 2 (two): wait for an event") != std::string::npos);
    PEX_CHECK(sut.explain().find("(topic newFrame)") != std::string::npos);
}

PEX_TEST(an_event_before_a_stage_that_is_not_there_is_refused) {
    PEX_CHECK_THROWS(Schedule::compile({{"one"}, true, 0, {}, {}, {{std::uint16_t{2}, "t"}}}), std::invalid_argument);
    PEX_CHECK_THROWS(Schedule::compile({{"one"}, true, 0, {}, {}, {{std::uint16_t{0}, "t"}}}), std::invalid_argument);
}

PEX_TEST(joined_stages_share_one_release_and_one_arrival) {
    ScheduleInput input{{"one", "two", "three", "four"}, true, 0};
    input.kind = "fused";
    input.joined = {2, 3};
    input.meetings = {{std::uint16_t{4}, "stage 3 (three) has a postprocess"}};
    const Schedule sut = Schedule::compile(input);
    std::vector<StepKind> kinds;
    for (const Step& step : sut.steps()) kinds.push_back(step.kind);
    const std::vector<StepKind> expected = {
        StepKind::BEGIN_VISIT, StepKind::PREPROCESS, StepKind::RELEASE, StepKind::PROCESS, StepKind::GATHER,
        StepKind::POSTPROCESS, StepKind::PREPROCESS, StepKind::RELEASE, StepKind::PROCESS, StepKind::GATHER,
        StepKind::POSTPROCESS, StepKind::CLOSE,      StepKind::END_VISIT,
    };
    PEX_CHECK(kinds == expected);
    PEX_CHECK_EQ(sut.steps()[2].stage, std::uint16_t{1});
    PEX_CHECK_EQ(sut.steps()[2].last, std::uint16_t{3});
    PEX_CHECK_EQ(sut.steps()[5].stage, std::uint16_t{3});
    const std::string text = sut.explain();
    PEX_CHECK(text.find("fused schedule") == 0);
    PEX_CHECK(text.find("stages 1 to 3 (one, two, three): release the slices") != std::string::npos);
    PEX_CHECK(text.find("they have met: stage 3 (three) has a postprocess") != std::string::npos);
}

PEX_TEST(a_stage_that_needs_the_master_or_others_before_it_is_not_joined) {
    ScheduleInput exchanging{{"one", "two"}, true, 0, {{std::uint16_t{2}, "ring"}}};
    exchanging.joined = {2};
    PEX_CHECK_THROWS(Schedule::compile(exchanging), std::invalid_argument);
    ScheduleInput waiting{{"one", "two"}, true, 0, {}, {}, {{std::uint16_t{2}, "t"}}};
    waiting.joined = {2};
    PEX_CHECK_THROWS(Schedule::compile(waiting), std::invalid_argument);
    for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{3}}) {
        ScheduleInput absent{{"one", "two"}, true, 0};
        absent.joined = {stage};
        PEX_CHECK_THROWS(Schedule::compile(absent), std::invalid_argument);
    }
}

PEX_TEST(stages_that_wait_for_neighbours_alone_are_legs_of_one_step) {
    ScheduleInput input{{"one", "two", "three", "four"}, true, 0, {{std::uint16_t{3}, "ring, clockwise"}}};
    input.kind = "fused";
    input.joined = {2};
    input.ready = {3};
    input.neighbours = {{1}, {0}};
    const Schedule sut = Schedule::compile(input);
    std::vector<StepKind> kinds;
    for (const Step& step : sut.steps()) kinds.push_back(step.kind);
    const std::vector<StepKind> expected = {
        StepKind::BEGIN_VISIT, StepKind::PREPROCESS,  StepKind::RELEASE,    StepKind::EXCHANGE, StepKind::PROCESS,
        StepKind::GATHER,      StepKind::POSTPROCESS, StepKind::PREPROCESS, StepKind::RELEASE,  StepKind::PROCESS,
        StepKind::GATHER,      StepKind::POSTPROCESS, StepKind::CLOSE,      StepKind::END_VISIT,
    };
    PEX_CHECK(kinds == expected);
    PEX_CHECK_EQ(sut.steps()[2].last, std::uint16_t{3});
    PEX_CHECK(sut.has_legs());
    const auto* legs = sut.legs_from(1);
    PEX_CHECK(legs != nullptr && legs->size() == 2);
    PEX_CHECK((*legs)[0].first == 1 && (*legs)[0].last == 2 && (*legs)[1].first == 3 && (*legs)[1].last == 3);
    PEX_CHECK(sut.legs_from(4) == nullptr);
    const std::string text = sut.explain();
    PEX_CHECK(text.find("stage 3 (three): slices exchange what they mark shareable: a slice begins when it and its"
                        " neighbours have ended stage 2 (two); no meeting with the master (ring, clockwise)") !=
              std::string::npos);
    PEX_CHECK(text.find("they have met") == std::string::npos);
}

PEX_TEST(a_wait_for_neighbours_needs_an_exchange_no_event_and_neighbours_that_name_each_other) {
    ScheduleInput sound{{"one", "two"}, true, 0, {{std::uint16_t{2}, "ring"}}};
    sound.ready = {2};
    sound.neighbours = {{1}, {0}};
    PEX_CHECK(Schedule::compile(sound).has_legs());
    ScheduleInput alone = sound;
    alone.exchanges = {};
    PEX_CHECK_THROWS(Schedule::compile(alone), std::invalid_argument);
    ScheduleInput waiting = sound;
    waiting.topics = {{std::uint16_t{2}, "t"}};
    PEX_CHECK_THROWS(Schedule::compile(waiting), std::invalid_argument);
    ScheduleInput one_way = sound;
    one_way.neighbours = {{1}, {}};
    PEX_CHECK_THROWS(Schedule::compile(one_way), std::invalid_argument);
    ScheduleInput outside = sound;
    outside.neighbours = {{2}, {0}};
    PEX_CHECK_THROWS(Schedule::compile(outside), std::invalid_argument);
    for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{3}}) {
        ScheduleInput absent{{"one", "two"}, true, 0, {{std::uint16_t{1}, "ring"}}};
        absent.ready = {stage};
        PEX_CHECK_THROWS(Schedule::compile(absent), std::invalid_argument);
    }
}
