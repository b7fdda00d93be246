// SPDX-License-Identifier: BSD-3-Clause
// Deadlines of stages, looked at by the master.
#include "loop/lateness.hpp"

#include <algorithm>

namespace pex::loop {

using sync::CellWord;
using sync::unpack;

std::uint16_t Lateness::late_with(std::uint32_t rank, const Flight& flight, std::uint64_t now_ns) {
    const std::uint16_t worker = owner_of(rank, flight);
    if (worker == sync::MASTER_PROCESS) return worker;
    const sync::ProcessShm& process = m_state.process(worker);
    // ORDER seq_cst: pairs with the worker's store when its stages are set up, which takes as long as it takes.
    if (process.state.load(std::memory_order_seq_cst) != sync::ProcessState::WORKING) return sync::MASTER_PROCESS;
    // What it does in another visit is that visit's affair.
    // ORDER acquire: pairs with the release in WorkerLoop. Who does nothing, or another thing by now, has noted the time.
    if (process.busy_rank.load(std::memory_order_acquire) >= 0 &&
        process.busy_visit.load(std::memory_order_relaxed) != flight.visit)
        return sync::MASTER_PROCESS;
    const std::uint64_t limit = limit_now_ns(process, flight.asked_of(rank));
    // ORDER relaxed: a value that is not the latest makes the deadline late, or is looked at again by owner_of(). It is
    // never older than what was read before: the stage, or that it does nothing.
    const std::uint64_t since = process.since_ns.load(std::memory_order_relaxed);
    if (!flight.clock.is_late(std::max(since, flight.asked_ns(rank)), now_ns, limit)) return sync::MASTER_PROCESS;
    return owner_of(rank, flight) == worker ? worker : sync::MASTER_PROCESS;
}

bool Lateness::is_any_starting() {
    for (std::uint16_t worker = 1; worker <= m_state.shape().workers; ++worker)
        // ORDER seq_cst: as in late_with().
        if (m_state.process(worker).state.load(std::memory_order_seq_cst) <= sync::ProcessState::STARTING) return true;
    return false;
}

bool Lateness::is_late_to_start(std::uint16_t worker, const StageClock& clock, std::uint64_t now_ns) {
    const sync::ProcessShm& process = m_state.process(worker);
    // ORDER seq_cst: as in late_with().
    if (process.state.load(std::memory_order_seq_cst) != sync::ProcessState::STARTING) return false;
    // ORDER acquire: pairs with the release in Run::note_setup(): the stage is the one that began then, or a later one,
    // whose beginning is seen at the next look.
    const std::uint64_t since = process.since_ns.load(std::memory_order_acquire);
    const std::int32_t stage = process.busy_stage.load(std::memory_order_relaxed);
    return since != 0 && stage > 0 && clock.is_late(since, now_ns, limit_ns(static_cast<std::uint16_t>(stage)));
}

std::uint64_t Lateness::shortest_limit_ns() const {
    std::uint64_t shortest = 0;
    for (const std::uint64_t limit : m_limits_ns)
        if (limit != 0 && (shortest == 0 || limit < shortest)) shortest = limit;
    return shortest;
}

std::uint64_t Lateness::shortest_limit_ns(std::uint16_t step) const {
    std::uint64_t shortest = 0;
    const std::uint16_t last = m_state.meets_after(step);
    for (std::uint16_t stage = step; stage <= last; ++stage)
        if (const std::uint64_t limit = limit_ns(stage); limit != 0 && (shortest == 0 || limit < shortest)) shortest = limit;
    return shortest;
}

std::uint64_t Lateness::limit_now_ns(const sync::ProcessShm& process, std::uint16_t step) const {
    // ORDER acquire: pairs with the worker's release when it begins a stage, after it has noted the time: a stage that
    // is seen here is not judged by the beginning of the one before.
    const std::int32_t stage = process.busy_stage.load(std::memory_order_acquire);
    // ORDER acquire: as in late_with().
    const bool is_busy = process.busy_rank.load(std::memory_order_acquire) >= 0 && stage > 0;
    return limit_ns(is_busy ? static_cast<std::uint16_t>(stage) : step);
}

std::uint16_t Lateness::owner_of(std::uint32_t rank, const Flight& flight) {
    // ORDER seq_cst: pairs with take() and arrive().
    const CellWord word = unpack(m_state.cell(rank, flight.slot).word.load(std::memory_order_seq_cst));
    return word.state == sync::CellState::ARRIVED ? sync::MASTER_PROCESS : word.process;
}

}  // namespace pex::loop
