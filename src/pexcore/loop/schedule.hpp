// SPDX-License-Identifier: BSD-3-Clause
// The schedule: what one visit does, step by step, compiled from the policy and from what the stages declare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace pex::loop {

enum class StepKind : std::uint8_t {
    BEGIN_VISIT,  // fresh clipboards
    WAIT_EVENT,   // master: wait for the event of the stage's topic, put it on the clipboard
    PREPROCESS,   // master: serial stage code
    EXCHANGE,     // slices: take what their neighbours offer for the stage; nobody waits for anybody
    RELEASE,      // master: publish what is shareable, let every slice go
    PROCESS,      // slices: parallel stage code; the master waits for all of them
    GATHER,       // master: put what the slices published on its clipboard
    POSTPROCESS,  // master: serial stage code
    CLOSE,        // slices: drop the visit's clipboards; the master waits
    END_VISIT,    // master: drop its clipboard, retire the visit's blocks
};

struct Step {
    StepKind kind;
    std::uint16_t stage;  // 1-based; 0 where the step belongs to no stage
    std::uint16_t last;   // RELEASE and PROCESS: the last stage before slices meet the master again; else `stage`
    // The step (an index) that the visit before must have behind it when a visit in flight comes to this one: itself, or
    // for a preprocess the postprocess of the same stage, where one instance has both, and for the wait for an event the
    // last wait for one of the same topic, so that events go to visits in their order.
    std::size_t after = 0;
};

// Stages that a slice runs without waiting for anybody, both included. Before the first one, unless the master has just
// released all, it waits for its neighbours.
struct Leg {
    std::uint16_t first;
    std::uint16_t last;
};

// Visits `first` to `last`, both included.
struct VisitRange {
    std::uint32_t first;
    std::uint32_t last;
};

struct ScheduleInput {
    std::vector<std::string> stage_names;
    bool has_slices = true;
    std::uint64_t max_visits = 0;  // 0: until told to stop
    // Stages (from 1) before whose process() the slices exchange, with the words for who receives from whom.
    std::map<std::uint16_t, std::string> exchanges = {};
    // Visits that are left out, ascending and disjoint: they keep their numbers, and count towards max_visits.
    std::vector<VisitRange> skips = {};
    // Stages (from 1) that wait for an event, with their topics.
    std::map<std::uint16_t, std::string> topics = {};
    // What the schedule is called, and why it is this one.
    std::string kind = "lockstep";
    // Stages (from 2) that slices begin without meeting the master: they share one release and arrival with the stage
    // before. The master does nothing between the two.
    std::set<std::uint16_t> joined = {};
    // Why slices meet before a stage (from 2), for people.
    std::map<std::uint16_t, std::string> meetings = {};
    // How many visits may be in flight.
    std::uint16_t visits_in_flight = 1;
    // Stages (from 1) whose serial half holds a visit from its preprocess to its postprocess, for it has both.
    std::set<std::uint16_t> holding = {};
    // Stages (from 2) with an exchange that a slice begins as soon as it and its neighbours have ended the stage before. The
    // master does nothing between the two but to let it go on.
    std::set<std::uint16_t> ready = {};
    // The neighbours of each rank, in both directions, where there are such stages.
    std::vector<std::vector<std::uint32_t>> neighbours = {};
};

// Lifetime: immutable once compiled. Thread/process safety: read-only, inherited by fork.
class Schedule {
public:
    // Errors: std::invalid_argument when there is no stage, or too many, or an exchange or event before a stage that
    // isn't there or is joined to the one before, or a stage that waits for neighbours without an exchange, or neighbours
    // that aren't mutual, or skips that are out of order.
    static Schedule compile(const ScheduleInput& input);

    const std::vector<Step>& steps() const { return m_steps; }
    std::uint16_t stage_count() const { return static_cast<std::uint16_t>(m_names.size()); }
    std::uint64_t max_visits() const { return m_max_visits; }
    std::uint16_t visits_in_flight() const { return m_visits_in_flight; }
    // The legs of the step that is released into `stage`; nullptr: it is one leg.
    const std::vector<Leg>* legs_from(std::uint16_t stage) const;
    bool has_legs() const { return !m_legs.empty(); }
    const std::vector<std::uint32_t>& neighbours_of(std::uint32_t rank) const { return m_neighbours[rank]; }
    // The first visit from `visit` on that is not to be skipped.
    std::uint32_t next_visit(std::uint32_t visit) const;
    // The step number the cells carry when the slices close a visit.
    std::uint16_t close_step() const { return static_cast<std::uint16_t>(m_names.size() + 1); }

    // One line per step with the reason for each synchronisation, for people. Of stages (from 1) whose serial half lacks
    // one of its methods, or that have none, that method is not told of.
    std::string explain(const std::set<std::uint16_t>& without_preprocess = {},
                        const std::set<std::uint16_t>& without_postprocess = {}) const;

private:
    void add_stages(const ScheduleInput& input);
    // Adds the steps of the stages that slices run between two meetings with the master.
    void add_slices(const ScheduleInput& input, std::uint16_t first, std::uint16_t last);
    void order_visits(const ScheduleInput& input);
    void explain_exchange(std::ostream& out, std::uint16_t stage) const;
    void explain_flight(std::ostream& out) const;
    std::string name_of(const Step& step) const;

    std::vector<Step> m_steps;
    std::vector<std::string> m_names;
    std::map<std::uint16_t, std::string> m_exchanges;
    std::map<std::uint16_t, std::string> m_topics;
    std::map<std::uint16_t, std::string> m_meetings;
    std::map<std::uint16_t, std::vector<Leg>> m_legs;  // by the stage of the release; of steps with more than one
    std::vector<std::vector<std::uint32_t>> m_neighbours;
    std::string m_kind;
    std::uint64_t m_max_visits = 0;
    std::vector<VisitRange> m_skips;
    std::uint16_t m_visits_in_flight = 1;
};

}  // namespace pex::loop
