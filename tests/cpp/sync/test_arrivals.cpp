// SPDX-License-Identifier: BSD-3-Clause
// Arrivals: exactly the last one of a step is told so, also when one of the step before was counted late.
#include "check.hpp"
#include "sync/arrivals.hpp"

using namespace pex::sync;

PEX_TEST(the_last_arrival_of_every_step_is_the_last) {
    ArrivalCountShm count{};
    for (int step = 0; step < 3; ++step) {
        expect_arrivals(count, 3);
        PEX_CHECK(!count_arrival(count));
        PEX_CHECK(!count_arrival(count));
        PEX_CHECK(count_arrival(count));
    }
}

PEX_TEST(an_arrival_counted_after_the_next_release_takes_nothing_from_the_next_step) {
    ArrivalCountShm count{};
    expect_arrivals(count, 2);
    PEX_CHECK(!count_arrival(count));
    // The second worker has arrived, and the master has seen its cell, but it has not counted yet.
    expect_arrivals(count, 2);
    PEX_CHECK(!count_arrival(count));
    PEX_CHECK(!count_arrival(count));
    PEX_CHECK(count_arrival(count));
}
