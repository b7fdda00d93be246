// SPDX-License-Identifier: BSD-3-Clause
// The one clock of the harness: CLOCK_MONOTONIC in nanoseconds.
#pragma once

#include <cstdint>
#include <limits>
#include <time.h>

namespace pex::os {

inline constexpr std::uint64_t NO_DEADLINE = std::numeric_limits<std::uint64_t>::max();

inline std::uint64_t now_ns() {
    timespec ts{};
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<std::uint64_t>(ts.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(ts.tv_nsec);
}

// Sleeps, or less where a signal comes.
inline void pause_ns(long duration_ns) {
    const timespec pause{0, duration_ns};
    nanosleep(&pause, nullptr);
}

}  // namespace pex::os
