// SPDX-License-Identifier: BSD-3-Clause
// Which workers have run for longer than their stage may.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "loop/flight.hpp"
#include "sync/run_state.hpp"

namespace pex::loop {

// Thread/process safety: the master's main thread only; reads what workers note of themselves.
class Lateness {
public:
    explicit Lateness(sync::RunState& state) : m_state(state) {}

    // How long a rank may take for a step, by step: stages from 1, then the close of a visit; 0 or lacking: for ever.
    void set_limits(std::vector<std::uint64_t> limits_ns) { m_limits_ns = std::move(limits_ns); }

    // The least limit of the stages that a step runs through; 0: none has one, and nobody needs to look.
    std::uint64_t shortest_limit_ns(std::uint16_t step) const;

    // The least limit of all stages; 0: none has one.
    std::uint64_t shortest_limit_ns() const;

    // Whether a worker sets its stages up, or has not come to that.
    bool is_any_starting();

    // Calls tell(worker from 0) for every worker that sets a stage up for longer than that may run.
    template <class Tell>
    void find_starting(const StageClock& clock, std::uint64_t now_ns, Tell&& tell) {
        for (std::uint16_t worker = 1; worker <= m_state.shape().workers; ++worker)
            if (is_late_to_start(worker, clock, now_ns)) tell(static_cast<std::uint16_t>(worker - 1));
    }

    // Calls tell(worker from 0) for every worker that is late with what was asked of it in this visit.
    template <class Tell>
    void find(const Flight& flight, std::uint64_t now_ns, Tell&& tell) {
        if (shortest_limit_ns(flight.asked) == 0) return;
        for (std::uint16_t worker = 1; worker <= m_state.shape().workers; ++worker)
            if (is_late(worker, flight, now_ns)) tell(static_cast<std::uint16_t>(worker - 1));
    }

private:
    bool is_late_to_start(std::uint16_t worker, const StageClock& clock, std::uint64_t now_ns);
    bool is_late(std::uint16_t worker, const Flight& flight, std::uint64_t now_ns);
    std::uint64_t limit_ns(std::uint16_t step) const { return step < m_limits_ns.size() ? m_limits_ns[step] : 0; }
    // The limit of what a worker does, if that is a stage of this visit, or of the step it has not begun.
    std::uint64_t limit_now_ns(const sync::ProcessShm& process, std::uint16_t step) const;
    // Whether a worker has a rank that has not ended what was asked.
    bool owes(std::uint16_t process, const Flight& flight);

    sync::RunState& m_state;
    std::vector<std::uint64_t> m_limits_ns;
};

}  // namespace pex::loop
