// SPDX-License-Identifier: BSD-3-Clause
// Which visit in flight has work for idle slices, and whether it is worth putting off what the master would do next.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "loop/schedule.hpp"

namespace pex::loop {

// Knows what the master's serial halves and the slices of a stage usually take, and compares ways to a release: the serial
// halves that a visit has before its next one. The numbers were chosen by simulation of 400 pipelines
// (benchmarks/scaling/model.py has the same rule).
// Thread/process safety: the master's main thread only.
class Feeding {
public:
    explicit Feeding(const Schedule& schedule);

    // What a serial half (an index into the schedule) took, and the slices for a step (a stage, or the close).
    void note_serial(std::size_t index, std::uint64_t took_ns);
    void note_slices(std::uint16_t step, std::uint64_t took_ns);

    // What a serial half usually takes; 0: not known yet.
    std::uint64_t serial_ns(std::size_t index) const { return m_serial_ns[index]; }

    // Begins a comparison with a step of the master that takes so long.
    void begin(std::uint64_t due_ns);
    // How long to wait, from their release on, for slices that are done with a step in hardly any time beside what the
    // master does; 0: these take longer.
    std::uint64_t soon_ns(std::uint16_t step) const;
    // Adds the way of the visit at `place` from step `next` on, which begins when slices have done what they were `asked`
    // for (0: nothing).
    void add(std::size_t place, std::size_t next, std::uint16_t asked);
    // The places whose way is shorter than the step of the master, and whose slices then have something to do beside it;
    // the shortest way first, and of two the first.
    const std::vector<std::size_t>& nearest();

private:
    struct Way {
        std::uint64_t ns;
        std::size_t place;
        auto operator<=>(const Way& other) const = default;
    };
    const Schedule& m_schedule;
    std::vector<std::uint64_t> m_serial_ns;  // by index into the schedule
    std::vector<std::uint64_t> m_slices_ns;  // by step
    std::uint64_t m_due_ns = 0;
    std::vector<Way> m_ways;
    std::vector<std::size_t> m_nearest;
};

}  // namespace pex::loop
