// SPDX-License-Identifier: BSD-3-Clause
// Who may go on, and what is kept of the legs behind.
#include "loop/legs.hpp"

#include <algorithm>
#include <tuple>

namespace pex::loop {

void Legs::begin(const std::vector<Leg>& legs, std::uint32_t ranks, std::uint64_t now_ns) {
    m_legs = &legs;
    m_ranks.assign(ranks, Rank{0, true, 0, 0, now_ns});
    m_limit = legs.size() - 1;
    m_ends.clear();
}

void Legs::clear() {
    if (m_legs == nullptr) return;
    m_legs = nullptr;
    m_ranks.clear();
    m_ends.clear();
}

void Legs::note_arrival(std::uint32_t rank, std::uint8_t outcome) {
    Rank& one = m_ranks[rank];
    one.works = false;
    one.outcome = outcome;
    // What follows that leg is not run: its neighbours would lack the data.
    if ((outcome & sync::OUTCOME_NO_MORE) != 0) m_limit = std::min(m_limit, one.leg);
}

void Legs::stop() {
    std::size_t furthest = 0;
    for (const Rank& one : m_ranks) furthest = std::max(furthest, one.leg);
    m_limit = std::min(m_limit, furthest);
}

bool Legs::may_go_on(std::uint32_t rank, const std::vector<std::uint32_t>& neighbours) const {
    const Rank& self = m_ranks[rank];
    if (self.works || self.leg >= m_limit) return false;
    return std::all_of(neighbours.begin(), neighbours.end(), [&](std::uint32_t other) {
        const Rank& one = m_ranks[other];
        return one.leg > self.leg || (one.leg == self.leg && !one.works);
    });
}

void Legs::go_on(std::uint32_t rank, sync::ManifestPlaceShm manifest, std::uint64_t now_ns) {
    Rank& one = m_ranks[rank];
    m_ends.push_back({rank, (*m_legs)[one.leg].last, one.outcome, manifest});
    ++one.leg;
    one.works = true;
    one.before = static_cast<std::uint8_t>(one.before | one.outcome);
    one.outcome = 0;
    one.asked_ns = now_ns;
}

bool Legs::have_ended() const {
    return std::all_of(m_ranks.begin(), m_ranks.end(),
                       [&](const Rank& one) { return !one.works && one.leg >= m_limit; });
}

Arrivals Legs::arrivals() const {
    Arrivals all;
    for (const Rank& one : m_ranks) {
        auto outcome = static_cast<std::uint8_t>(one.before | one.outcome);
        // What was passed over after a failure in this step goes without saying.
        if ((outcome & sync::OUTCOME_RAISED) != 0) outcome = static_cast<std::uint8_t>(outcome & ~sync::OUTCOME_SKIPPED);
        all.add(outcome);
    }
    return all;
}

std::uint16_t Legs::cut_behind() const {
    return m_limit + 1 == m_legs->size() ? std::uint16_t{0} : (*m_legs)[m_limit].last;
}

std::vector<LegEnd> Legs::earlier() const {
    std::vector<LegEnd> ends = m_ends;
    std::sort(ends.begin(), ends.end(), [](const LegEnd& one, const LegEnd& other) {
        return std::tie(one.stage, one.rank) < std::tie(other.stage, other.rank);
    });
    return ends;
}

std::vector<std::uint16_t> Legs::asked() const {
    std::vector<std::uint16_t> steps;
    for (std::uint32_t rank = 0; rank < m_ranks.size(); ++rank) steps.push_back(asked_of(rank));
    return steps;
}

std::vector<std::uint32_t> Legs::failed_before() const {
    std::vector<std::uint32_t> failed;
    for (std::uint32_t rank = 0; rank < m_ranks.size(); ++rank)
        if ((m_ranks[rank].before & (sync::OUTCOME_RAISED | sync::OUTCOME_SKIPPED)) != 0) failed.push_back(rank);
    return failed;
}

}  // namespace pex::loop
