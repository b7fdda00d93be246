// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of the rendezvous, with a death or a revival at every step; and each defence shown to be needed.
#include "model.hpp"

#include <string>

#include "check.hpp"

using rendezvous::Model;
using rendezvous::Rule;

namespace {

std::string explore(const Rule& rule) { return Model(rule).explore(); }

const std::string LOST = "nobody goes on";
const std::string REPLACED = "an arrival of a worker that was replaced";
const std::string TWICE = "a step arrives twice";
const std::string ELSEWHERE = "a step runs where its visit is not";

}  // namespace

PEX_TEST(no_interleaving_loses_a_wake_or_counts_an_arrival_of_one_who_was_replaced) {
    for (const Rule& rule : {Rule{}, Rule{.dies = true}, Rule{.stops = true}}) {
        Model sut(rule);
        PEX_CHECK_EQ(sut.explore(), "");
        PEX_CHECK(sut.states() > (rule.dies || rule.stops ? 2000u : 100u));  // the search did take place
    }
}

PEX_TEST(the_model_finds_the_late_arrival_when_arrive_does_not_compare) {
    PEX_CHECK_EQ(explore({.arrive_compares = false, .stops = true}), REPLACED);
}

PEX_TEST(the_model_finds_the_late_arrival_when_there_are_no_incarnations) {
    PEX_CHECK_EQ(explore({.incarnations = false, .stops = true}), REPLACED);
}

PEX_TEST(the_model_finds_the_step_that_nobody_runs_when_a_revoked_cell_is_not_asked_for_again) {
    PEX_CHECK_EQ(explore({.revoke_reopens = false, .dies = true}), LOST);
}

PEX_TEST(the_model_finds_the_step_that_nobody_runs_when_it_is_released_for_an_old_incarnation) {
    PEX_CHECK_EQ(explore({.releases_for_current = false, .dies = true}), LOST);
}

PEX_TEST(the_model_finds_the_lost_wake_when_the_bell_is_read_after_the_scan) {
    PEX_CHECK_EQ(explore({.bell_before_scan = false}), LOST);
}

PEX_TEST(the_model_finds_the_lost_wake_when_a_waiter_does_not_say_that_it_sleeps) {
    PEX_CHECK_EQ(explore({.says_that_it_sleeps = false}), LOST);
}

PEX_TEST(the_model_finds_the_lost_wake_when_the_bell_rings_before_the_change) {
    PEX_CHECK_EQ(explore({.changes_before_ring = false}), LOST);
}

PEX_TEST(the_model_finds_the_lost_wake_when_only_the_last_arrival_rings_after_a_death) {
    PEX_CHECK_EQ(explore({.ring_always_after_death = false, .dies = true}), LOST);
}

PEX_TEST(no_interleaving_loses_a_rank_that_is_taken_by_another_worker) {
    for (const bool other_dies : {false, true})
        for (const Rule& rule : {Rule{.balances = true}, Rule{.balances = true, .dies = true, .other_dies = other_dies},
                                 Rule{.balances = true, .polls = true, .stops = true, .other_dies = other_dies}}) {
            Model sut(rule);
            PEX_CHECK_EQ(sut.explore(), "");
            PEX_CHECK(sut.states() > 1000u);
        }
}

PEX_TEST(the_model_finds_the_step_that_runs_twice_when_taking_does_not_compare) {
    PEX_CHECK(explore({.balances = true, .take_compares = false}) != "");
}

PEX_TEST(the_model_finds_the_step_that_runs_elsewhere_when_later_steps_do_not_follow) {
    PEX_CHECK_EQ(explore({.balances = true, .later_steps_follow = false}), ELSEWHERE);
}

PEX_TEST(the_model_finds_the_step_that_nobody_runs_when_the_cells_of_a_dead_taker_are_not_found) {
    PEX_CHECK_EQ(explore({.balances = true, .revoke_finds_taken = false, .dies = true, .other_dies = true}), LOST);
}

PEX_TEST(the_model_finds_the_late_arrival_when_a_taker_does_not_look_whether_it_was_replaced) {
    PEX_CHECK_EQ(explore({.balances = true, .looks_after_taking = false, .polls = true, .stops = true, .other_dies = true}), REPLACED);
}

PEX_TEST(the_model_finds_the_step_that_runs_elsewhere_when_what_was_asked_of_one_is_given_back_to_all) {
    PEX_CHECK_EQ(explore({.balances = true, .polls = true, .gives_back_all = true, .stops = true, .other_dies = true}), ELSEWHERE);
}
