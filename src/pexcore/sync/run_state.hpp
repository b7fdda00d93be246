// SPDX-License-Identifier: BSD-3-Clause
// Everything a run shares besides blocks: cells, doorbells, process entries, reports and spans, in one area.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sync/arrivals.hpp"
#include "sync/cell.hpp"
#include "sync/doorbell.hpp"
#include "sync/span.hpp"

namespace pex::sync {

inline constexpr std::size_t REPORT_BYTES = 8192;
inline constexpr std::uint16_t MASTER_PROCESS = 0;

enum class ProcessState : std::uint32_t { ABSENT = 0, STARTING = 1, WORKING = 2, LEAVING = 3 };

// | field       | written by      | read by          | order   | after owner death                      |
// |-------------|-----------------|------------------|---------|----------------------------------------|
// | state       | owner           | master           | seq_cst | LEAVING + exit 0 is an orderly end     |
// | pid         | owner           | nursery          | seq_cst | the nursery kills that group           |
// | busy_rank   | owner           | master           | relaxed | names the rank that ran (-1: none)     |
// | busy_stage  | owner           | master           | relaxed | names the stage that ran               |
// | births_*    | owner, leaving  | master           | relaxed | what it had not yet told is not told   |
struct alignas(64) ProcessShm {
    std::atomic<ProcessState> state;
    std::atomic<std::int32_t> pid;
    std::atomic<std::int32_t> busy_rank;
    std::atomic<std::int32_t> busy_stage;
    std::atomic<std::uint64_t> births_shared;         // arrays of stage code that were born in the arena
    std::atomic<std::uint64_t> births_refused;        // that found it full and became private
    std::atomic<std::uint64_t> births_refused_bytes;  // of those
};

// Text a rank leaves for the master before it arrives with RAISED or FATAL.
struct alignas(64) ReportShm {
    std::uint32_t length;
    char text[REPORT_BYTES - sizeof(std::uint32_t)];
};

// | field         | written by        | read by  | order   | after owner death                               |
// |---------------|-------------------|----------|---------|-------------------------------------------------|
// | stop          | master            | workers  | seq_cst | workers follow the master (parent-death signal) |
// | ring_always   | watcher           | workers  | seq_cst | -                                               |
// | fatal         | workers           | master   | seq_cst | stays 1; says that a cell has to be looked for  |
// | arrivals      | master, workers   | workers  | seq_cst | a hint; a death sets ring_always                |
// | down_*        | master            | workers  | through the cells' release                                |
struct alignas(64) RunHeadShm {
    std::atomic<std::uint32_t> stop;
    std::atomic<std::uint32_t> ring_always;
    std::atomic<std::uint32_t> fatal;
    ArrivalCountShm arrivals;
    alignas(64) std::uint64_t down_manifest_ref;
    std::uint64_t down_manifest_bytes;
};

struct RunShape {
    std::uint32_t ranks = 0;
    std::uint16_t workers = 0;
    std::uint16_t stages = 0;
};

//   application area of the control segment
//  +------------+-----------------+--------------+----------------+-----------------------+
//  | RunHeadShm | processes[1+W]  | doors[1+W]   | cells[ranks]   | reports[1+ranks]      | span rings[1+W]
//  +------------+-----------------+--------------+----------------+-----------------------+
//
// A view; the arena owns the memory. Process 0 is the master, process 1 + w is worker w.
// Lifetime: the arena's. Thread/process safety: as the tables above say.
class RunState {
public:
    // Throws std::invalid_argument when `area` is smaller than bytes_for(shape).
    RunState(std::span<std::byte> area, const RunShape& shape);

    static std::uint64_t bytes_for(const RunShape& shape);

    const RunShape& shape() const { return m_shape; }
    RunHeadShm& head() { return *m_head; }
    ProcessShm& process(std::uint16_t index) { return m_processes[index]; }
    DoorbellShm& door(std::uint16_t index) { return m_doors[index]; }
    CellShm& cell(std::uint32_t rank) { return m_cells[rank]; }
    SpanRing ring(std::uint16_t index) const;

    std::uint16_t process_of(std::uint32_t rank) const { return static_cast<std::uint16_t>(1 + rank % m_shape.workers); }

    // Leaves or reads the last report of a rank; longer text is cut in the middle, so that both ends stay.
    void write_report(std::uint32_t rank, std::string_view text);
    std::string read_report(std::uint32_t rank) const;

private:
    RunShape m_shape;
    RunHeadShm* m_head;
    ProcessShm* m_processes;
    DoorbellShm* m_doors;
    CellShm* m_cells;
    ReportShm* m_reports;
    std::byte* m_rings;
};

}  // namespace pex::sync
