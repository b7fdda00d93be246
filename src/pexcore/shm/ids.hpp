// SPDX-License-Identifier: BSD-3-Clause
// Strong types for what names a process, a visit and a block inside the arena.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace pex::shm {

inline constexpr unsigned MAX_PROCESSES = 256;   // holder bits in a header
inline constexpr unsigned MAX_VISITS = 64;       // root bits in a header
inline constexpr unsigned INDEX_BITS = 24;       // block headers in an arena
inline constexpr unsigned GENERATION_BITS = 40;  // uses of one block: 34 years at 1000 a second

// A process's place in the arena: its holder bit and the owner of its transitional states.
// A slot is given to another process only after the earlier one was reaped and swept.
struct ProcessSlot {
    std::uint8_t value = 0;
    friend constexpr auto operator<=>(ProcessSlot, ProcessSlot) = default;
};

// A header's place in the arena's header table.
struct BlockIndex {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(BlockIndex, BlockIndex) = default;
};

// How often a block has become live; tells a reference to an earlier use from one to the present use.
struct Generation {
    std::uint64_t value = 0;
    constexpr Generation next() const noexcept {
        // Generation 0 is never live, so that a zeroed BlockRef names nothing.
        const std::uint64_t bumped = (value + 1) & ((std::uint64_t{1} << GENERATION_BITS) - 1);
        return {bumped == 0 ? 1 : bumped};
    }
    friend constexpr auto operator<=>(Generation, Generation) = default;
};

// One use of one block, in 64 bits: generation above, index below. Crosses process borders; 0 names nothing.
class BlockRef {
  public:
    constexpr BlockRef() noexcept = default;
    constexpr BlockRef(BlockIndex index, Generation generation) noexcept
        : m_packed(generation.value << INDEX_BITS | index.value) {}
    static constexpr BlockRef from_packed(std::uint64_t packed) noexcept {
        BlockRef ref;
        ref.m_packed = packed;
        return ref;
    }
    constexpr std::uint64_t packed() const noexcept { return m_packed; }
    constexpr BlockIndex index() const noexcept {
        return {static_cast<std::uint32_t>(m_packed & ((std::uint64_t{1} << INDEX_BITS) - 1))};
    }
    constexpr Generation generation() const noexcept { return {m_packed >> INDEX_BITS}; }
    constexpr explicit operator bool() const noexcept { return m_packed != 0; }
    friend constexpr auto operator<=>(BlockRef, BlockRef) = default;

  private:
    std::uint64_t m_packed = 0;
};

}  // namespace pex::shm

template <>
struct std::hash<pex::shm::BlockRef> {
    std::size_t operator()(pex::shm::BlockRef ref) const noexcept {
        return std::hash<std::uint64_t>{}(ref.packed());
    }
};
