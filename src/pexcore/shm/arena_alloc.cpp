// SPDX-License-Identifier: BSD-3-Clause
// Allocation: own warm block, fresh block, another's warm block, fresh block after trimming, refusal.
#include <sched.h>

#include <algorithm>

#include "os/error.hpp"
#include "os/fault_point.hpp"
#include "shm/arena.hpp"
#include "shm/arena_private.hpp"

namespace pex::shm {

// One alloc call. Its steps take a block to BUSY(self), give it pages, and open it.
class Arena::Allocation {
  public:
    Allocation(Arena& arena, std::uint64_t bytes, unsigned size_class, const AllocWish& wish)
        : m_arena(arena),
          m_view(arena.m_shared->view),
          m_account(arena.m_shared->account),
          m_private(*arena.m_private),
          m_self(arena.m_self),
          m_class(size_class),
          m_reserved_bytes(wish.reserved_bytes),
          m_copied_at_fork(wish.copied_at_fork),
          m_pages(arena.pages_for(bytes, size_class)) {
        m_result.asked_bytes = bytes;
    }

    AllocResult run();

  private:
    enum class Source : std::uint8_t { warm, fresh, stolen };
    struct Claim {
        std::uint32_t index = 0;
        Generation generation{};
    };

    // Steps of the search; true if the block was opened.
    bool from_own_warm();
    bool from_fresh();
    bool from_others();
    bool trim_for_missing();

    std::optional<Claim> claim(std::uint32_t index, BlockState from) noexcept;
    std::optional<Claim> pop_own_warm();
    void search_owned_locked(ClassHints& hints);
    std::optional<Claim> claim_cold();
    std::optional<Claim> scan_cold_locked(std::uint32_t high);
    bool open_with_pages(const Claim& claim, Source source);
    bool ensure_pages(const Claim& claim);
    bool charge_locked(const Claim& claim, std::uint32_t before);
    int take_from_kernel(const Claim& claim, std::uint32_t before);
    void open_block(const Claim& claim, Source source);
    void release_warm(const Claim& claim);
    void release_cold(const Claim& claim);
    void refuse(Outcome outcome, std::uint64_t missing_bytes, int errno_value = 0);

    std::uint64_t place(std::uint32_t index) const { return m_arena.m_classes.offset_of({index}); }
    std::uint32_t first_index() const { return m_arena.m_classes[m_class].first_index; }
    // ORDER seq_cst: pairs with the raise in claim_cold(); headers below the mark have pages.
    std::uint32_t high_water() const {
        return m_view.classes[m_class].high_water.load(std::memory_order_seq_cst);
    }
    std::uint32_t committed(std::uint32_t index) const {
        // ORDER relaxed: written by the BUSY owner only; a claimer is that owner, and an onlooker wants a
        // hint.
        return m_view.headers[index].committed_pages.load(std::memory_order_relaxed);
    }

    Arena& m_arena;
    ControlView& m_view;
    Account& m_account;
    Private& m_private;
    ProcessSlot m_self;
    unsigned m_class;
    std::uint64_t m_reserved_bytes;
    bool m_copied_at_fork;
    std::uint32_t m_pages;
    std::optional<Claim> m_cold;  // a cold block kept claimed while trimming makes room for its pages
    AllocResult m_result;
};

std::uint32_t Arena::pages_for(std::uint64_t bytes, unsigned size_class) const noexcept {
    const std::uint64_t unit = m_pixels.commit_unit(m_classes.region_bytes() * size_class);
    return static_cast<std::uint32_t>((bytes + unit - 1) / unit * unit / os::page_bytes());
}

AllocResult Arena::alloc(std::uint64_t bytes, const AllocWish& wish) {
    AllocResult refused;
    refused.asked_bytes = bytes;
    refused.outcome = Outcome::detached;
    if (!is_attached()) return refused;
    const std::uint64_t at_least_one = std::max<std::uint64_t>(bytes, 1);
    const auto size_class = m_classes.class_for(at_least_one);
    if (!size_class || at_least_one > m_config.arena_bytes) {
        const std::lock_guard lock(m_private->mutex);
        ++m_private->allocs_refused;
        refused.outcome = Outcome::arena_full;
        refused.missing_bytes = bytes - m_config.arena_bytes;
        return refused;
    }
    AllocResult result = Allocation(*this, at_least_one, *size_class, wish).run();
    if (result.outcome == Outcome::slots_full) result = alloc_in_larger(at_least_one, *size_class, wish);
    if (result.outcome != Outcome::ok) {
        const std::lock_guard lock(m_private->mutex);
        ++m_private->allocs_refused;
    }
    result.asked_bytes = bytes;
    result.block.bytes = result.outcome == Outcome::ok ? bytes : 0;
    return result;
}

// The smallest class is the one that can run out of blocks before the arena runs out of bytes: its blocks may
// have a single page each. Addresses cost nothing, so the classes above lend theirs.
AllocResult Arena::alloc_in_larger(std::uint64_t bytes, unsigned size_class, const AllocWish& wish) {
    AllocResult result;
    result.outcome = Outcome::slots_full;
    const std::uint32_t pages = pages_for(bytes, size_class);
    for (unsigned c = size_class + 1; c < m_classes.count() && result.outcome == Outcome::slots_full; ++c) {
        // Where pages are huge, a small block would commit far more than it needs.
        if (pages_for(bytes, c) != pages) break;
        result = Allocation(*this, bytes, c, wish).run();
    }
    return result;
}

AllocResult Arena::Allocation::run() {
    // Others may take what we trimmed; past this many times the arena is full in effect.
    constexpr int MAX_TRIMS = 4;
    bool done = from_own_warm() || from_fresh() || from_others();
    for (int round = 0; !done && round < MAX_TRIMS && trim_for_missing(); ++round)
        done = from_fresh() || from_others();
    if (m_cold) release_cold(*m_cold);
    return m_result;
}

void Arena::Allocation::refuse(Outcome outcome, std::uint64_t missing_bytes, int errno_value) {
    m_result.outcome = outcome;
    m_result.missing_bytes = missing_bytes;
    m_result.errno_value = errno_value;
}

std::optional<Arena::Allocation::Claim> Arena::Allocation::claim(std::uint32_t index,
                                                                 BlockState from) noexcept {
    BlockHeaderShm& header = m_view.headers[index];
    const StateWord seen = load_state(header);
    if (seen.state != from) return std::nullopt;
    if (!change_state(header, seen, {BlockState::busy, m_self, seen.generation})) return std::nullopt;
    os::fault_point("arena: claimed");
    return Claim{index, seen.generation};
}

// ---- own warm blocks

bool Arena::Allocation::from_own_warm() {
    const auto claimed = pop_own_warm();
    if (!claimed) return false;
    BlockHeaderShm& header = m_view.headers[claimed->index];
    // ORDER relaxed: we are the BUSY owner, and claim() made the earlier owner's write visible.
    const bool foreign = header.home.load(std::memory_order_relaxed) != m_self.value;
    return open_with_pages(
        *claimed, foreign || m_private.blocks[claimed->index].unmapped ? Source::stolen : Source::warm);
}

std::optional<Arena::Allocation::Claim> Arena::Allocation::pop_own_warm() {
    const std::lock_guard lock(m_private.mutex);
    ClassHints& hints = m_private.classes[m_class];
    for (int pass = 0; pass < 2; ++pass) {
        while (!hints.warm.empty()) {
            const std::uint32_t index = hints.warm.back();
            hints.warm.pop_back();
            if (const auto claimed = claim(index, BlockState::free_warm)) return claimed;
        }
        if (pass == 0) search_owned_locked(hints);
    }
    return std::nullopt;
}

// Blocks of ours that other processes were the last to hold are known by their headers only; the counter of
// returns tells whether a search can find any.
void Arena::Allocation::search_owned_locked(ClassHints& hints) {
    // ORDER seq_cst: pairs with the increment in release_warm_locked(), which follows the block's FREE_WARM
    // state; read before the search, so that a return during it leads to another search.
    const std::uint32_t returns = m_view.processes[m_self.value].returns.load(std::memory_order_seq_cst);
    if (returns == hints.seen_returns) return;
    hints.seen_returns = returns;
    std::erase_if(hints.owned, [&](std::uint32_t index) {
        const BlockHeaderShm& header = m_view.headers[index];
        const StateWord state = load_state(header);
        // ORDER relaxed: a hint, checked again after the claim.
        const bool lost = header.home.load(std::memory_order_relaxed) != m_self.value ||
                          state.state == BlockState::free_cold;
        if (lost) m_private.blocks[index].owned = false;
        if (!lost && state.state == BlockState::free_warm) hints.warm.push_back(index);
        return lost;
    });
}

// ---- fresh blocks

bool Arena::Allocation::from_fresh() {
    if (!m_cold) m_cold = claim_cold();
    if (!m_cold) return false;
    if (!ensure_pages(*m_cold)) return false;
    const Claim claimed = *m_cold;
    m_cold.reset();
    m_result.block.zeroed = true;
    open_block(claimed, Source::fresh);
    return true;
}

std::optional<Arena::Allocation::Claim> Arena::Allocation::claim_cold() {
    const std::lock_guard lock(m_private.mutex);
    ClassShm& shared_class = m_view.classes[m_class];
    // ORDER relaxed: a hint; too low a value costs a new header, too high a one a search.
    if (shared_class.cold_hint.load(std::memory_order_relaxed) > 0) {
        if (auto found = scan_cold_locked(high_water())) return found;
    }
    const std::uint32_t count = m_arena.m_classes[m_class].block_count;
    std::uint32_t high = high_water();
    while (high < count) {
        const std::uint32_t index = first_index() + high;
        const std::uint64_t header_offset =
            m_arena.m_shared->layout.headers_offset + std::uint64_t{index} * sizeof(BlockHeaderShm);
        if (const int error = m_arena.m_control.commit(header_offset, sizeof(BlockHeaderShm)); error != 0) {
            refuse(Outcome::system_error, sizeof(BlockHeaderShm), error);
            return std::nullopt;
        }
        // ORDER seq_cst: pairs with every load of high_water; the header's page is there before the mark
        // passes it, so that no scan anywhere can touch a header without memory.
        if (!shared_class.high_water.compare_exchange_strong(high, high + 1, std::memory_order_seq_cst))
            continue;
        if (const auto claimed = claim(index, BlockState::free_cold)) return claimed;
        high = high_water();  // a searching process was quicker than we
    }
    if (auto found = scan_cold_locked(high)) return found;
    refuse(Outcome::slots_full, 0);
    return std::nullopt;
}

std::optional<Arena::Allocation::Claim> Arena::Allocation::scan_cold_locked(std::uint32_t high) {
    std::atomic<std::uint32_t>& hint = m_view.classes[m_class].cold_hint;
    ClassHints& hints = m_private.classes[m_class];
    for (std::uint32_t step = 0; step < high; ++step) {
        hints.cursor = hints.cursor + 1 < high ? hints.cursor + 1 : 0;
        const auto claimed = claim(first_index() + hints.cursor, BlockState::free_cold);
        if (!claimed) continue;
        // ORDER relaxed: a hint.
        std::uint32_t about = hint.load(std::memory_order_relaxed);
        while (about > 0 && !hint.compare_exchange_weak(about, about - 1, std::memory_order_relaxed)) {
        }
        return claimed;
    }
    hint.store(0, std::memory_order_relaxed);  // ORDER relaxed: a hint
    return std::nullopt;
}

// ---- other processes' warm blocks

bool Arena::Allocation::from_others() {
    const AllocResult refusal_of_fresh = m_result;
    const std::uint32_t high = high_water();
    // First those that have all pages already; then one that must grow, which may fit where a fresh one
    // doesn't.
    for (const bool may_grow : {false, true}) {
        for (std::uint32_t step = 0; step < high; ++step) {
            const std::uint32_t index = first_index() + step;
            if (!may_grow && committed(index) < m_pages) continue;
            const auto claimed = claim(index, BlockState::free_warm);
            if (!claimed) continue;
            if (!may_grow && committed(index) < m_pages) {
                release_warm(*claimed);
                continue;
            }
            if (open_with_pages(*claimed, Source::stolen)) return true;
            m_result = refusal_of_fresh;
            return false;
        }
    }
    return false;
}

// ---- trimming

bool Arena::Allocation::trim_for_missing() {
    // What can't help in the end is left warm. Pages given back are no help where blocks are lacking: the warm
    // ones of this size were tried.
    if (m_result.outcome == Outcome::slots_full) return false;
    if (m_arena.warm_bytes() < m_result.missing_bytes) return false;
    return m_arena.trim_warm(m_result.missing_bytes) > 0;
}

// ---- pages

bool Arena::Allocation::open_with_pages(const Claim& claimed, Source source) {
    if (source == Source::stolen) {
        // Measured: entering 16 MiB of another process's pages in one go takes 1.1 ms, fault by fault 7 ms.
        const std::uint64_t pages = std::min(m_pages, committed(claimed.index));
        m_arena.m_pixels.populate_read(place(claimed.index), pages * os::page_bytes());
    }
    if (!ensure_pages(claimed)) {
        release_warm(claimed);
        return false;
    }
    open_block(claimed, source);
    return true;
}

bool Arena::Allocation::ensure_pages(const Claim& claimed) {
    const std::uint32_t before = committed(claimed.index);
    if (before >= m_pages) return true;
    {
        const std::lock_guard lock(m_private.mutex);
        if (!charge_locked(claimed, before)) return false;
    }
    os::fault_point("arena: charged");
    const std::uint64_t grown_offset = place(claimed.index) + std::uint64_t{before} * os::page_bytes();
    const std::uint64_t grown_bytes = std::uint64_t{m_pages - before} * os::page_bytes();
    if (const int error = take_from_kernel(claimed, before); error != 0) {
        m_arena.m_pixels.punch(grown_offset, grown_bytes);
        const std::lock_guard lock(m_private.mutex);
        m_account.record(m_self, {claimed.index}, before);
        refuse(Outcome::system_error, grown_bytes, error);
        return false;
    }
    os::fault_point("arena: committed");
    // Measured for 64 MiB of new pages: 34 ms with this, 38 ms when they are entered one fault at a time.
    m_arena.m_pixels.populate_write(grown_offset, grown_bytes);
    return true;
}

// Charges first and looks at the total afterwards, so that of two processes that together want too much at
// least one sees the other. Both may: then each tries again after giving way.
bool Arena::Allocation::charge_locked(const Claim& claimed, std::uint32_t before) {
    constexpr int MAX_TRIES = 16;
    const std::uint64_t page = os::page_bytes();
    // What is lent now, and not when the call began: only who needs pages looks.
    const std::uint64_t limit_bytes = m_arena.limit_bytes();
    const std::uint64_t limit = (limit_bytes - std::min(limit_bytes, m_reserved_bytes)) / page;
    const std::uint64_t grown = m_pages - before;
    for (int attempt = 0; attempt < MAX_TRIES; ++attempt) {
        m_account.record(m_self, {claimed.index}, m_pages);
        const std::uint64_t total = m_account.total_pages();
        if (total <= limit) {
            try {
                const std::uint64_t pending = m_account.pending_pages() + grown;
                const std::uint64_t missing = m_private.gate.missing(total * page, pending * page);
                if (missing == 0) {
                    m_account.add_pending(m_self, grown);
                    m_account.raise_peak(total);
                    return true;
                }
                refuse(Outcome::headroom, missing);
            } catch (const os::Error& error) {
                refuse(Outcome::system_error, grown * page, error.errno_value());
            }
            m_account.record(m_self, {claimed.index}, before);
            return false;
        }
        m_account.record(m_self, {claimed.index}, before);
        refuse(Outcome::arena_full, (total - limit) * page);
        if (m_account.total_pages() + grown > limit) return false;
        ::sched_yield();
    }
    return false;
}

int Arena::Allocation::take_from_kernel(const Claim& claimed, std::uint32_t before) {
    const std::uint32_t piece = static_cast<std::uint32_t>(os::COMMIT_PIECE_BYTES / os::page_bytes());
    int error = 0;
    // Piece by piece, so that other processes' admission doesn't count pages twice: as pending, and as taken.
    for (std::uint32_t from = before; from < m_pages;) {
        const std::uint32_t pages = std::min(piece, m_pages - from);
        if (error == 0) {
            error = m_arena.m_pixels.commit(place(claimed.index) + std::uint64_t{from} * os::page_bytes(),
                                            std::uint64_t{pages} * os::page_bytes());
        }
        m_account.remove_pending(m_self, pages);
        from += pages;
    }
    return error;
}

// ---- opening and releasing

void Arena::Allocation::open_block(const Claim& claimed, Source source) {
    const std::lock_guard lock(m_private.mutex);
    BlockHeaderShm& header = m_view.headers[claimed.index];
    PrivateBlock& mine = m_private.blocks[claimed.index];
    // ORDER relaxed: published by the state change below.
    header.home.store(m_self.value, std::memory_order_relaxed);
    // A publisher that died between its root bit and the rest may have left one behind.
    // ORDER seq_cst: pairs with clear_root() of the master's scan; nobody else may touch a busy block's
    // roots.
    if (header.roots.load(std::memory_order_seq_cst) != 0) header.roots.store(0, std::memory_order_seq_cst);
    if (!mine.owned) m_private.classes[m_class].owned.push_back(claimed.index);
    mine = {.holds = 1, .owned = true, .unmapped = false, .copied_at_fork = m_copied_at_fork};
    set_holder(header, m_self);
    const Generation generation = claimed.generation.next();
    os::expects(change_state(header, {BlockState::busy, m_self, claimed.generation},
                             {BlockState::live, {}, generation}),
                "Arena::alloc: this process's block was swept although the process lives");
    os::fault_point("arena: opened");
    if (source == Source::warm) ++m_private.allocs_warm;
    if (source == Source::fresh) ++m_private.allocs_fresh;
    if (source == Source::stolen) ++m_private.allocs_stolen;
    m_result.outcome = Outcome::ok;
    m_result.missing_bytes = 0;
    m_result.errno_value = 0;
    m_result.block.ref = BlockRef({claimed.index}, generation);
    m_result.block.data = m_arena.m_pixels.data() + place(claimed.index);
}

void Arena::Allocation::release_warm(const Claim& claimed) {
    const std::lock_guard lock(m_private.mutex);
    m_arena.release_warm_locked(claimed.index, m_class, claimed.generation);
}

void Arena::Allocation::release_cold(const Claim& claimed) {
    m_arena.make_cold(claimed.index, m_class, claimed.generation);
}

}  // namespace pex::shm
