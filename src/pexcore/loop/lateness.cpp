// SPDX-License-Identifier: BSD-3-Clause
// Deadlines of stages, looked at by the master.
#include "loop/lateness.hpp"

namespace pex::loop {

using sync::CellWord;
using sync::unpack;

bool Lateness::is_late(std::uint16_t worker, const Flight& flight, std::uint64_t now_ns) {
    const sync::ProcessShm& process = m_state.process(worker);
    // ORDER seq_cst: pairs with the worker's store when its stages are set up, which takes as long as it takes.
    if (process.state.load(std::memory_order_seq_cst) != sync::ProcessState::WORKING) return false;
    // What it does in another visit is that visit's affair.
    // ORDER acquire: pairs with the release in WorkerLoop. Who does nothing, or another thing by now, has noted the time.
    if (process.busy_rank.load(std::memory_order_acquire) >= 0 &&
        process.busy_visit.load(std::memory_order_relaxed) != flight.visit)
        return false;
    const std::uint64_t limit = limit_now_ns(process, flight.asked);
    // ORDER relaxed: a value that is not the latest makes the deadline late, or is looked at again by owes(). It is
    // never older than what was read before: the stage, or that it does nothing.
    const std::uint64_t since = process.since_ns.load(std::memory_order_relaxed);
    return flight.clock.is_late(since, now_ns, limit) && owes(worker, flight);
}

bool Lateness::is_any_starting() {
    for (std::uint16_t worker = 1; worker <= m_state.shape().workers; ++worker)
        // ORDER seq_cst: as in is_late().
        if (m_state.process(worker).state.load(std::memory_order_seq_cst) <= sync::ProcessState::STARTING) return true;
    return false;
}

bool Lateness::is_late_to_start(std::uint16_t worker, const StageClock& clock, std::uint64_t now_ns) {
    const sync::ProcessShm& process = m_state.process(worker);
    // ORDER seq_cst: as in is_late().
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
    for (std::uint16_t stage = step; stage <= m_state.last_of(step); ++stage)
        if (const std::uint64_t limit = limit_ns(stage); limit != 0 && (shortest == 0 || limit < shortest)) shortest = limit;
    return shortest;
}

std::uint64_t Lateness::limit_now_ns(const sync::ProcessShm& process, std::uint16_t step) const {
    // ORDER acquire: pairs with the worker's release when it begins a stage, after it has noted the time: a stage that
    // is seen here is not judged by the beginning of the one before.
    const std::int32_t stage = process.busy_stage.load(std::memory_order_acquire);
    // ORDER acquire: as in is_late().
    const bool is_busy = process.busy_rank.load(std::memory_order_acquire) >= 0 && stage > 0;
    return limit_ns(is_busy ? static_cast<std::uint16_t>(stage) : step);
}

bool Lateness::owes(std::uint16_t process, const Flight& flight) {
    std::uint8_t outcome = 0;
    for (std::uint32_t rank = 0; rank < m_state.shape().ranks; ++rank) {
        const sync::CellShm& cell = m_state.cell(rank, flight.slot);
        // ORDER seq_cst: pairs with take().
        const CellWord word = unpack(cell.word.load(std::memory_order_seq_cst));
        if (word.process == process && !sync::has_arrived(cell, flight.visit, flight.asked, outcome)) return true;
    }
    return false;
}

}  // namespace pex::loop
