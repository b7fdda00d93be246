// SPDX-License-Identifier: BSD-3-Clause
// Compiles and explains the lockstep schedule.
#include "loop/schedule.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace pex::loop {

namespace {

constexpr std::size_t MAX_STAGES = 10'000;

const char* describe(StepKind kind) {
    switch (kind) {
        case StepKind::BEGIN_VISIT: return "begin the visit: a fresh clipboard in the master";
        case StepKind::WAIT_EVENT: return "wait for an event and put it on the clipboards";
        case StepKind::PREPROCESS: return "preprocess in the master";
        case StepKind::EXCHANGE:
            return "slices exchange what they mark shareable: offered at the end of the stage before, taken after the"
                   " release; all have arrived by then, so nobody waits";
        case StepKind::RELEASE: return "release the slices: none may start before preprocess has returned";
        case StepKind::PROCESS: return "process in every slice; wait for all: postprocess may use what they found";
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
    if (!input.exchanges.empty() && (input.exchanges.begin()->first == 0 ||
                                     input.exchanges.rbegin()->first > input.stage_names.size()))
        throw std::invalid_argument("an exchange belongs to a stage that is not in the pipeline");
    if (!input.topics.empty() && (input.topics.begin()->first == 0 ||
                                  input.topics.rbegin()->first > input.stage_names.size()))
        throw std::invalid_argument("an event belongs to a stage that is not in the pipeline");
    auto add = [&](StepKind kind, std::size_t stage) {
        schedule.m_steps.push_back({kind, static_cast<std::uint16_t>(stage)});
    };
    add(StepKind::BEGIN_VISIT, 0);
    for (std::size_t stage = 1; stage <= input.stage_names.size(); ++stage) {
        if (input.topics.count(static_cast<std::uint16_t>(stage)) != 0) add(StepKind::WAIT_EVENT, stage);
        add(StepKind::PREPROCESS, stage);
        if (input.has_slices) {
            add(StepKind::RELEASE, stage);
            if (input.exchanges.count(static_cast<std::uint16_t>(stage)) != 0) add(StepKind::EXCHANGE, stage);
            add(StepKind::PROCESS, stage);
            add(StepKind::GATHER, stage);
        }
        add(StepKind::POSTPROCESS, stage);
    }
    if (input.has_slices) add(StepKind::CLOSE, 0);
    add(StepKind::END_VISIT, 0);
    return schedule;
}

std::uint32_t Schedule::next_visit(std::uint32_t visit) const {
    const auto by_last = [](const VisitRange& range, std::uint32_t number) { return range.last < number; };
    auto range = std::lower_bound(m_skips.begin(), m_skips.end(), visit, by_last);
    for (; range != m_skips.end() && range->first <= visit; ++range) visit = range->last + 1;
    return visit;
}

std::string Schedule::explain() const {
    std::ostringstream out;
    out << "lockstep schedule of one visit";
    if (m_max_visits != 0) out << ", " << m_max_visits << (m_max_visits == 1 ? " visit" : " visits");
    out << "\n";
    std::size_t number = 0;
    for (const Step& step : m_steps) {
        out << ++number << ". ";
        if (step.stage != 0) out << "stage " << step.stage << " (" << m_names[step.stage - 1u] << "): ";
        out << describe(step.kind);
        if (step.kind == StepKind::WAIT_EVENT) out << " (topic " << m_topics.at(step.stage) << ")";
        if (step.kind == StepKind::EXCHANGE) out << " (" << m_exchanges.at(step.stage) << ")";
        out << "\n";
    }
    return out.str();
}

}  // namespace pex::loop
