// SPDX-License-Identifier: BSD-3-Clause
// Ranks that run ahead of others in a step: each goes on to the next leg as soon as its neighbours are as far as it is.
#pragma once

#include <cstdint>
#include <vector>

#include "loop/schedule.hpp"
#include "sync/run_state.hpp"

namespace pex::loop {

// How the slices ended a step.
struct Arrivals {
    std::uint32_t raised = 0;
    std::uint32_t skipped = 0;
    bool no_more = false;

    void add(std::uint8_t outcome) {
        if ((outcome & sync::OUTCOME_RAISED) != 0) ++raised;
        if ((outcome & sync::OUTCOME_SKIPPED) != 0) ++skipped;
        if ((outcome & sync::OUTCOME_NO_MORE) != 0) no_more = true;
    }
};

// How a rank ended a leg behind which it went on: its cell tells of a later one by now.
struct LegEnd {
    std::uint32_t rank;
    std::uint16_t stage;  // the last of the leg
    std::uint8_t outcome;
    sync::ManifestPlaceShm manifest;
};

// Where the ranks of one visit are in the legs of the step that they were asked for. Knows nothing of cells: is told of
// arrivals, and tells who may go on.
//
// A rank is never more than one leg ahead of a neighbour, and what it offered before a leg has a place of its own, so
// nothing that a neighbour may still read is written again.
// Lifetime: the schedule's. Thread/process safety: the master's main thread only.
class Legs {
public:
    // Every rank is asked for the first leg now.
    void begin(const std::vector<Leg>& legs, std::uint32_t ranks, std::uint64_t now_ns);
    // The step is one leg, like most.
    void clear();
    bool are_there() const { return m_legs != nullptr; }

    // The step (a stage) that a rank was asked for last, and when.
    std::uint16_t asked_of(std::uint32_t rank) const { return (*m_legs)[m_ranks[rank].leg].first; }
    std::uint64_t asked_ns(std::uint32_t rank) const { return m_ranks[rank].asked_ns; }
    std::size_t leg_of(std::uint32_t rank) const { return m_ranks[rank].leg; }
    bool works(std::uint32_t rank) const { return m_ranks[rank].works; }

    void note_arrival(std::uint32_t rank, std::uint8_t outcome);
    // No rank begins a leg that none has begun.
    void stop();
    // Whether a rank has a leg before it, and its neighbours have ended the one behind it.
    bool may_go_on(std::uint32_t rank, const std::vector<std::uint32_t>& neighbours) const;
    // The step that it is asked for then.
    std::uint16_t next_of(std::uint32_t rank) const { return (*m_legs)[m_ranks[rank].leg + 1u].first; }
    // It was asked for that. `manifest` is where it published what it did until now.
    void go_on(std::uint32_t rank, sync::ManifestPlaceShm manifest, std::uint64_t now_ns);

    // Whether all have ended the last leg that they are to run, and what came of it.
    bool have_ended() const;
    Arrivals arrivals() const;
    // The last stage that all have ended; 0: they have ended all.
    std::uint16_t cut_behind() const;
    // The ends that cells don't tell of, in the order of legs, and of ranks in each.
    std::vector<LegEnd> earlier() const;
    // What was asked for last, by rank; empty where the step is one leg.
    std::vector<std::uint16_t> asked() const;
    // Ranks that had failed before the leg they were asked for last.
    std::vector<std::uint32_t> failed_before() const;

private:
    struct Rank {
        std::size_t leg = 0;
        bool works = true;          // has not arrived from it
        std::uint8_t outcome = 0;   // of it
        std::uint8_t before = 0;    // of the legs before it
        std::uint64_t asked_ns = 0;
    };
    const std::vector<Leg>* m_legs = nullptr;
    std::vector<Rank> m_ranks;
    std::size_t m_limit = 0;        // the last leg that anybody goes on to
    std::vector<LegEnd> m_ends;
};

}  // namespace pex::loop
