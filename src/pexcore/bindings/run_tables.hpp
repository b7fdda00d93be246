// SPDX-License-Identifier: BSD-3-Clause
// The tables of a run in its arena: what of each slot has crossed, and how ranks have ended their steps.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "loop/traffic.hpp"
#include "os/fault_point.hpp"
#include "shm/arena.hpp"
#include "sync/run_state.hpp"

namespace pex::bindings {

namespace py = pybind11;

inline std::shared_ptr<shm::Arena> create_arena(std::uint64_t arena_bytes, std::uint64_t application_bytes,
                                                std::uint64_t lend_bytes) {
    shm::ArenaConfig config;
    config.arena_bytes = arena_bytes;
    config.lend_bytes = lend_bytes;
    config.application_bytes = application_bytes;
    return shm::Arena::create(config);
}

class RunTables {
public:
    RunTables(std::uint64_t arena_bytes, std::uint32_t ranks, std::uint16_t workers, std::uint16_t stages,
        std::vector<std::uint16_t> exchanges, std::uint16_t slots = 1,
        std::uint64_t lend_bytes = 0)
        : m_exchanges(std::move(exchanges)),
          m_shape(shape_of(ranks, workers, stages, m_exchanges, slots)),
          m_arena(create_arena(arena_bytes, sync::RunState::bytes_for(m_shape), lend_bytes)),
          m_state(m_arena->application(), m_shape) {}

    // (control, pixels): the descriptors that another process needs to adopt the run. They stay this one's.
    py::tuple segment_fds() const {
        return py::make_tuple(m_arena->control_segment().fd(), m_arena->pixel_segment().fd());
    }

    const std::shared_ptr<shm::Arena>& arena() const { return m_arena; }
    sync::RunState& state() { return m_state; }

    // The slot of the visit that this process looks at: what is said of a rank, and of manifests, is said of it there.
    std::uint16_t slot() const { return m_slot; }
    std::uint16_t slots() const { return m_shape.slots; }
    void turn_to(std::uint16_t slot) {
        if (slot >= m_shape.slots) throw py::index_error("no such slot in this run");
        m_slot = slot;
    }
    loop::Traffic& traffic() { return m_traffic; }

    // (has arrived, outcome) of a rank in the step that was released last.
    py::tuple arrival(std::uint32_t rank) {
        // ORDER seq_cst: pairs with arrive().
        const sync::CellWord word = sync::unpack(m_state.cell(rank, m_slot).word.load(std::memory_order_seq_cst));
        return py::make_tuple(word.state == sync::CellState::ARRIVED, word.outcome);
    }

    void set_down_manifest(std::uint16_t stage, std::uint64_t ref, std::uint64_t bytes) {
        os::fault_point("master: publishes");
        m_state.down(stage, m_slot) = {ref, bytes};
    }
    // Of a slot: pairs of reference and length of all stages from 0 on, as 64-bit numbers that can be read without a call.
    py::memoryview down_table(std::uint16_t slot) {
        return py::memoryview::from_buffer(&m_state.down(0, slot).ref, {2 * (py::ssize_t{1} + m_shape.stages)},
                                           {static_cast<py::ssize_t>(sizeof(std::uint64_t))}, true);
    }
    py::tuple down_manifest(std::uint16_t stage) {
        return py::make_tuple(m_state.down(stage, m_slot).ref, m_state.down(stage, m_slot).bytes);
    }
    void set_up_manifest(std::uint32_t rank, std::uint64_t ref, std::uint64_t bytes) {
        os::fault_point("worker: publishes");
        m_state.cell(rank, m_slot).manifest_ref = ref;
        os::fault_point("worker: half a manifest");
        m_state.cell(rank, m_slot).manifest_bytes = bytes;
    }
    py::tuple up_manifest(std::uint32_t rank) {
        return py::make_tuple(m_state.cell(rank, m_slot).manifest_ref, m_state.cell(rank, m_slot).manifest_bytes);
    }
    // (rank, manifest) of the ranks that have published upwards.
    py::list up_manifests() {
        py::list out;
        for (std::uint32_t rank = 0; rank < m_shape.ranks; ++rank)
            if (m_state.cell(rank, m_slot).manifest_bytes != 0) out.append(py::make_tuple(rank, up_manifest(rank)));
        return out;
    }
    // Of a slot: the lengths of what the ranks have published upwards, in their order, that can be read without a call.
    py::memoryview up_lengths(std::uint16_t slot) {
        static std::uint64_t nothing = 0;
        return py::memoryview::from_buffer(m_shape.ranks != 0 ? &m_state.cell(0, slot).manifest_bytes : &nothing,
                                           {static_cast<py::ssize_t>(m_shape.ranks)},
                                           {static_cast<py::ssize_t>(sizeof(sync::CellShm))}, true);
    }
    // The stage that raised, of those that the step of a rank ran through.
    void set_raised_stage(std::uint32_t rank, std::uint16_t stage) { m_state.cell(rank, m_slot).raised_stage = stage; }
    std::uint16_t raised_stage(std::uint32_t rank) { return m_state.cell(rank, m_slot).raised_stage; }
    void set_across_manifest(std::uint32_t rank, std::uint16_t stage, std::uint64_t ref, std::uint64_t bytes) {
        os::fault_point("worker: offers");
        m_state.across(rank, exchange_before(stage), m_slot) = {ref, bytes};
    }
    py::tuple across_manifest(std::uint32_t rank, std::uint16_t stage) {
        const sync::ManifestPlaceShm& place = m_state.across(rank, exchange_before(stage), m_slot);
        return py::make_tuple(place.ref, place.bytes);
    }
    // (rank, report) of the slices that have raised the fatal flag.
    py::list fatal_reports() {
        py::list out;
        // ORDER seq_cst: pairs with arrive(); a report is whole when the cell says so.
        for (std::uint16_t slot = 0; slot < m_shape.slots; ++slot)
            for (std::uint32_t rank = 0; rank < m_shape.ranks; ++rank) {
                const sync::CellWord word = sync::unpack(m_state.cell(rank, slot).word.load(std::memory_order_seq_cst));
                if (word.state == sync::CellState::ARRIVED && (word.outcome & sync::OUTCOME_FATAL) != 0)
                    out.append(py::make_tuple(rank, py::bytes(m_state.read_report(rank, slot))));
            }
        return out;
    }
    std::uint8_t outcome(std::uint32_t rank) {
        // ORDER seq_cst: pairs with arrive().
        return sync::unpack(m_state.cell(rank, m_slot).word.load(std::memory_order_seq_cst)).outcome;
    }

protected:
    RunTables(const sync::RunShape& shape, std::vector<std::uint16_t> exchanges, std::shared_ptr<shm::Arena> arena)
        : m_exchanges(std::move(exchanges)),
          m_shape(shape),
          m_arena(std::move(arena)),
          m_state(m_arena->application(), m_shape) {}

    static sync::RunShape shape_of(std::uint32_t ranks, std::uint16_t workers, std::uint16_t stages,
                                   const std::vector<std::uint16_t>& exchanges, std::uint16_t slots) {
        if (slots == 0 || slots > shm::MAX_VISITS)
            throw std::invalid_argument("visits in flight: expected 1 to " + std::to_string(shm::MAX_VISITS));
        return {ranks, workers, stages, static_cast<std::uint16_t>(exchanges.size()), slots};
    }

    std::uint16_t exchange_before(std::uint16_t stage) const {
        for (std::size_t i = 0; i < m_exchanges.size(); ++i)
            if (m_exchanges[i] == stage) return static_cast<std::uint16_t>(i);
        throw std::invalid_argument("no exchange belongs to that stage");
    }

    std::vector<std::uint16_t> m_exchanges;
    sync::RunShape m_shape;
    std::shared_ptr<shm::Arena> m_arena;
    sync::RunState m_state;
    loop::Traffic m_traffic;
    std::uint16_t m_slot = 0;
};

}  // namespace pex::bindings
