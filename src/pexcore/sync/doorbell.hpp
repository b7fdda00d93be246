// SPDX-License-Identifier: BSD-3-Clause
// Doorbells: one word per process that others ring after they changed a cell this process looks at.
#pragma once

#include <atomic>
#include <cstdint>
#include <sched.h>

#include "os/clock.hpp"
#include "os/fault_point.hpp"
#include "os/futex.hpp"

namespace pex::sync {

// | field    | written by       | read by          | order   | after owner death                          |
// |----------|------------------|------------------|---------|--------------------------------------------|
// | bell     | whoever rings    | owner            | seq_cst | nobody listens; harmless                   |
// | sleeping | owner            | whoever rings    | seq_cst | stays 1: a futile wake, one system call    |
struct alignas(64) DoorbellShm {
    std::atomic<std::uint32_t> bell;
    std::atomic<std::uint32_t> sleeping;
};

// Tells the owner that a cell changed. Never blocks. The change must have been made before the call.
inline void ring(DoorbellShm& door) {
    // ORDER seq_cst: pairs with the loads of `bell` in wait_for(), spinning or in the kernel's comparison.
    // With less, the increment could pass the change of the cell, and the owner would look too early.
    door.bell.fetch_add(1, std::memory_order_seq_cst);
    os::fault_point("bell: between");
    // ORDER seq_cst: pairs with the store of `sleeping` in wait_for(). Either this load sees the 1, or the
    // owner's later comparison sees the new bell; release/acquire alone allows neither, and a wake is lost.
    if (door.sleeping.load(std::memory_order_seq_cst) != 0) os::futex_wake(door.bell);
}

enum class WaitOutcome { READY, TIMEOUT };

namespace detail {
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}
}  // namespace detail

// Blocks until `ready()` or the absolute deadline. `ready` scans the truth (cells, flags); the bell only says
// when to scan again. Yields for `spin_ns` before it sleeps: waking a sleeping core costs 100 us on virtual
// machines, a yield to a peer that shares the core a few.
template <class Ready>
WaitOutcome wait_for(DoorbellShm& door, std::uint64_t spin_ns, std::uint64_t deadline_ns, Ready&& ready) {
    for (;;) {
        // ORDER seq_cst: pairs with the increment in ring(); taken before the scan, so that a change after the
        // scan makes the value stale.
        const std::uint32_t seen = door.bell.load(std::memory_order_seq_cst);
        if (ready()) return WaitOutcome::READY;
        bool rung = false;
        const std::uint64_t start = os::now_ns();
        do {
            for (int i = 0; i < 16 && !rung; ++i) {
                // ORDER seq_cst: as above.
                rung = door.bell.load(std::memory_order_seq_cst) != seen;
                detail::relax();
            }
            if (!rung) sched_yield();
        } while (!rung && os::now_ns() - start < spin_ns);
        if (rung) continue;
        // ORDER seq_cst: pairs with the load of `sleeping` in ring(), see there.
        door.sleeping.store(1, std::memory_order_seq_cst);
        if (!ready()) os::futex_wait(door.bell, seen, deadline_ns);
        // ORDER seq_cst: only spares later rings a system call.
        door.sleeping.store(0, std::memory_order_seq_cst);
        if (deadline_ns != os::NO_DEADLINE && os::now_ns() >= deadline_ns)
            return ready() ? WaitOutcome::READY : WaitOutcome::TIMEOUT;
    }
}

}  // namespace pex::sync
