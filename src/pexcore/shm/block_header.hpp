// SPDX-License-Identifier: BSD-3-Clause
// The 64-byte header of a block, the truth about who holds it, and the protocol of holding and reclaiming.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "shm/ids.hpp"

namespace pex::shm {

// One block's life; every arrow is one CAS on the state word:
//
//               claim                     open                  reclaim (nobody holds it)
//   FREE_COLD --------> BUSY(owner) ----------------> LIVE(gen+1) ----------+
//   FREE_WARM --------> (commits pages)                                     v
//       ^                                                             BUSY(reclaimer)
//       +---------------------------- release ------------------------------+
//
// Whoever reaped a dead owner takes BUSY(dead) over and releases it as FREE_COLD.
enum class BlockState : std::uint8_t {
    free_cold = 0,  // no pages, no owner
    free_warm = 1,  // pages committed, no owner
    busy = 2,       // one process is changing it; the word names that process
    live = 3,       // in use; the holder and root bits say by whom
};

// The state word, unpacked:  generation (40) | unused (8) | owner (8) | state (8)
struct StateWord {
    BlockState state = BlockState::free_cold;
    ProcessSlot owner{};  // meaningful while busy
    Generation generation{};

    static constexpr StateWord unpack(std::uint64_t word) noexcept {
        return {static_cast<BlockState>(word & 0xff),
                ProcessSlot{static_cast<std::uint8_t>(word >> 8 & 0xff)}, Generation{word >> INDEX_BITS}};
    }
    constexpr std::uint64_t pack() const noexcept {
        return generation.value << INDEX_BITS | std::uint64_t{owner.value} << 8 |
               static_cast<std::uint64_t>(state);
    }
    constexpr bool is_live(Generation wanted) const noexcept {
        return state == BlockState::live && generation == wanted;
    }
};

// | field           | written by                        | read by    | order   | after owner death         |
// |-----------------|-----------------------------------|------------|---------|---------------------------|
// | state           | anyone, by CAS from what was seen | all        | seq_cst | BUSY(dead) -> FREE_COLD   |
// | holders         | each process its own bit          | reclaimers | seq_cst | the sweep clears its bit  |
// | roots           | set by holders, cleared by master | reclaimers | seq_cst | stays until retirement    |
// | adds            | who set a holder or root bit      | reclaimers | seq_cst | a missing one is harmless |
// | committed_pages | the BUSY owner                    | all        | relaxed | true; read by the sweep   |
// | home            | the BUSY owner                    | all        | relaxed | the slot's heir, or taken |
//
// A zeroed header is a valid FREE_COLD one, so that the table may stay sparse.
struct alignas(64) BlockHeaderShm {
    std::atomic<std::uint64_t> state;
    std::atomic<std::uint64_t> holders[MAX_PROCESSES / 64];
    std::atomic<std::uint64_t> roots;
    std::atomic<std::uint64_t> adds;
    std::atomic<std::uint32_t> committed_pages;
    std::atomic<std::uint8_t> home;
};
static_assert(sizeof(BlockHeaderShm) == 64 && std::atomic<std::uint64_t>::is_always_lock_free);

StateWord load_state(const BlockHeaderShm& header) noexcept;

// Moves the state word from exactly `from` to `to`; false if it was no longer `from`.
bool change_state(BlockHeaderShm& header, StateWord from, StateWord to) noexcept;

// Sets a holder bit. Precondition: somebody holds the block and can't stop before this returns (DESIGN: a bit
// may be set only under another hold), or the caller owns its BUSY state.
void set_holder(BlockHeaderShm& header, ProcessSlot process) noexcept;

// Clears a holder bit; true if it was set. The caller tries to reclaim afterwards, or the block leaks.
bool clear_holder(BlockHeaderShm& header, ProcessSlot process) noexcept;
bool has_holder(const BlockHeaderShm& header, ProcessSlot process) noexcept;

// Sets the root bit of a visit. Precondition: the caller holds the block.
void set_root(BlockHeaderShm& header, unsigned visit_slot) noexcept;

// Clears the root bit of a visit; true if it was set. The caller tries to reclaim afterwards.
bool clear_root(BlockHeaderShm& header, unsigned visit_slot) noexcept;

// LIVE(gen) -> BUSY(me) if nobody holds the block. Returns the generation that ended, or nothing if somebody
// holds it, has just begun to hold it, or another process was quicker.
std::optional<Generation> try_reclaim(BlockHeaderShm& header, ProcessSlot me) noexcept;

}  // namespace pex::shm
