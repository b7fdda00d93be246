// SPDX-License-Identifier: BSD-3-Clause
// Compiles and explains the schedule.
#include "loop/schedule.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace pex::loop {

namespace {

constexpr std::size_t MAX_STAGES = 10'000;

const char* describe(StepKind kind) {
    switch (kind) {
        case StepKind::BEGIN_VISIT: return "begin the visit: a fresh clipboard in the master";
        case StepKind::WAIT_EVENT: return "wait for an event and put it on the clipboards";
        case StepKind::PREPROCESS: return "preprocess in the master";
        case StepKind::EXCHANGE: return "slices exchange what they mark shareable: ";
        case StepKind::RELEASE: return "release the slices";
        case StepKind::PROCESS: return "process in every slice; wait for all";
        case StepKind::GATHER: return "gather what the slices marked shareable";
        case StepKind::POSTPROCESS: return "postprocess in the master; no slice starts the next stage before it returns";
        case StepKind::CLOSE: return "close the slices' clipboards; wait for all: blocks are freed after it";
        case StepKind::END_VISIT: return "end the visit: close the master's clipboard, retire the blocks";
    }
    return "";
}

void require_ascending(const std::vector<VisitRange>& skips) {
    std::uint32_t before = 0;
    for (const VisitRange& range : skips) {
        if (range.first <= before || range.last < range.first)
            throw std::invalid_argument("visits to skip: expected ascending, disjoint ranges from 1 on");
        before = range.last;
    }
}

void require_stages(const ScheduleInput& input) {
    auto require = [&](const auto& stages, std::size_t first, auto&& number, const std::string& what) {
        for (const auto& stage : stages)
            if (number(stage) < first || number(stage) > input.stage_names.size())
                throw std::invalid_argument(what + " belongs to a stage that is not in the pipeline");
    };
    auto key = [](const auto& entry) { return entry.first; };
    require(input.exchanges, 1, key, "an exchange");
    require(input.topics, 1, key, "an event");
    require(input.joined, 2, [](std::uint16_t stage) { return stage; }, "a join");
    require(input.holding, 1, [](std::uint16_t stage) { return stage; }, "a hold");
    require(input.ready, 2, [](std::uint16_t stage) { return stage; }, "a wait for neighbours");
    for (const std::uint16_t stage : input.joined)
        if (input.exchanges.count(stage) != 0 || input.topics.count(stage) != 0)
            throw std::invalid_argument("an exchange or event stands before a stage that is joined to the one before");
    for (const std::uint16_t stage : input.ready)
        if (input.exchanges.count(stage) == 0 || input.topics.count(stage) != 0)
            throw std::invalid_argument("a stage that waits for neighbours alone has an exchange, and no event");
}

// Who looks at another's offer is looked at by it: else one could run two legs ahead of the other.
void require_mutual(const std::vector<std::vector<std::uint32_t>>& neighbours) {
    for (std::uint32_t rank = 0; rank < neighbours.size(); ++rank)
        for (const std::uint32_t other : neighbours[rank]) {
            const bool is_there = other < neighbours.size();
            if (!is_there || std::count(neighbours[other].begin(), neighbours[other].end(), rank) == 0)
                throw std::invalid_argument("neighbours: expected ranks of the run that name each other");
        }
}

}  // namespace

Schedule Schedule::compile(const ScheduleInput& input) {
    if (input.stage_names.empty()) throw std::invalid_argument("a pipeline needs at least one stage");
    if (input.stage_names.size() > MAX_STAGES)
        throw std::invalid_argument("a pipeline may have at most " + std::to_string(MAX_STAGES) + " stages");
    Schedule schedule;
    schedule.m_names = input.stage_names;
    schedule.m_max_visits = input.max_visits;
    schedule.m_exchanges = input.exchanges;
    require_ascending(input.skips);
    schedule.m_skips = input.skips;
    schedule.m_topics = input.topics;
    schedule.m_meetings = input.meetings;
    schedule.m_kind = input.kind;
    if (input.visits_in_flight == 0) throw std::invalid_argument("a pipeline needs at least one visit in flight");
    schedule.m_visits_in_flight = input.visits_in_flight;
    require_stages(input);
    require_mutual(input.neighbours);
    schedule.m_neighbours = input.neighbours;
    schedule.add_stages(input);
    schedule.order_visits(input);
    return schedule;
}

void Schedule::add_stages(const ScheduleInput& input) {
    const auto count = static_cast<std::uint16_t>(input.stage_names.size());
    auto add = [&](StepKind kind, std::uint16_t stage, std::uint16_t last) { m_steps.push_back({kind, stage, last, 0}); };
    add(StepKind::BEGIN_VISIT, 0, 0);
    for (std::uint16_t first = 1; first <= count;) {
        std::uint16_t last = first;
        for (; last < count; ++last) {
            const auto next = static_cast<std::uint16_t>(last + 1);
            if (input.joined.count(next) == 0 && input.ready.count(next) == 0) break;
        }
        if (input.topics.count(first) != 0) add(StepKind::WAIT_EVENT, first, first);
        add(StepKind::PREPROCESS, first, first);
        if (input.has_slices) add_slices(input, first, last);
        add(StepKind::POSTPROCESS, last, last);
        first = static_cast<std::uint16_t>(last + 1);
    }
    if (input.has_slices) add(StepKind::CLOSE, 0, 0);
    add(StepKind::END_VISIT, 0, 0);
}

void Schedule::add_slices(const ScheduleInput& input, std::uint16_t first, std::uint16_t last) {
    std::vector<Leg> legs;
    m_steps.push_back({StepKind::RELEASE, first, last, 0});
    for (std::uint16_t stage = first; stage <= last; ++stage) {
        if (stage == first || input.ready.count(stage) != 0) legs.push_back({stage, stage});
        legs.back().last = stage;
        if (input.exchanges.count(stage) != 0) m_steps.push_back({StepKind::EXCHANGE, stage, stage, 0});
    }
    m_steps.push_back({StepKind::PROCESS, first, last, 0});
    m_steps.push_back({StepKind::GATHER, last, last, 0});
    if (legs.size() > 1) m_legs[first] = std::move(legs);
}

const std::vector<Leg>* Schedule::legs_from(std::uint16_t stage) const {
    if (m_legs.empty()) return nullptr;
    const auto found = m_legs.find(stage);
    return found == m_legs.end() ? nullptr : &found->second;
}

void Schedule::order_visits(const ScheduleInput& input) {
    std::size_t postprocess = m_steps.size();
    std::map<std::string, std::size_t> last_waits;  // by topic
    for (std::size_t i = m_steps.size(); i-- > 0;) {
        Step& step = m_steps[i];
        step.after = i;
        if (step.kind == StepKind::POSTPROCESS) postprocess = i;
        if (step.kind == StepKind::PREPROCESS && input.holding.count(step.stage) != 0) step.after = postprocess;
        if (step.kind == StepKind::WAIT_EVENT)
            step.after = last_waits.try_emplace(input.topics.at(step.stage), i).first->second;
    }
}

std::uint32_t Schedule::next_visit(std::uint32_t visit) const {
    const auto by_last = [](const VisitRange& range, std::uint32_t number) { return range.last < number; };
    auto range = std::lower_bound(m_skips.begin(), m_skips.end(), visit, by_last);
    for (; range != m_skips.end() && range->first <= visit; ++range) visit = range->last + 1;
    return visit;
}

std::string Schedule::name_of(const Step& step) const {
    if (step.last == step.stage)
        return std::string("stage ").append(std::to_string(step.stage)).append(" (").append(m_names[step.stage - 1u]).append(")");
    std::string text = "stages ";
    text.append(std::to_string(step.stage)).append(" to ").append(std::to_string(step.last)).append(" (");
    for (std::uint16_t stage = step.stage; stage <= step.last; ++stage)
        text.append(stage == step.stage ? "" : ", ").append(m_names[stage - 1u]);
    return text.append(")");
}

std::string Schedule::explain(const std::set<std::uint16_t>& without_preprocess,
                              const std::set<std::uint16_t>& without_postprocess) const {
    const auto has_preprocess = [&](std::uint16_t stage) { return without_preprocess.count(stage) == 0; };
    const auto has_postprocess = [&](std::uint16_t stage) { return without_postprocess.count(stage) == 0; };
    std::ostringstream out;
    out << m_kind << " schedule of one visit";
    if (m_max_visits != 0) out << ", " << m_max_visits << (m_max_visits == 1 ? " visit" : " visits");
    out << "\n";
    std::size_t number = 0;
    for (const Step& step : m_steps) {
        if (step.kind == StepKind::PREPROCESS && !has_preprocess(step.stage)) continue;
        if (step.kind == StepKind::POSTPROCESS && !has_postprocess(step.stage)) continue;
        out << ++number << ". ";
        if (step.stage != 0) out << name_of(step) << ": ";
        out << describe(step.kind);
        if (step.kind == StepKind::RELEASE && has_preprocess(step.stage)) out << ": none may start before preprocess has returned";
        if (step.kind == StepKind::PROCESS && has_postprocess(step.last)) out << ": postprocess may use what they found";
        if (step.last != step.stage && step.kind == StepKind::RELEASE) out << "; each runs on through all of them";
        if (step.kind == StepKind::WAIT_EVENT) out << " (topic " << m_topics.at(step.stage) << ")";
        if (step.kind == StepKind::EXCHANGE) explain_exchange(out, step.stage);
        const auto why = m_meetings.find(step.stage);
        if (step.kind == StepKind::RELEASE && why != m_meetings.end()) out << " (they have met: " << why->second << ")";
        out << "\n";
    }
    if (m_visits_in_flight > 1) explain_flight(out);
    return out.str();
}

void Schedule::explain_exchange(std::ostream& out, std::uint16_t stage) const {
    const auto begins = [&](const auto& step) { return step.kind == StepKind::RELEASE && step.stage == stage; };
    if (std::any_of(m_steps.begin(), m_steps.end(), begins))
        out << "offered at the end of the stage before, taken after the release; all have arrived by then, so nobody waits";
    else
        out << "a slice begins when it and its neighbours have ended stage " << stage - 1 << " (" << m_names[stage - 2u]
            << "); no meeting with the master";
    out << " (" << m_exchanges.at(stage) << ")";
}

void Schedule::explain_flight(std::ostream& out) const {
    out << "up to " << m_visits_in_flight << " visits in flight: a visit comes to a step when the visit before has left it"
        << " behind; the oldest goes first\n";
    for (const Step& step : m_steps) {
        if (step.after == static_cast<std::size_t>(&step - m_steps.data())) continue;
        out << "  stage " << step.stage << " (" << m_names[step.stage - 1u] << ") takes the next visit ";
        if (step.kind == StepKind::PREPROCESS)
            out << "after its postprocess: one instance runs preprocess and postprocess\n";
        else
            out << "after the event of stage " << m_steps[step.after].stage << " has come: both are of topic "
                << m_topics.at(step.stage) << "\n";
    }
}

}  // namespace pex::loop
