// SPDX-License-Identifier: BSD-3-Clause
// Block sizes and where blocks lie: class, size, index and address follow from each other by arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "shm/ids.hpp"

namespace pex::shm {

// The pixel segment, one region per class, all regions of one length (the stride):
//
//   0            stride        2*stride
//   |b0|b1|b2|...|b0 |b1 |b2 |..|b0    |b1    |...
//    class 0      class 1        class 2
//
// Four classes per doubling (1, 1.25, 1.5, 1.75 times a power of two) from 64 KiB up: at most a fifth of a
// block's addresses is unused, and none of its memory, because only the bytes asked for are committed. Each
// region can hold the whole arena, and what may be lent to it, in blocks of its class, up to
// MAX_BLOCKS_PER_CLASS of them.
inline constexpr std::uint64_t SMALLEST_BLOCK_BYTES = std::uint64_t{64} << 10;
inline constexpr std::uint32_t MAX_BLOCKS_PER_CLASS = std::uint32_t{1} << 19;
inline constexpr std::uint64_t MAX_ARENA_BYTES = std::uint64_t{1}
                                                 << 39;  // its regions take 58 TiB of addresses

struct SizeClass {
    std::uint64_t block_bytes = 0;
    std::uint32_t first_index = 0;  // of its headers
    std::uint32_t block_count = 0;
};

// Where an address lies.
struct BlockPlace {
    BlockIndex index;
    unsigned size_class = 0;
    std::uint64_t offset_in_block = 0;
};

// Immutable after construction. Thread/process safety: const members from anywhere; equal arguments give
// equal layouts in every process.
class SizeClasses {
  public:
    // arena_bytes: what the largest class holds, and so which classes there are. Every region can hold
    // arena_bytes + lend_bytes, which are SMALLEST_BLOCK_BYTES..MAX_ARENA_BYTES together. page_bytes: a power
    // of two; the smallest class grows with it, so that every block starts on a page. Errors: InternalError
    // outside these.
    SizeClasses(std::uint64_t arena_bytes, std::uint64_t page_bytes, std::uint64_t lend_bytes = 0);

    unsigned count() const noexcept { return static_cast<unsigned>(m_classes.size()); }
    const SizeClass& operator[](unsigned size_class) const noexcept { return m_classes[size_class]; }
    std::uint32_t header_count() const noexcept { return m_header_count; }
    std::uint64_t region_bytes() const noexcept { return m_stride; }
    std::uint64_t segment_bytes() const noexcept { return m_stride * m_classes.size(); }
    std::uint64_t largest_block_bytes() const noexcept { return m_classes.back().block_bytes; }

    // Where the regions begin whose blocks start on huge pages and end on them.
    std::uint64_t huge_from() const noexcept;

    // The smallest class whose blocks hold `bytes`; empty if none does.
    std::optional<unsigned> class_for(std::uint64_t bytes) const noexcept;

    // The class an index belongs to. Precondition: index < header_count().
    unsigned class_of(BlockIndex index) const noexcept;

    // First byte of a block, counted from the start of the pixel segment. Precondition: index <
    // header_count().
    std::uint64_t offset_of(BlockIndex index) const noexcept;

    // The block that an offset into the pixel segment lies in; empty between regions and past the end.
    std::optional<BlockPlace> place_of(std::uint64_t offset) const noexcept;

  private:
    std::vector<SizeClass> m_classes;
    unsigned m_first_shift = 0;  // log2 of the smallest class
    std::uint32_t m_header_count = 0;
    std::uint64_t m_stride = 0;
};

}  // namespace pex::shm
