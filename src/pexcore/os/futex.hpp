// SPDX-License-Identifier: BSD-3-Clause
// Sleeping on a shared 32-bit word and waking those who do.
#pragma once

#include <atomic>
#include <cstdint>

namespace pex::os {

// Sleeps while `word` holds `expected`, until woken, a signal, or the absolute CLOCK_MONOTONIC deadline.
// Blocks. Returns for any of these reasons, and may return for none: the caller looks at its condition again.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint64_t deadline_ns);

// Wakes every sleeper on `word`. Never blocks.
void futex_wake(std::atomic<std::uint32_t>& word);

}  // namespace pex::os
