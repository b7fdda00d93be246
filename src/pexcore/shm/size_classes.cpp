// SPDX-License-Identifier: BSD-3-Clause
// The arithmetic between class, size, index and offset.
#include "shm/size_classes.hpp"

#include <algorithm>
#include <bit>

#include "os/error.hpp"
#include "os/memory.hpp"

namespace pex::shm {

namespace {

// Regions start on multiples of this, so that a huge page never spans two of them.
constexpr std::uint64_t REGION_ALIGNMENT = os::HUGE_PAGE_BYTES;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

constexpr std::uint64_t class_bytes(unsigned first_shift, unsigned size_class) {
    return (std::uint64_t{4} + size_class % 4) << (first_shift - 2 + size_class / 4);
}

}  // namespace

SizeClasses::SizeClasses(std::uint64_t arena_bytes, std::uint64_t page_bytes, std::uint64_t lend_bytes) {
    os::expects(arena_bytes >= SMALLEST_BLOCK_BYTES && arena_bytes <= MAX_ARENA_BYTES,
                "SizeClasses: arena_bytes is between SMALLEST_BLOCK_BYTES and MAX_ARENA_BYTES");
    os::expects(lend_bytes <= MAX_ARENA_BYTES - arena_bytes,
                "SizeClasses: arena_bytes and lend_bytes together are at most MAX_ARENA_BYTES");
    os::expects(std::has_single_bit(page_bytes), "SizeClasses: page_bytes is a power of two");
    m_first_shift = static_cast<unsigned>(
        std::max(std::countr_zero(SMALLEST_BLOCK_BYTES), std::countr_zero(page_bytes) + 2));
    std::uint64_t previous = 0;
    do {
        const std::uint64_t bytes = class_bytes(m_first_shift, count());
        // The least a request of this class commits is a page more than the class before holds.
        const std::uint64_t least = previous == 0 ? bytes : previous + page_bytes;
        const auto blocks = std::clamp<std::uint64_t>((arena_bytes + lend_bytes) / least, 1, MAX_BLOCKS_PER_CLASS);
        m_classes.push_back({bytes, m_header_count, static_cast<std::uint32_t>(blocks)});
        m_header_count += static_cast<std::uint32_t>(blocks);
        m_stride = std::max(m_stride, round_up(bytes * blocks, REGION_ALIGNMENT));
        previous = bytes;
    } while (previous < arena_bytes);
    os::expects(m_header_count < (std::uint32_t{1} << INDEX_BITS), "SizeClasses: indices fit in a BlockRef");
}

std::uint64_t SizeClasses::huge_from() const noexcept {
    // Quarters of four huge pages and more are whole ones, in every class from there on.
    for (unsigned c = 0; c < count(); ++c) {
        if (m_classes[c].block_bytes >= 4 * os::HUGE_PAGE_BYTES) return m_stride * c;
    }
    return segment_bytes();
}

std::optional<unsigned> SizeClasses::class_for(std::uint64_t bytes) const noexcept {
    if (bytes > largest_block_bytes()) return std::nullopt;
    if (bytes <= m_classes.front().block_bytes) return 0;
    // bytes - 1 = 1xx... in binary: its top bit gives the doubling, the next two the quarter below the class
    // wanted.
    const std::uint64_t below = bytes - 1;
    const unsigned top = static_cast<unsigned>(std::bit_width(below)) - 1;
    const unsigned quarter = static_cast<unsigned>(below >> (top - 2)) & 3U;
    return (top - m_first_shift) * 4 + quarter + 1;
}

unsigned SizeClasses::class_of(BlockIndex index) const noexcept {
    const auto after =
        std::upper_bound(m_classes.begin(), m_classes.end(), index.value,
                         [](std::uint32_t value, const SizeClass& c) { return value < c.first_index; });
    return static_cast<unsigned>(after - m_classes.begin()) - 1;
}

std::uint64_t SizeClasses::offset_of(BlockIndex index) const noexcept {
    const unsigned size_class = class_of(index);
    const SizeClass& of = m_classes[size_class];
    return m_stride * size_class + of.block_bytes * (index.value - of.first_index);
}

std::optional<BlockPlace> SizeClasses::place_of(std::uint64_t offset) const noexcept {
    const std::uint64_t size_class = offset / m_stride;
    if (size_class >= m_classes.size()) return std::nullopt;
    const SizeClass& of = m_classes[size_class];
    const std::uint64_t in_region = offset % m_stride;
    const std::uint64_t block = in_region / of.block_bytes;
    if (block >= of.block_count) return std::nullopt;
    return BlockPlace{{of.first_index + static_cast<std::uint32_t>(block)},
                      static_cast<unsigned>(size_class),
                      in_region % of.block_bytes};
}

}  // namespace pex::shm
