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
// | core     | owner            | whom it waits for| relaxed | a hint of no use                           |
struct alignas(64) DoorbellShm {
    std::atomic<std::uint32_t> bell;
    std::atomic<std::uint32_t> sleeping;
    std::atomic<std::int32_t> core;  // where the owner waited last
};

// Whether the owner of a door has waited last where this process runs now: it needs this core to go on.
inline bool shares_core(const DoorbellShm& door) {
    // ORDER relaxed: a hint.
    return door.core.load(std::memory_order_relaxed) == sched_getcpu();
}

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

// How long a wait goes on before it sleeps.
struct Patience {
    std::uint64_t yield_ns = 0;  // yields for so long: waking a sleeping core costs 100 us on virtual machines
    std::uint32_t looks = 0;     // looks at the bell so often before it yields: a yield costs as much as 20 looks
};

// Blocks until `ready()` or the absolute deadline. `ready` scans the truth (cells, flags); the bell only says
// when to scan again. `idle` is called before others may have the core: never between two looks, and perhaps often.
template <class Ready, class Idle>
WaitOutcome wait_for(DoorbellShm& door, const Patience& patience, std::uint64_t deadline_ns, Ready&& ready, Idle&& idle) {
    // ORDER relaxed: a hint.
    door.core.store(sched_getcpu(), std::memory_order_relaxed);
    for (;;) {
        // ORDER seq_cst: pairs with the increment in ring(); taken before the scan, so that a change after the
        // scan makes the value stale.
        const std::uint32_t seen = door.bell.load(std::memory_order_seq_cst);
        if (ready()) return WaitOutcome::READY;
        auto look = [&](std::uint32_t times) {
            for (; times > 0; --times) {
                // ORDER seq_cst: as above.
                if (door.bell.load(std::memory_order_seq_cst) != seen) return true;
                detail::relax();
            }
            return false;
        };
        if (look(patience.looks)) continue;
        idle();
        bool rung = look(1);
        for (const std::uint64_t start = os::now_ns(); !rung && os::now_ns() - start < patience.yield_ns;) {
            sched_yield();
            rung = look(1);
        }
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

template <class Ready>
WaitOutcome wait_for(DoorbellShm& door, const Patience& patience, std::uint64_t deadline_ns, Ready&& ready) {
    return wait_for(door, patience, deadline_ns, ready, [] {});
}

}  // namespace pex::sync
