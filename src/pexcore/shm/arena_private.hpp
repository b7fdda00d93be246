// SPDX-License-Identifier: BSD-3-Clause
// What the arena's source files share and nobody else sees: views of shared memory, this process's lists.
#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "shm/account.hpp"
#include "shm/arena.hpp"
#include "shm/layout.hpp"

namespace pex::shm {

struct Arena::Shared {
    Shared(std::byte* base, const ControlLayout& where, const SizeClasses& size_classes,
           std::uint64_t application_bytes)
        : layout(where), view(base, where, size_classes, application_bytes), account(view) {}

    ControlLayout layout;
    ControlView view;
    Account account;
};

// This process's hints about free blocks of one class. Every entry is checked by a CAS on its header when
// used, so an entry that another process took, or that occurs twice, costs a glance and nothing else.
struct ClassHints {
    std::vector<std::uint32_t> warm;   // last in, first out: the latest is the likeliest to be in the caches
    std::vector<std::uint32_t> owned;  // blocks whose home is this process, in any state
    std::uint32_t seen_returns = 0;    // ProcessShm::returns when `owned` was last searched
    std::uint32_t cursor = 0;          // where the next search for a cold or foreign block begins
};

struct PrivateBlock {
    std::uint32_t holds = 0;
    bool owned = false;     // is in ClassHints::owned
    bool unmapped = false;  // warm, but left by an earlier owner of the slot: not in our page table
    bool copied_at_fork = false;  // as its allocation asked
};

// Guarded by `mutex`, all of it.
struct Arena::Private {
    Private(const SizeClasses& size_classes, HeadroomGate headroom_gate)
        : blocks(size_classes.header_count()),
          classes(size_classes.count()),
          gate(std::move(headroom_gate)) {}

    std::mutex mutex;
    os::LazyTable<PrivateBlock> blocks;
    std::vector<ClassHints> classes;
    HeadroomGate gate;
    std::uint64_t allocs_warm = 0, allocs_fresh = 0, allocs_stolen = 0, allocs_refused = 0;
    std::uint64_t blocks_trimmed = 0;
};

template <class Visit>
void Arena::for_each_used(Visit visit) const {
    for (unsigned c = 0; c < m_classes.count(); ++c) {
        const std::uint32_t first = m_classes[c].first_index;
        // ORDER seq_cst: pairs with the raise in claim_cold(); headers below the mark have memory. One that
        // is raised meanwhile belongs to a living process and can't have been what the caller looks for.
        const std::uint32_t high = m_shared->view.classes[c].high_water.load(std::memory_order_seq_cst);
        for (std::uint32_t index = first; index < first + high; ++index) visit(index, c);
    }
}

}  // namespace pex::shm
