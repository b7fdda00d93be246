// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of the hold, publish and reclaim protocol, explored; and each defence shown to be
// needed.
#include "model.hpp"

#include <string>

#include "check.hpp"
#include "support.hpp"

using model::Cast;
using model::Model;
using model::Rule;

namespace {

std::string explore(const Rule& rule) { return Model(rule).explore(); }

}  // namespace

PEX_TEST(no_interleaving_reclaims_a_held_block_or_leaks_it) {
    if (support::skip_under_sanitizers("one thread explores a made-up machine")) return;
    // As shipped; as shipped with a death at any step; and with the other order of the scan.
    for (const Rule& rule : {Rule{}, Rule{.addressee_dies = true}, Rule{.roots_first = false}}) {
        Model sut(rule);
        PEX_CHECK_EQ(sut.explore(), "");
        PEX_CHECK(sut.states() > 100000);  // the search did take place
    }
}

PEX_TEST(the_model_finds_the_bug_when_adds_is_not_read_again) {
    PEX_CHECK_EQ(explore({.reload_adds = false}), "reclaimed while held");
    PEX_CHECK_EQ(explore({.reload_adds = false, .roots_first = false}), "reclaimed while held");
}

PEX_TEST(the_model_finds_the_bug_when_a_hold_does_not_bump_adds) {
    PEX_CHECK_EQ(explore({.bump_on_hold = false, .roots_first = false}), "reclaimed while held");
}

PEX_TEST(the_model_finds_the_bug_when_a_root_does_not_bump_adds) {
    PEX_CHECK_EQ(explore({.bump_on_root = false}), "reclaimed while held");
}

PEX_TEST(the_model_finds_the_bug_when_the_bump_comes_before_the_bit) {
    PEX_CHECK_EQ(explore({.bit_before_bump = false, .roots_first = false}), "reclaimed while held");
}

PEX_TEST(the_model_finds_the_bug_when_the_generation_is_not_compared) {
    PEX_CHECK_EQ(explore({.check_generation = false}), "reclaimed while held");
}

PEX_TEST(the_model_finds_the_bug_when_a_visit_is_retired_before_its_arrivals) {
    PEX_CHECK_EQ(explore({.wait_for_arrival = false}), "a bit set on a block that is gone");
}

PEX_TEST(the_model_finds_the_leak_when_the_last_to_go_does_not_reclaim) {
    PEX_CHECK_EQ(explore({.reclaim_after_clear = false}), "nobody reclaimed the block");
}

PEX_TEST(the_model_finds_the_leak_when_the_sweep_looks_only_at_blocks_with_the_dead_bit) {
    PEX_CHECK_EQ(explore({.addressee_dies = true, .sweep_all_live = false}), "nobody reclaimed the block");
}

PEX_TEST(no_interleaving_of_two_addressees_two_visits_or_a_relay_reclaims_a_held_block_or_leaks_it) {
    if (support::skip_under_sanitizers("one thread explores a made-up machine")) return;
    for (const Rule& rule : {Rule{.cast = Cast::two_addressees}, Rule{.cast = Cast::two_visits},
                             Rule{.cast = Cast::relay}, Rule{.addressee_dies = true, .cast = Cast::two_visits}}) {
        Model sut(rule);
        PEX_CHECK_EQ(sut.explore(), "");
        PEX_CHECK(sut.states() > 100000);
    }
}

PEX_TEST(the_model_finds_the_bug_when_a_visit_is_retired_after_the_first_of_two_arrivals) {
    PEX_CHECK_EQ(explore({.wait_for_all = false, .cast = Cast::two_addressees}),
                 "a bit set on a block that is gone");
}

PEX_TEST(the_model_finds_the_bug_of_two_adders_when_adds_is_not_read_again) {
    PEX_CHECK_EQ(explore({.reload_adds = false, .cast = Cast::two_addressees}), "reclaimed while held");
    PEX_CHECK_EQ(explore({.reload_adds = false, .cast = Cast::two_visits}), "reclaimed while held");
    PEX_CHECK_EQ(explore({.reload_adds = false, .cast = Cast::relay}), "reclaimed while held");
}
