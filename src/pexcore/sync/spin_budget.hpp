// SPDX-License-Identifier: BSD-3-Clause
// How long to yield before sleeping, learnt from how long the last waits took.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sync/doorbell.hpp"

namespace pex::sync {

// Waking a process that sleeps costs up to 100 us on virtual machines; yielding costs the time of others who share
// the core. So it pays to yield through waits that are short as a rule, and to sleep soon in those that are long:
// the budget is `most_ns` while the waits of the recent past were shorter, and `least_ns` while they were longer.
// Thread/process safety: of one waiting thread.
class SpinBudget {
public:
    SpinBudget(std::uint64_t least_ns, std::uint64_t most_ns)
        : m_least_ns(least_ns), m_most_ns(std::max(least_ns, most_ns)), m_usual_ns(most_ns) {}

    // For the next wait; `shares_core`: for somebody who needs the core that this process is on.
    Patience patience(bool shares_core) const {
        return {m_usual_ns <= m_most_ns ? m_most_ns : m_least_ns, shares_core ? 0 : LOOKS};
    }

    // Notes how long a wait took, asleep or not. Of a wait beyond any budget it does not matter how far: one image
    // that took a minute must not be remembered for a hundred steps.
    void note(std::uint64_t waited_ns) {
        const std::uint64_t counted = std::min(waited_ns, FARTHEST * m_most_ns);
        m_usual_ns = m_usual_ns - m_usual_ns / WEIGHT + counted / WEIGHT;
    }

private:
    static constexpr std::uint32_t LOOKS = 256;   // 5 to 12 us
    static constexpr std::uint64_t WEIGHT = 4;    // the latest wait counts for a quarter
    static constexpr std::uint64_t FARTHEST = 8;  // budgets

    std::uint64_t m_least_ns;
    std::uint64_t m_most_ns;
    std::uint64_t m_usual_ns;  // moving average
};

}  // namespace pex::sync
