// SPDX-License-Identifier: BSD-3-Clause
#include "loop/feeding.hpp"

#include <algorithm>
#include <limits>

namespace pex::loop {

namespace {

// Slices that take less than one part in so many of the master's step are waited for, and for so many times that at most.
constexpr std::uint64_t SOON = 32;
constexpr std::uint64_t LENIENT = 2;
// The master's step is put off for slices that take at most so many times as long: for others little is gained, and what
// they do stands in the way of the close of the visit before.
constexpr std::uint64_t WORTH = 2;
// The latest time of a serial half counts for a quarter of what it usually takes.
constexpr std::uint64_t WEIGHT = 4;
// Slices are seen to have arrived when the master looks, which may be late: their usual time is the least, and grows by
// an eighth with every longer one.
constexpr std::uint64_t GROWS = 8;

constexpr std::uint64_t UNKNOWN = std::numeric_limits<std::uint64_t>::max();

}  // namespace

Feeding::Feeding(const Schedule& schedule)
    : m_schedule(schedule), m_serial_ns(schedule.steps().size()), m_slices_ns(schedule.close_step() + 1u, UNKNOWN) {}

void Feeding::note_serial(std::size_t index, std::uint64_t took_ns) {
    std::uint64_t& usual = m_serial_ns[index];
    usual = usual == 0 ? took_ns : usual - usual / WEIGHT + took_ns / WEIGHT;
}

void Feeding::note_slices(std::uint16_t step, std::uint64_t took_ns) {
    std::uint64_t& usual = m_slices_ns[step];
    usual = usual == UNKNOWN ? took_ns : std::min(took_ns, usual + usual / GROWS + 1);
}

void Feeding::begin(std::uint64_t due_ns) {
    m_due_ns = due_ns;
    m_ways.clear();
}

std::uint64_t Feeding::soon_ns(std::uint16_t step) const {
    return m_slices_ns[step] <= m_due_ns / SOON ? LENIENT * (m_due_ns / SOON) : 0;
}

void Feeding::add(std::size_t place, std::size_t next, std::uint16_t asked) {
    std::uint64_t sum = asked == 0 ? 0 : m_slices_ns[asked];
    const std::vector<Step>& steps = m_schedule.steps();
    for (; next < steps.size() && sum < m_due_ns; ++next) {
        if (steps[next].kind == StepKind::RELEASE) {
            const std::uint64_t slices_ns = m_slices_ns[steps[next].stage];
            if (slices_ns != UNKNOWN && slices_ns / WORTH <= m_due_ns) m_ways.push_back({sum, place});
            return;
        }
        sum += m_serial_ns[next];
    }
}

const std::vector<std::size_t>& Feeding::nearest() {
    std::sort(m_ways.begin(), m_ways.end());
    m_nearest.clear();
    for (const Way& way : m_ways) m_nearest.push_back(way.place);
    return m_nearest;
}

}  // namespace pex::loop
