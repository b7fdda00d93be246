// SPDX-License-Identifier: BSD-3-Clause
// Every interleaving of a rank's visits in flight, with a replacement at every step; and each defence shown to be needed.
#include "flights_model.hpp"

#include <string>

#include "check.hpp"

using flights::Model;
using flights::Rule;

namespace {

std::string explore(const Rule& rule) { return Model(rule).explore(); }

const std::string OVERTAKES = "a visit overtakes the one before";

}  // namespace

PEX_TEST(no_interleaving_has_a_visit_overtake_the_one_before) {
    for (const Rule& rule : {Rule{}, Rule{.dies = true}, Rule{.is_replaced_alive = true}}) {
        Model sut(rule);
        PEX_CHECK_EQ(sut.explore(), "");
        PEX_CHECK(sut.states() > 200u);  // the search did take place
    }
}

PEX_TEST(the_order_of_slots_is_not_what_keeps_the_order_of_visits) {
    PEX_CHECK_EQ(explore({.sorts_slots = false, .dies = true}), "");
}

PEX_TEST(the_model_finds_the_visit_that_overtakes_when_nobody_looks_for_an_older_one) {
    PEX_CHECK_EQ(explore({.looks_for_older = false}), OVERTAKES);
}

PEX_TEST(the_model_finds_the_visit_that_overtakes_when_older_ones_are_looked_for_too_early) {
    PEX_CHECK_EQ(explore({.looks_after_seeing = false}), OVERTAKES);
}

PEX_TEST(the_model_finds_the_visit_that_overtakes_when_the_cells_of_older_ones_are_revoked_first) {
    PEX_CHECK_EQ(explore({.revokes_youngest_first = false, .is_replaced_alive = true}), OVERTAKES);
}

PEX_TEST(the_model_finds_the_visit_that_overtakes_when_steps_are_asked_for_in_any_order) {
    PEX_CHECK_EQ(explore({.releases_in_order = false}), OVERTAKES);
}
