// SPDX-License-Identifier: BSD-3-Clause
// What lies where in the control segment, and the shared structs that are not block headers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "shm/block_header.hpp"
#include "shm/ids.hpp"
#include "shm/size_classes.hpp"

namespace pex::shm {

// The control segment. Everything up to the headers is committed at creation; a page of headers is committed
// before the first of its headers comes below its class's high-water mark.
//
//   0            processes          classes        application        headers, on a page; sparse
//   | ControlShm | ProcessShm x 256 | ClassShm x n | application area | BlockHeaderShm x header_count |
//
// A change of this layout, or of a struct in it, raises LAYOUT_VERSION.
inline constexpr std::uint64_t LAYOUT_MAGIC = 0x616e657261786570;  // "pexarena" in memory order
inline constexpr std::uint32_t LAYOUT_VERSION = 3;

// | field        | written by      | read by     | order           | after owner death      |
// |--------------|-----------------|-------------|-----------------|------------------------|
// | magic        | creator, last   | Arena::open | release/acquire | the pipeline has ended |
// | process_high | attach, upwards | account     | seq_cst         | stays                  |
// | lent_bytes   | the master      | allocations | relaxed         | the pipeline has ended |
// | peak_pages   | who charges     | stats       | seq_cst         | stays                  |
// | all others   | creator         | Arena::open | under magic     | constant               |
struct alignas(64) ControlShm {
    std::atomic<std::uint64_t> magic;
    std::uint32_t version;
    std::uint32_t page_bytes;
    std::uint64_t arena_bytes;
    std::uint64_t application_bytes;
    std::uint64_t control_bytes;
    std::uint64_t pixel_bytes;
    std::int64_t creator_pid;
    std::int64_t created_ns;                              // CLOCK_REALTIME
    alignas(64) std::atomic<std::uint32_t> process_high;  // slots at and above it never charged anything
    std::atomic<std::uint64_t> lent_bytes;                // by how much more than arena_bytes may be committed
    std::uint64_t lend_bytes;                             // the most that lent_bytes may be
    alignas(64) std::atomic<std::uint64_t> peak_pages;    // highest total that was admitted since the last reset
};

// One process's share of the commit account, and the journal of the one change it may be in the middle of.
//
// | field         | written by           | read by   | order   | after owner death                      |
// |---------------|----------------------|-----------|---------|----------------------------------------|
// | added_pages   | the owner            | all       | seq_cst | healed by the journal; then the heir's |
// | removed_pages | the owner            | all       | seq_cst | as added_pages                         |
// | pending_pages | the owner's threads  | all       | seq_cst | zeroed by the sweep                    |
// | journal_*     | the owner            | the sweep | seq_cst | read, then closed                      |
// | returns       | who frees its blocks | the owner | seq_cst | counts on from where it is             |
// | quarantined   | the master           | attach    | seq_cst | 1 until the sweep, which needs a reaping |
struct alignas(64) ProcessShm {
    std::atomic<std::uint64_t> added_pages;    // ever charged; never falls, but for a healed half-step
    std::atomic<std::uint64_t> removed_pages;  // ever given back
    std::atomic<std::uint64_t> pending_pages;  // charged, but not yet taken from the kernel
    std::atomic<std::uint64_t> journal_added;  // the two sums before the change in progress
    std::atomic<std::uint64_t> journal_removed;
    std::atomic<std::uint32_t> journal_pages;  // the block's committed_pages before it
    std::atomic<std::uint32_t> journal_block;  // 1 + index of the block; 0: no change in progress
    std::atomic<std::uint32_t> returns;        // blocks of this home that others gave back
    std::atomic<std::uint32_t> quarantined;    // 1: killed, but not known to be dead
};
static_assert(sizeof(ProcessShm) == 64);

// | field      | written by        | read by | order   | after owner death                        |
// |------------|-------------------|---------|---------|------------------------------------------|
// | high_water | who needs a block | all     | seq_cst | stays; raised but not taken is FREE_COLD |
// | cold_hint  | all               | all     | relaxed | recounted by the sweep                   |
struct alignas(64) ClassShm {
    std::atomic<std::uint32_t> high_water;  // headers at and above it were never used and may have no page
    std::atomic<std::uint32_t> cold_hint;   // how many below it are FREE_COLD, about
};

// Offsets of the parts, computed from the configuration alone.
struct ControlLayout {
    ControlLayout(const SizeClasses& classes, std::uint64_t application_bytes, std::uint64_t page_bytes);

    std::uint64_t processes_offset = 0;
    std::uint64_t classes_offset = 0;
    std::uint64_t application_offset = 0;
    std::uint64_t headers_offset = 0;  // on a page; everything before it is committed at creation
    std::uint64_t total_bytes = 0;
};

// The parts of a mapped control segment. Lifetime: borrowed from the segment.
// The segment's zeroes are valid initial values of every struct in it, so nothing is constructed.
struct ControlView {
    ControlView(std::byte* base, const ControlLayout& layout, const SizeClasses& classes,
                std::uint64_t application_bytes);

    ControlShm* control;
    std::span<ProcessShm, MAX_PROCESSES> processes;
    std::span<ClassShm> classes;
    std::span<std::byte> application;
    std::span<BlockHeaderShm> headers;
};

}  // namespace pex::shm
