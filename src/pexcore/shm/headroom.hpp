// SPDX-License-Identifier: BSD-3-Clause
// Asks the machine, not too often, whether more pages may be taken without waking the out-of-memory killer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "os/limits.hpp"

namespace pex::shm {

// A memory cgroup answers an overdraft with a kill and not with ENOSPC, so every commitment is admitted
// first. A reading costs tens of microseconds, so it is kept for MAX_AGE. Meanwhile the arena's own growth,
// by all processes, is subtracted from it: `total - total at the reading`, where what was charged but not yet
// taken from the kernel at the reading counts as growth. Other users of memory are covered by the margin.
//
// Thread safety: none; the arena's private mutex guards it. Each process has its own.
class HeadroomGate {
  public:
    using Reader = std::function<os::Headroom()>;
    static constexpr std::chrono::milliseconds MAX_AGE{5};

    HeadroomGate(Reader reader, std::uint64_t margin_bytes)
        : m_reader(std::move(reader)), m_margin_bytes(margin_bytes) {}

    // How many bytes are missing if the arena is to have `total_bytes`, of which `pending_bytes` were not yet
    // taken from the kernel; 0 if they may be taken. A refusal is always by a fresh reading.
    // Errors: os::Error if the machine's memory can't be read.
    std::uint64_t missing(std::uint64_t total_bytes, std::uint64_t pending_bytes);

    const os::Headroom& last_reading() const noexcept { return m_last; }

  private:
    void read(std::uint64_t total_bytes, std::uint64_t pending_bytes);
    std::uint64_t missing_by_last_reading(std::uint64_t total_bytes) const noexcept;

    Reader m_reader;
    std::uint64_t m_margin_bytes;
    os::Headroom m_last;
    std::uint64_t m_taken_bytes_then = 0;
    std::chrono::steady_clock::time_point m_read_at{};
};

}  // namespace pex::shm
