// SPDX-License-Identifier: BSD-3-Clause
// Lays the run's tables into the application area.
#include "sync/run_state.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace pex::sync {

namespace {

// What a process does in the visits in flight, and more: the master drains at every visit's end. A worker that takes ranks
// of others stops when its ring is full.
std::uint64_t ring_capacity(const RunShape& shape) {
    const std::uint64_t ranks = shape.workers == 0 ? 0 : (shape.ranks + shape.workers - 1u) / shape.workers;
    const std::uint64_t worker_spans = ranks * (shape.stages + 2u);
    const std::uint64_t master_spans = 3u * (shape.stages + 2u);
    return std::bit_ceil(2 * shape.slots * std::max(2 * worker_spans, master_spans));
}

constexpr std::uint64_t on_line(std::uint64_t bytes) { return (bytes + 63) / 64 * 64; }

struct Offsets {
    std::uint64_t processes, doors, ranks, rings, log_places, log_rings, lasts, slots;
};

Offsets offsets_of(const RunShape& shape) {
    const std::uint64_t members = 1u + shape.workers;
    Offsets at{};
    at.processes = sizeof(RunHeadShm);
    at.doors = at.processes + members * sizeof(ProcessShm);
    at.ranks = at.doors + members * sizeof(DoorbellShm);
    at.rings = at.ranks + shape.ranks * sizeof(RankShm);
    at.log_places = at.rings + members * SpanRing::bytes_for(ring_capacity(shape));
    at.log_rings = at.log_places + sizeof(LogPlacesShm);
    at.lasts = at.log_rings + members * sizeof(LogRingShm);
    at.slots = on_line(at.lasts + (2u + shape.stages) * sizeof(std::uint16_t));
    return at;
}

}  // namespace

RunState::OfSlot RunState::of_slot(const RunShape& shape) {
    OfSlot at{};
    at.cells = sizeof(ArrivalCountShm);
    at.fates = at.cells + shape.ranks * sizeof(CellShm);
    at.reports = at.fates + shape.ranks * sizeof(FateShm);
    at.down = at.reports + shape.ranks * sizeof(ReportShm);
    at.across = at.down + (1u + shape.stages) * sizeof(ManifestPlaceShm);
    at.bytes = on_line(at.across + std::uint64_t{shape.ranks} * shape.exchanges * sizeof(ManifestPlaceShm));
    return at;
}

std::uint64_t RunState::bytes_for(const RunShape& shape) {
    return offsets_of(shape).slots + shape.slots * of_slot(shape).bytes;
}

RunState::RunState(std::span<std::byte> area, const RunShape& shape) : m_shape(shape), m_of_slot(of_slot(shape)) {
    if (shape.slots == 0) throw std::invalid_argument("a run needs a slot for the visit in progress");
    const Offsets at = offsets_of(shape);
    if (area.size() < bytes_for(shape)) throw std::invalid_argument("the run's tables do not fit the application area");
    std::byte* const base = area.data();
    m_head = reinterpret_cast<RunHeadShm*>(base);
    m_processes = reinterpret_cast<ProcessShm*>(base + at.processes);
    m_doors = reinterpret_cast<DoorbellShm*>(base + at.doors);
    m_ranks = reinterpret_cast<RankShm*>(base + at.ranks);
    m_rings = base + at.rings;
    m_log_places = reinterpret_cast<LogPlacesShm*>(base + at.log_places);
    m_log_rings = reinterpret_cast<LogRingShm*>(base + at.log_rings);
    m_lasts = reinterpret_cast<std::uint16_t*>(base + at.lasts);
    m_slots = base + at.slots;
}

SpanRing RunState::ring(std::uint16_t index) const {
    const std::uint64_t capacity = ring_capacity(m_shape);
    return {reinterpret_cast<SpanRingShm*>(m_rings + index * SpanRing::bytes_for(capacity)), capacity};
}

std::optional<TakenStep> RunState::unfinished_step(std::uint16_t process) {
    for (std::uint16_t slot = 0; slot < m_shape.slots; ++slot)
        for (std::uint32_t rank = 0; rank < m_shape.ranks; ++rank) {
            // ORDER seq_cst: pairs with take() and arrive() of a process that was reaped.
            const CellWord word = unpack(cell(rank, slot).word.load(std::memory_order_seq_cst));
            if (word.state == CellState::RUNNING && word.process == process) return TakenStep{rank, word.step, word.visit};
        }
    return std::nullopt;
}

void RunState::revoke_cells(std::uint16_t process, std::uint32_t incarnation) {
    std::vector<std::pair<std::uint32_t, std::uint16_t>> slots(m_shape.slots);  // visits and their slots
    for (std::uint32_t index = 0; index < m_shape.ranks; ++index) {
        for (std::uint16_t slot = 0; slot < m_shape.slots; ++slot)
            // ORDER relaxed: only this thread changes which visit it is.
            slots[slot] = {unpack(cell(index, slot).word.load(std::memory_order_relaxed)).visit, slot};
        std::sort(slots.begin(), slots.end(), std::greater<>());
        for (const auto& [visit, slot] : slots)
            revoke(cell(index, slot), static_cast<std::uint8_t>(process), static_cast<std::uint8_t>(incarnation));
    }
}

void RunState::write_report(std::uint32_t rank, std::string_view text, std::uint16_t slot) {
    ReportShm& report = at<ReportShm>(slot, m_of_slot.reports)[rank];
    constexpr std::size_t room = sizeof(report.text);
    if (text.size() <= room) {
        std::memcpy(report.text, text.data(), text.size());
        report.length = static_cast<std::uint32_t>(text.size());
        return;
    }
    constexpr std::string_view gap = "\n[...]\n";
    constexpr std::size_t first = room / 4;
    constexpr std::size_t last = room - first - gap.size();
    std::memcpy(report.text, text.data(), first);
    std::memcpy(report.text + first, gap.data(), gap.size());
    std::memcpy(report.text + first + gap.size(), text.data() + text.size() - last, last);
    report.length = static_cast<std::uint32_t>(room);
}

std::string RunState::read_report(std::uint32_t rank, std::uint16_t slot) const {
    const ReportShm& report = at<ReportShm>(slot, m_of_slot.reports)[rank];
    return {report.text, std::min<std::size_t>(report.length, sizeof(report.text))};
}

}  // namespace pex::sync
