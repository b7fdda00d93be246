// SPDX-License-Identifier: BSD-3-Clause
// Births: which arena an address belongs to, and what an arena may give to code that does not know of it.
#include "births.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "fork_guests.hpp"

namespace pex::bindings::births {

namespace {

// One birth takes at most this part of the arena, so that one array can't push out all others.
constexpr std::uint64_t LARGEST_PART = 8;
// This part of the arena is left to manifests, to copies and to explicit requests, which must not fail because
// temporaries fill it.
constexpr std::uint64_t RESERVED_PART = 8;
// Zeroed memory above this size stays private: the kernel gives it lazily, and much of it may never be touched.
constexpr std::uint64_t LARGEST_ZEROED_BYTES = std::uint64_t{128} << 20;

// An arena that has, or may get, births. Found by address range; `arena` is touched only by who has an address
// inside, and then `alive` is not zero, so that nobody takes it away.
struct Home {
    std::atomic<std::uintptr_t> begin{0};
    std::atomic<std::uintptr_t> end{0};
    std::atomic<std::uint64_t> alive{0};
    std::shared_ptr<shm::Arena> arena;
    Home* next = nullptr;
};

// Never destroyed: arrays are freed until the very end of the process. A list, whose entries are reused.
std::atomic<Home*> g_homes{nullptr};
std::atomic<Home*> g_current{nullptr};
std::atomic<int> g_scopes{0};
std::atomic<std::uint64_t> g_threshold{0};
std::atomic<std::uint64_t> g_shared{0}, g_refused{0}, g_refused_bytes{0};

Home* home_of(const void* address) noexcept {
    const auto where = reinterpret_cast<std::uintptr_t>(address);
    // ORDER acquire: pairs with the release in publish_home(); a list entry is complete when it is seen.
    for (Home* home = g_homes.load(std::memory_order_acquire); home != nullptr; home = home->next) {
        // ORDER relaxed: who has a birth's address got it, by whatever way, after the range was set, and the range
        // stays while births live; for other addresses any value is right that doesn't contain them.
        if (where >= home->begin.load(std::memory_order_relaxed) && where < home->end.load(std::memory_order_relaxed))
            return home;
    }
    return nullptr;
}

void forget_empty_homes() {
    for (Home* home = g_homes.load(std::memory_order_acquire); home != nullptr; home = home->next) {
        // ORDER seq_cst: pairs with try_birth(), and with release(): the last birth is done with the arena.
        if (!home->arena || home->alive.load(std::memory_order_seq_cst) != 0) continue;
        home->begin.store(0, std::memory_order_relaxed);
        home->end.store(0, std::memory_order_relaxed);
        home->arena.reset();
    }
}

Home* free_home() {
    for (Home* home = g_homes.load(std::memory_order_acquire); home != nullptr; home = home->next)
        if (!home->arena) return home;
    Home* const fresh = new Home;
    // ORDER relaxed: only use() comes here, in the stage thread; nobody else changes the list.
    fresh->next = g_homes.load(std::memory_order_relaxed);
    // ORDER release: pairs with the acquire in home_of().
    g_homes.store(fresh, std::memory_order_release);
    return fresh;
}

Home* home_for(std::shared_ptr<shm::Arena> arena) {
    const std::byte* const first = arena->pixel_segment().data();
    if (Home* const known = home_of(first)) return known;
    Home* const home = free_home();
    // ORDER relaxed: see home_of(); the home is used once g_current leads to it, which use() stores with release.
    home->begin.store(reinterpret_cast<std::uintptr_t>(first), std::memory_order_relaxed);
    const std::byte* const last = first + arena->pixel_segment().bytes();
    home->end.store(reinterpret_cast<std::uintptr_t>(last), std::memory_order_relaxed);
    home->arena = std::move(arena);
    return home;
}

shm::AllocResult ask(shm::Arena& arena, std::size_t bytes, bool may_hold_pointers) {
    const shm::AllocWish wish{arena.arena_bytes() / RESERVED_PART, may_hold_pointers};
    shm::AllocResult result = arena.alloc(bytes, wish);
    if (result.outcome == shm::Outcome::ok || result.outcome == shm::Outcome::detached) return result;
    release_ended_guests();
    return arena.alloc(bytes, wish);
}

void count_refused(std::size_t bytes) noexcept {
    // ORDER relaxed, all counts: figures for a report.
    g_refused.fetch_add(1, std::memory_order_relaxed);
    g_refused_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

shm::Block try_birth(std::size_t bytes, bool may_hold_pointers) noexcept {
    // ORDER relaxed: whether births are on is the stage thread's own program order; other threads may be late.
    if (g_scopes.load(std::memory_order_relaxed) <= 0 || bytes < g_threshold.load(std::memory_order_relaxed)) return {};
    // ORDER acquire: pairs with the release in use().
    Home* const home = g_current.load(std::memory_order_acquire);
    if (home == nullptr) return {};
    // ORDER seq_cst, both: pair with use(), which stores the current home and then reads `alive`. Of the two, one
    // sees the other: either the home is kept, or it is not used here.
    home->alive.fetch_add(1, std::memory_order_seq_cst);
    shm::Block block;
    if (g_current.load(std::memory_order_seq_cst) == home && bytes <= home->arena->arena_bytes() / LARGEST_PART) {
        try {
            const shm::AllocResult result = ask(*home->arena, bytes, may_hold_pointers);
            if (result.outcome == shm::Outcome::ok)
                block = result.block;
            else if (result.outcome != shm::Outcome::detached)
                count_refused(bytes);
        } catch (const std::exception&) {
            // Private lists could not grow, or shared state is damaged: memory of the process's own is still there.
            count_refused(bytes);
        }
    }
    // ORDER release: pairs with the load in forget_empty_homes(). Relaxed on the count: a figure for a report.
    if (block.data == nullptr)
        home->alive.fetch_sub(1, std::memory_order_release);
    else
        g_shared.fetch_add(1, std::memory_order_relaxed);
    return block;
}

}  // namespace

void use(std::shared_ptr<shm::Arena> arena, std::uint64_t threshold_bytes) {
    // ORDER relaxed: as in try_birth(); of counts: figures for a report.
    g_threshold.store(threshold_bytes, std::memory_order_relaxed);
    g_current.store(nullptr, std::memory_order_seq_cst);  // ORDER: see try_birth()
    forget_empty_homes();
    g_shared.store(0, std::memory_order_relaxed);
    g_refused.store(0, std::memory_order_relaxed);
    g_refused_bytes.store(0, std::memory_order_relaxed);
    // ORDER release: pairs with the acquire in try_birth(); the home is complete.
    if (arena) g_current.store(home_for(std::move(arena)), std::memory_order_release);
}

Scope::Scope() noexcept { enter(); }
Scope::~Scope() { leave(); }

// ORDER relaxed on g_scopes: as in try_birth().
void enter() noexcept { g_scopes.fetch_add(1, std::memory_order_relaxed); }

void leave() noexcept {
    g_scopes.fetch_sub(1, std::memory_order_relaxed);
    release_ended_guests();
}

// ORDER relaxed: in a process that has one thread yet.
void close_all() noexcept { g_scopes.store(0, std::memory_order_relaxed); }

void* allocate(std::size_t bytes) noexcept { return try_birth(bytes, false).data; }

void* allocate_zeroed(std::size_t bytes) noexcept {
    if (bytes > LARGEST_ZEROED_BYTES) return nullptr;
    // NumPy asks for zeroed memory for every array of objects, and for nothing else that holds pointers.
    const shm::Block block = try_birth(bytes, true);
    if (block.data != nullptr && !block.zeroed) std::memset(block.data, 0, bytes);
    return block.data;
}

bool owns(const void* address) noexcept { return home_of(address) != nullptr; }

std::size_t capacity(const void* address) noexcept {
    const shm::Arena& arena = *home_of(address)->arena;
    const auto located = arena.find(address);
    return located ? arena.capacity(located->ref) : 0;
}

void release(void* address) noexcept {
    Home* const home = home_of(address);
    if (!home->arena->is_attached()) return;
    if (const auto located = home->arena->find(address)) drop_quietly(*home->arena, located->ref);
    // ORDER release: pairs with the acquire in forget_empty_homes().
    home->alive.fetch_sub(1, std::memory_order_release);
}

std::uint64_t set_threshold(std::uint64_t bytes) noexcept {
    // ORDER relaxed: as in try_birth().
    return g_threshold.exchange(bytes, std::memory_order_relaxed);
}

bool can_bear() noexcept {
    // ORDER acquire: pairs with the release in use(). Relaxed on the threshold: as in try_birth().
    const Home* const home = g_current.load(std::memory_order_acquire);
    return home != nullptr && home->arena->is_attached() &&
           g_threshold.load(std::memory_order_relaxed) <= home->arena->arena_bytes() / LARGEST_PART;
}

Counts counts() noexcept {
    Counts now;
    // ORDER relaxed, all counts: figures for a report. Acquire on the list: pairs with the release in free_home().
    now.shared = g_shared.load(std::memory_order_relaxed);
    now.refused = g_refused.load(std::memory_order_relaxed);
    now.refused_bytes = g_refused_bytes.load(std::memory_order_relaxed);
    for (const Home* home = g_homes.load(std::memory_order_acquire); home != nullptr; home = home->next)
        now.alive += home->alive.load(std::memory_order_relaxed);
    return now;
}

}  // namespace pex::bindings::births
