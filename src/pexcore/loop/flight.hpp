// SPDX-License-Identifier: BSD-3-Clause
// A visit in flight: where it is in the schedule, and what it waits for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "loop/legs.hpp"
#include "loop/stage_clock.hpp"

namespace pex::loop {

// Thread/process safety: the master's main thread only.
struct Flight {
    std::uint32_t visit = 0;
    std::uint16_t slot = 0;      // of the run's tables, its own until it has ended
    std::size_t next = 0;        // the step it comes to, an index into the schedule
    std::uint16_t stage = 0;     // the last stage it has come to; 0: none
    std::uint16_t asked = 0;     // what all slices were asked for last: a stage, or the close of the visit; 0: nothing
    bool waits = false;          // for slices that have not ended that
    bool looks = true;           // for its event when it comes to one: one may have arrived
    bool listens = false;        // in the wait that is on: it has come to its event
    std::uint64_t looked_ns = 0; // when it has looked for its event last
    bool begun = false;          // stage code of the visit has run
    bool leaving = false;        // the stages that are left are passed over
    bool abandoned = false;      // it leaves as soon as no slice is at work on it
    bool is_fatal = false;       // a slice has ended what was asked in a way that ends the run
    std::uint32_t counted = 0;   // ranks, from the first, that have ended what was asked
    Arrivals arrivals;
    StageClock clock{0, 0};      // of what was asked
    Legs legs;                   // of what was asked, where slices go on in it by themselves
    std::uint16_t cut = 0;       // the stage behind which they were not let go on, although more belong to the step; 0: none

    // What a rank was asked for last, and when.
    std::uint16_t asked_of(std::uint32_t rank) const { return legs.are_there() ? legs.asked_of(rank) : asked; }
    std::uint64_t asked_ns(std::uint32_t rank) const {
        return legs.are_there() ? legs.asked_ns(rank) : clock.started_ns();
    }
};

}  // namespace pex::loop
