// SPDX-License-Identifier: BSD-3-Clause
// Everything a run shares besides blocks: cells, doorbells, process entries, reports and spans, in one area.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sync/arrivals.hpp"
#include "sync/cell.hpp"
#include "sync/doorbell.hpp"
#include "sync/log_ring.hpp"
#include "sync/span.hpp"

namespace pex::sync {

inline constexpr std::size_t REPORT_BYTES = 8192;
inline constexpr std::uint16_t MASTER_PROCESS = 0;

enum class ProcessState : std::uint32_t { ABSENT = 0, STARTING = 1, WORKING = 2, LEAVING = 3 };

// | field       | written by      | read by          | order   | after owner death                      |
// |-------------|-----------------|------------------|---------|----------------------------------------|
// | state       | owner           | master           | seq_cst | LEAVING + exit 0 is an orderly end     |
// | pid         | owner           | nursery, master  | seq_cst | 0 until the replacement has attached    |
// | busy_rank   | owner           | master           | release | names the rank that ran (-1: none)     |
// | busy_stage  | owner           | master           | relaxed | names the stage that ran               |
// | busy_visit  | owner           | master           | relaxed | names the visit that ran               |
// | since_ns    | owner           | master           | relaxed | -                                      |
// | admitted    | master          | workers          | seq_cst | 0 until the replacement is known       |
// | incarnation | master          | master, nursery  | relaxed | raised for the replacement             |
// | births_*    | owner, leaving  | master           | relaxed | what it had not yet told is not told   |
struct alignas(64) ProcessShm {
    std::atomic<ProcessState> state;
    std::atomic<std::int32_t> pid;
    std::atomic<std::int32_t> busy_rank;
    std::atomic<std::int32_t> busy_stage;
    std::atomic<std::uint64_t> births_shared;         // arrays of stage code that were born in the arena
    std::atomic<std::uint64_t> births_refused;        // that found it full and became private
    std::atomic<std::uint64_t> births_refused_bytes;  // of those
    std::atomic<std::uint64_t> since_ns;              // when it last began or ended a step
    std::atomic<std::uint32_t> incarnation;           // 0, or the number of the replacement
    std::atomic<std::uint32_t> admitted;              // the process that is the worker; it sleeps on this
    std::atomic<std::uint32_t> busy_visit;            // the visit of busy_rank
};
static_assert(sizeof(ProcessShm) == 64);

// Why a rank's visit can't be repeated from its beginning.
enum class Spent : std::uint32_t {
    NOT = 0,
    TAKEN = 1,   // it took over an array that had arrived: what it began with is gone
    CANVAS = 2,  // a canvas of its own has crossed: others look at memory that a fresh worker would not write to
};

// What a fresh worker does for a rank in the visit in which the worker before it died, instead of a replay.
enum class Verdict : std::uint16_t {
    REPLAY = 0,
    FAIL = 1,  // as if the stage had raised what the rank's report holds
    SKIP = 2,  // the rank had failed before
};

// | field         | written by             | read by | order   | after owner death                       |
// |---------------|------------------------|---------|---------|-----------------------------------------|
// | is_stateful   | worker, before ready   | master  | relaxed | holds for every worker of the rank      |
struct alignas(64) RankShm {
    std::atomic<std::uint32_t> is_stateful;  // 1: a stage keeps what it learnt from earlier visits
};

// A rank in the visit of a slot.
//
// | field         | written by             | read by | order   | after owner death                       |
// |---------------|------------------------|---------|---------|-----------------------------------------|
// | spent_*       | worker, in a step      | master  | relaxed | read once the worker was reaped         |
// | verdict*      | master, before revoke()| worker  | through the cell's word                           |
struct alignas(64) FateShm {
    std::atomic<std::uint32_t> spent_visit;
    std::atomic<Spent> spent_why;
    std::uint32_t verdict_visit;
    std::uint16_t verdict_stage;
    Verdict verdict;
};

// Text a rank leaves for the master before it arrives with RAISED or FATAL.
struct alignas(64) ReportShm {
    std::uint32_t length;
    char text[REPORT_BYTES - sizeof(std::uint32_t)];
};

// | field         | written by        | read by  | order   | after owner death                               |
// |---------------|-------------------|----------|---------|-------------------------------------------------|
// | stop          | master            | workers  | seq_cst | workers follow the master (parent-death signal) |
// | ring_always   | watcher; master,  | workers  | seq_cst | -                                               |
// |               | at first          |          |         |                                                 |
// | fatal         | workers           | master   | seq_cst | stays 1; says that a cell has to be looked for  |
// | balances      | master, at first  | workers  | seq_cst | -                                               |
struct alignas(64) RunHeadShm {
    std::atomic<std::uint32_t> stop;
    std::atomic<std::uint32_t> ring_always;
    std::atomic<std::uint32_t> fatal;
    std::atomic<std::uint32_t> balances;  // 1: idle workers take waiting ranks of others
};

struct RunShape {
    std::uint32_t ranks = 0;
    std::uint16_t workers = 0;
    std::uint16_t stages = 0;
    std::uint16_t exchanges = 0;  // before how many stages slices exchange
    std::uint16_t slots = 1;      // how many visits may be in flight: each has a slot of its own
};

//   application area of the control segment
//  +------------+----------------+------------+--------------+----------------+--------------+----------------+
//  | RunHeadShm | processes[1+W] | doors[1+W] | ranks[ranks] | span rings[1+W] | LogPlacesShm | log rings[1+W] |
//  +------------+----------------+------------+--------------+----------------+--------------+----------------+
//  | lasts[stages+2] |                              with which stage a step ends that begins with one, and whether who
//  +-----------------+                              ends there goes on: the master writes it before the first release
//  for each slot, in which one visit is at a time:
//  +----------+--------------+--------------+----------------+----------------+--------------------------+
//  | arrivals | cells[ranks] | fates[ranks] | reports[ranks] | down[stages+1] | across[ranks][exchanges] |
//  +----------+--------------+--------------+----------------+----------------+--------------------------+
//
// down, across: where the manifests of the visit lie, for all its steps: a worker that died is replaced by one that
// reads them again. down: written by the master before a release, read after it. across: written by a rank before it
// arrives from the stage before, read by its neighbours after the next release. Both through the cells' words.
//
// A step that was taken and has not arrived.
struct TakenStep {
    std::uint32_t rank = 0;
    std::uint16_t step = 0;
    std::uint32_t visit = 0;
};

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
    RankShm& rank(std::uint32_t index) { return m_ranks[index]; }
    // How many ranks of the slot's visits have arrived: a hint; a death sets ring_always.
    ArrivalCountShm& arrivals(std::uint16_t slot) { return *at<ArrivalCountShm>(slot, 0); }
    CellShm& cell(std::uint32_t rank, std::uint16_t slot = 0) { return at<CellShm>(slot, m_of_slot.cells)[rank]; }
    FateShm& fate(std::uint32_t rank, std::uint16_t slot) { return at<FateShm>(slot, m_of_slot.fates)[rank]; }
    // What the master published for a stage (from 1) of the slot's visit.
    ManifestPlaceShm& down(std::uint16_t stage, std::uint16_t slot) {
        return at<ManifestPlaceShm>(slot, m_of_slot.down)[stage];
    }
    // What a rank offered in the nth exchange (from 0) of the slot's visit.
    ManifestPlaceShm& across(std::uint32_t index, std::uint16_t exchange, std::uint16_t slot) {
        return at<ManifestPlaceShm>(slot, m_of_slot.across)[std::size_t{index} * m_shape.exchanges + exchange];
    }
    // With which stage the step ends that begins with `stage`: slices run all of them without meeting the master. Of
    // a step that is not one of stages: itself.
    std::uint16_t last_of(std::uint16_t stage) const {
        return stage > m_shape.stages ? stage : std::max(stage, static_cast<std::uint16_t>(m_lasts[stage] & ~GOES_ON));
    }
    // Whether a slice that ends a step with `stage` may be asked for the next one before the master has read what it
    // publishes: it waits for its neighbours alone.
    bool goes_on(std::uint16_t stage) const { return stage <= m_shape.stages && (m_lasts[stage] & GOES_ON) != 0; }
    // The last stage before slices meet the master, of those that follow a release into `stage`.
    std::uint16_t meets_after(std::uint16_t stage) const {
        std::uint16_t last = last_of(stage);
        while (goes_on(last)) last = last_of(static_cast<std::uint16_t>(last + 1));
        return last;
    }
    // Master only, before the first release.
    void set_last_of(std::uint16_t stage, std::uint16_t last) {
        m_lasts[stage] = static_cast<std::uint16_t>(last | (m_lasts[stage] & GOES_ON));
    }
    void set_goes_on(std::uint16_t stage) { m_lasts[stage] |= GOES_ON; }
    SpanRing ring(std::uint16_t index) const;
    LogRing log_ring(std::uint16_t index) const { return LogRing(m_log_rings + index); }
    LogPlacesShm& log_places() { return *m_log_places; }

    // The worker whom a rank belongs to.
    std::uint16_t process_of(std::uint32_t rank) const { return static_cast<std::uint16_t>(1 + rank % m_shape.workers); }

    // The step that a worker was in when it died, by the cells: its entry names none just before and just after.
    // Once it was reaped, and before its cells are revoked.
    std::optional<TakenStep> unfinished_step(std::uint16_t process);

    // Gives the cells of a process to its next incarnation. A rank's youngest visit goes first: one who was replaced while
    // it lived could else take a step of it when the older visit's is not its own any more. Master only.
    void revoke_cells(std::uint16_t process, std::uint32_t incarnation);

    // Leaves or reads the last report of a rank; longer text is cut in the middle, so that both ends stay.
    void write_report(std::uint32_t rank, std::string_view text, std::uint16_t slot = 0);
    std::string read_report(std::uint32_t rank, std::uint16_t slot = 0) const;

private:
    // Where the tables of a slot begin, counted from its own beginning, and how long all of them are.
    struct OfSlot {
        std::uint64_t cells, fates, reports, down, across, bytes;
    };
    static OfSlot of_slot(const RunShape& shape);

    template <class T>
    T* at(std::uint16_t slot, std::uint64_t offset) const {
        return reinterpret_cast<T*>(m_slots + slot * m_of_slot.bytes + offset);
    }

    // In an entry of `lasts`, beside the number of the stage.
    static constexpr std::uint16_t GOES_ON = 1u << 15;

    RunShape m_shape;
    OfSlot m_of_slot;
    RunHeadShm* m_head;
    ProcessShm* m_processes;
    DoorbellShm* m_doors;
    RankShm* m_ranks;
    std::byte* m_rings;
    std::byte* m_slots;
    LogPlacesShm* m_log_places;
    LogRingShm* m_log_rings;
    std::uint16_t* m_lasts;
};

}  // namespace pex::sync
