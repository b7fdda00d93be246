// SPDX-License-Identifier: BSD-3-Clause
// The futex system call, shared between processes (no FUTEX_PRIVATE_FLAG).
#include "os/futex.hpp"

#include <climits>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.hpp"

namespace pex::os {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) &&
              std::atomic<std::uint32_t>::is_always_lock_free);

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint64_t deadline_ns) {
    timespec deadline{};
    const timespec* limit = nullptr;
    if (deadline_ns != NO_DEADLINE) {
        deadline.tv_sec = static_cast<time_t>(deadline_ns / 1'000'000'000u);
        deadline.tv_nsec = static_cast<long>(deadline_ns % 1'000'000'000u);
        limit = &deadline;
    }
    // FUTEX_WAIT_BITSET takes an absolute deadline; FUTEX_WAIT takes a relative one, which EINTR would stretch.
    syscall(SYS_futex, reinterpret_cast<const std::uint32_t*>(&word), FUTEX_WAIT_BITSET, expected, limit, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}

void futex_wake(std::atomic<std::uint32_t>& word) {
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace pex::os
