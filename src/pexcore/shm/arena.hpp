// SPDX-License-Identifier: BSD-3-Clause
// The arena: blocks of shared memory that several processes hold, and that return when the last one lets go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "os/memory.hpp"
#include "shm/headroom.hpp"
#include "shm/ids.hpp"
#include "shm/size_classes.hpp"

namespace pex::shm {

struct ArenaConfig {
    std::uint64_t arena_bytes = 0;        // most that all blocks together may have committed, unless more is lent
    std::uint64_t lend_bytes = 0;         // most that may ever be lent (see Arena::lend); costs addresses only
    std::uint64_t application_bytes = 0;  // zeroed area of the control segment for cells, rings and the like
    std::uint64_t headroom_margin_bytes = std::uint64_t{64} << 20;  // left to the machine's other programs
    os::Backing backing = os::Backing::automatic;
    HeadroomGate::Reader headroom = {};  // empty: the machine's own, by os::MemoryProbe
};

// Half of what this process may use: min(RAM, cgroup headroom) / 2, in whole pages, at most MAX_ARENA_BYTES.
// Errors: os::Error if the machine's memory can't be read.
std::uint64_t default_arena_bytes();

enum class Outcome : std::uint8_t {
    ok,
    arena_full,    // the limit would be exceeded, or the block alone is larger than arena_bytes
    slots_full,    // every block that could hold it is taken, whatever bytes are left
    headroom,      // the machine or a cgroup is short of memory
    system_error,  // the kernel refused pages; errno_value says why
    detached,      // this process never attached: it is a fork that must leave the arena alone
};

struct Block {
    BlockRef ref;
    std::byte* data = nullptr;
    std::uint64_t bytes = 0;  // as asked for; capacity() may be larger
    bool zeroed = false;      // all bytes are zero: the pages are new
};

// What a caller of alloc may ask for besides bytes.
struct AllocWish {
    // How much below the limit all blocks together must stay, for a caller that must leave this to others.
    // A block that needs no new pages is given in any case.
    std::uint64_t reserved_bytes = 0;
    // The child of a fork must have the content as it was then: it may hold pointers (see become_guest).
    bool copied_at_fork = false;
};

// All that a process holds, once more (see hold_all).
struct HeldBlocks {
    std::vector<BlockRef> refs;
    std::vector<BlockRef> copied_at_fork;  // those of them
};

struct AllocResult {
    Outcome outcome = Outcome::ok;
    Block block;
    std::uint64_t asked_bytes = 0;
    std::uint64_t missing_bytes = 0;  // by how much a limit would have been exceeded
    int errno_value = 0;
};

struct Located {
    BlockRef ref;
    std::uint64_t offset_bytes = 0;
};

struct ArenaStats {
    std::uint64_t arena_bytes = 0;
    std::uint64_t lent_bytes = 0;
    std::uint64_t limit_bytes = 0;           // arena_bytes + lent_bytes
    std::uint64_t committed_bytes = 0;       // by the account
    std::uint64_t peak_committed_bytes = 0;  // highest that was admitted since creation or reset_peak()
    std::uint64_t counted_bytes = 0;  // by scanning headers: equal whenever nobody is changing anything
    std::uint64_t live_blocks = 0;
    std::uint64_t live_bytes = 0;  // committed by live and by busy blocks: all but the warm ones
    std::uint64_t warm_blocks = 0, warm_bytes = 0;
    std::uint64_t busy_blocks = 0;
    std::uint64_t cold_blocks = 0;  // used before, without pages now
    // Of this process, since it attached:
    std::uint64_t allocs_warm = 0, allocs_fresh = 0, allocs_stolen = 0, allocs_refused = 0;
    std::uint64_t blocks_trimmed = 0;
};

// Who keeps live blocks: a process by its holder bit, a visit by its root bit. A block counts for each.
struct HolderInfo {
    enum class Kind : std::uint8_t { process, visit };
    Kind kind = Kind::process;
    unsigned slot = 0;
    std::uint64_t blocks = 0;
    std::uint64_t bytes = 0;
};

// Lifetime: the mappings live as long as the object, in each process that inherited it. Every address handed
//   out is the same in all forked processes; only BlockRefs and offsets may be written into shared memory.
// Thread/process safety: any number of attached processes and threads may call everything except create,
//   open, attach, retire_visit, sweep and lend at once. attach: while no other thread of this process uses
//   the arena. retire_visit, sweep and lend: in one process, the master.
// A process that was forked and did not attach: alloc answers `detached`, drop does nothing, the rest that
//   would change anything throws InternalError; looking (find, data, capacity, is_live, stats) works.
class Arena {
  public:
    // Maps both segments. Nothing of them has a name, and nothing is left behind when the last process ends.
    // Errors: os::Error with the size, the limit met and what to change. Blocks: never for long.
    static std::unique_ptr<Arena> create(const ArenaConfig& config);

    // Maps the segments of an arena created elsewhere, for a process that was not forked from its creator.
    // The layout is the creator's; of `config` only headroom and headroom_margin_bytes are used.
    // Lifetime: takes ownership of both descriptors, also on error.
    // Errors: os::Error: not an arena, another layout version, truncated, another page size.
    static std::unique_ptr<Arena> open(int control_fd, int pixels_fd, const ArenaConfig& config = {});

    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // Makes this process the owner of `self`. Private lists and counts start empty; free blocks that an
    // earlier, swept owner of the slot left behind are taken over.
    // Errors: InternalError if this process is attached already or the slot is in quarantine; std::bad_alloc.
    void attach(ProcessSlot self);
    bool is_attached() const noexcept { return m_mark.is_mine(); }

    // A live block of at least `bytes`, held once by this process. Content is undefined unless block.zeroed.
    // In order: an own warm block, a fresh one, another process's warm one, a fresh one after trimming. Where all
    // blocks of the size are taken, a larger one, of which no more is committed than was asked for.
    // Errors: everything that can go wrong is an outcome. Throws std::bad_alloc only when private lists
    //   can't grow, InternalError if shared state is corrupt.
    // Blocks: never for another process; a fresh block takes 0.5 ms per MiB, a warm one below a microsecond.
    AllocResult alloc(std::uint64_t bytes) { return alloc(bytes, AllocWish{}); }
    AllocResult alloc(std::uint64_t bytes, const AllocWish& wish);

    // Counts one more hold of this process. Precondition: the block is held meanwhile by a root, by this
    // process or by another one that can't stop before this returns.
    // Errors: InternalError if the block isn't live in that generation. Blocks: on this process's mutex only.
    void hold(BlockRef ref);

    // Gives one hold back; the last one of all processes and visits makes the block free.
    // Errors: InternalError if this process doesn't hold it. Blocks: on this process's mutex only.
    void drop(BlockRef ref);
    // The same for a caller that can't know, as an allocator asked to free what a fork inherited: false if
    // this process doesn't hold the block.
    bool try_drop(BlockRef ref);

    // One more hold on every block that this process holds; the caller drops each.
    // Errors: std::bad_alloc. Blocks: for a scan of the headers in use, on this process's mutex.
    HeldBlocks hold_all();

    // In a forked child that will not attach: its writes to blocks stay its own, and every address it inherited
    // stays readable. What is read is the parent's, page by page until the child writes to the page, so the
    // parent must keep the blocks held (hold_all) as long as the child lives. Of the blocks in `copied`, which
    // the parent must not write to meanwhile, the child has its own copy at once. A later attach() undoes it.
    // Returns 0 or the errno; then the blocks are read-only here. Safe in a child of pthread_atfork.
    // Blocks: 0.4 ms per MiB of `copied`.
    int become_guest(std::span<const BlockRef> copied = {}) noexcept;

    // How often this process holds the block.
    std::uint32_t hold_count(BlockRef ref) const;

    // Makes a visit (0..63) hold the block, until retire_visit. Precondition: this process holds the block.
    // Errors: InternalError if it doesn't. Blocks: on this process's mutex only.
    void set_root(BlockRef ref, unsigned visit_slot);

    // Master only. Ends the visit's hold on all blocks. Precondition: every process that works on the visit
    // has arrived or was reaped. Blocks: for a scan of the headers in use, a few ns each.
    void retire_visit(unsigned visit_slot);

    // Master only. Gives back all that a process held. Precondition: it was reaped, so that neither it nor
    // the kernel on its behalf can write any more. Errors: os::Error if pages can't be given back.
    // Blocks: for a scan of the headers in use, and 0.2 ms per MiB of blocks it was just changing.
    void sweep(ProcessSlot dead);

    // Master only. For a process that was killed and has not ended (it sleeps in the kernel, which may write on its
    // behalf): its slot can't be attached to, and what it holds or is changing stays as it is, until it was reaped
    // and swept. Returns how much that is. Blocks: for a scan of the headers in use.
    HolderInfo quarantine(ProcessSlot undead);

    // Master only, at any time. From the next commitment on, in all processes, all blocks together may have
    // committed arena_bytes + `bytes`; 0 takes everything back. What is committed stays: under a lowered limit
    // new pages are refused until enough blocks are free, whose pages are trimmed for the next ones as they
    // always are. A single block may still be at most arena_bytes large. The machine's memory is asked for
    // every commitment as ever, so lending promises nothing that the machine has not.
    // Errors: os::Error above lend_bytes; the limit is then as before. Blocks: never.
    void lend(std::uint64_t bytes);

    // Gives pages of free blocks back to the machine until the limit is kept, for a master that has lowered it
    // and will not wait for the next commitment. Returns the bytes given back; live blocks may keep the total
    // above the limit. Blocks: for a scan of the headers in use if the limit is exceeded, and 0.2 ms per MiB.
    std::uint64_t trim_to_limit();

    // Gives the pages of free blocks back to the machine, until at most `keep_bytes` of free blocks are left
    // warm.
    // Returns the bytes given back. Blocks: 0.2 ms per MiB.
    std::uint64_t trim(std::uint64_t keep_bytes = 0);

    // The live block an address lies in. Meaningful only while the caller knows the block to be held.
    std::optional<Located> find(const void* address) const noexcept;
    // True for every address of the pixel segment, live or not.
    bool contains(const void* address) const noexcept;

    // First byte of a block. Lifetime: while the block is held. Errors: InternalError for a ref outside the
    // arena.
    std::byte* data(BlockRef ref) const;
    // Bytes usable from data() on: what was asked for, in whole pages. Errors: as data().
    std::uint64_t capacity(BlockRef ref) const;
    bool is_live(BlockRef ref) const noexcept;
    // Bytes of the largest block there is.
    std::uint64_t largest_block_bytes() const noexcept { return m_classes.largest_block_bytes(); }

    ArenaStats stats() const;
    // As in stats(), for a master that samples it at each step. Blocks: for a scan of the headers in use, 2 to
    // 4 ns each.
    std::uint64_t live_bytes() const;
    // peak_committed_bytes begins again with what is committed at this moment. Any process or thread.
    void reset_peak();
    // The processes that hold the block, in the order of their slots; none if it isn't live in that generation.
    // What others hold may change at once, unless the caller knows that they can't.
    std::vector<unsigned> holders(BlockRef ref) const;
    // The n who hold most bytes, largest first.
    std::vector<HolderInfo> biggest_holders(std::size_t n) const;
    // What was asked, what is free, which limit was met and who holds most: the text for an ArenaFull error.
    // `name` gives the words for a holder; without it they are the slots.
    using HolderNamer = std::string (*)(const HolderInfo&);
    std::string explain(const AllocResult& refused, HolderNamer name = nullptr) const;

    // Lifetime: borrowed from the control segment. Aligned to a cache line; all zero after create.
    std::span<std::byte> application() const noexcept;
    std::uint64_t arena_bytes() const noexcept { return m_config.arena_bytes; }
    std::uint64_t lend_bytes() const noexcept { return m_config.lend_bytes; }
    // What is lent at this moment, and arena_bytes with it.
    std::uint64_t lent_bytes() const noexcept;
    std::uint64_t limit_bytes() const noexcept { return m_config.arena_bytes + lent_bytes(); }
    const os::Segment& control_segment() const noexcept { return m_control; }
    const os::Segment& pixel_segment() const noexcept { return m_pixels; }

  private:
    struct Shared;     // pointers into the control segment
    struct Private;    // this process's lists, counts and mutex
    class Allocation;  // one alloc call

    Arena(const ArenaConfig& config, os::Segment control, os::Segment pixels);

    void check_attached(const char* what) const;
    std::uint32_t checked_index(BlockRef ref) const;
    std::uint32_t pages_for(std::uint64_t bytes, unsigned size_class) const noexcept;
    AllocResult alloc_in_larger(std::uint64_t bytes, unsigned size_class, const AllocWish& wish);
    bool below_high_water(std::uint32_t index, unsigned size_class) const noexcept;
    // Calls visit(index, size_class) for every header that was ever used.
    template <class Visit>
    void for_each_used(Visit visit) const;
    // Makes a live block free if nobody holds it.
    void reclaim(std::uint32_t index, unsigned size_class);
    // BUSY(self) -> FREE_WARM, and tells the block's home.
    void release_warm_locked(std::uint32_t index, unsigned size_class, Generation generation);
    // BUSY(self) -> FREE_COLD after giving the pages back; on failure returns the errno and leaves it
    // BUSY(self).
    int make_cold(std::uint32_t index, unsigned size_class, Generation generation);
    // FREE_WARM -> FREE_COLD. Returns the bytes given back, 0 if the block was not warm or its pages stayed.
    std::uint64_t trim_block(std::uint32_t index, unsigned size_class);
    // Gives pages of warm blocks back, smallest classes first, until at least `wanted_bytes` or none is left.
    std::uint64_t trim_warm(std::uint64_t wanted_bytes);
    std::uint64_t warm_bytes() const;

    ArenaConfig m_config;
    SizeClasses m_classes;
    os::Segment m_control;
    os::Segment m_pixels;
    std::unique_ptr<Shared> m_shared;
    std::unique_ptr<Private> m_private;
    os::ForkMark m_mark;
    ProcessSlot m_self{};
    bool m_is_guest = false;
};

}  // namespace pex::shm
