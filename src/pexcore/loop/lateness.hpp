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

    // The least limit of the stages that slices run through until they meet the master; 0: none has one, and nobody needs
    // to look.
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

    // Calls tell(worker from 0, step) for every worker that is late with what was asked of it in this visit.
    template <class Tell>
    void find(const Flight& flight, std::uint64_t now_ns, Tell&& tell) {
        if (!flight.clock.runs()) return;
        m_found.assign(m_state.shape().workers, false);
        for (std::uint32_t rank = 0; rank < m_state.shape().ranks; ++rank) {
            const std::uint16_t process = late_with(rank, flight, now_ns);
            if (process == sync::MASTER_PROCESS || m_found[process - 1u]) continue;
            m_found[process - 1u] = true;
            tell(static_cast<std::uint16_t>(process - 1), flight.asked_of(rank));
        }
    }

private:
    bool is_late_to_start(std::uint16_t worker, const StageClock& clock, std::uint64_t now_ns);
    // The process that is late with a rank; the master's: none is.
    std::uint16_t late_with(std::uint32_t rank, const Flight& flight, std::uint64_t now_ns);
    std::uint64_t limit_ns(std::uint16_t step) const { return step < m_limits_ns.size() ? m_limits_ns[step] : 0; }
    // The limit of what a worker does, if that is a stage of this visit, or of the step it has not begun.
    std::uint64_t limit_now_ns(const sync::ProcessShm& process, std::uint16_t step) const;
    // The worker that has not ended what was asked of a rank; the master: it has.
    std::uint16_t owner_of(std::uint32_t rank, const Flight& flight);

    sync::RunState& m_state;
    std::vector<std::uint64_t> m_limits_ns;
    std::vector<bool> m_found;  // by worker
};

}  // namespace pex::loop
