// SPDX-License-Identifier: BSD-3-Clause
// The deadline of a step, which time in which nobody could work does not count against.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "os/clock.hpp"

namespace pex::loop {

// The master looks at its clock every now and then while it waits. A look that comes much later than it was meant to
// says that this process was stopped (^Z, SIGSTOP) or the machine suspended: every deadline that was running then
// moves by that gap. A look that is late for another reason only makes a deadline late, too.
// Thread/process safety: of one thread. Times are CLOCK_MONOTONIC in nanoseconds.
class StageClock {
public:
    // `shortest_ns`: the least limit that a call of the step may have; 0: there is none, and nobody looks.
    StageClock(std::uint64_t shortest_ns, std::uint64_t now_ns)
        : m_shortest_ns(shortest_ns), m_started_ns(now_ns), m_looked_ns(now_ns),
          m_tick_ns(std::clamp<std::uint64_t>(shortest_ns / 8, 1'000'000, 250'000'000)) {}

    // Whether anybody has to look.
    bool runs() const { return m_shortest_ns != 0; }
    // When the step was released.
    std::uint64_t started_ns() const { return m_started_ns; }

    // Until when to wait before the next look.
    std::uint64_t next_look(std::uint64_t now_ns) {
        if (m_shortest_ns == 0) return os::NO_DEADLINE;
        m_looked_ns = now_ns;
        return now_ns + m_tick_ns;
    }

    // Notes a look.
    void look(std::uint64_t now_ns) {
        if (m_shortest_ns == 0) return;
        const std::uint64_t since = now_ns - m_looked_ns;
        if (since > 2 * m_tick_ns) m_gaps.push_back({now_ns, since - m_tick_ns});
        m_looked_ns = now_ns;
    }

    // Whether what runs since `since_ns`, or since the step was released, has run for longer than `limit_ns` (0: for
    // ever).
    bool is_late(std::uint64_t since_ns, std::uint64_t now_ns, std::uint64_t limit_ns) const {
        if (limit_ns == 0) return false;
        const std::uint64_t start = std::max(since_ns, m_started_ns);
        std::uint64_t due = start + limit_ns;
        for (const Gap& gap : m_gaps)
            if (gap.end_ns > start) due += gap.length_ns;
        return now_ns >= due;
    }

private:
    struct Gap {
        std::uint64_t end_ns;
        std::uint64_t length_ns;
    };
    std::uint64_t m_shortest_ns;
    std::uint64_t m_started_ns;
    std::uint64_t m_looked_ns;
    std::uint64_t m_tick_ns;
    std::vector<Gap> m_gaps;
};

}  // namespace pex::loop
