// SPDX-License-Identifier: BSD-3-Clause
// The cached comparison of the arena's growth with the machine's headroom.
#include "shm/headroom.hpp"

namespace pex::shm {

std::uint64_t HeadroomGate::missing(std::uint64_t total_bytes, std::uint64_t pending_bytes) {
    const auto now = std::chrono::steady_clock::now();
    if (m_read_at != std::chrono::steady_clock::time_point{} && now - m_read_at < MAX_AGE) {
        if (missing_by_last_reading(total_bytes) == 0) return 0;
    }
    read(total_bytes, pending_bytes);
    return missing_by_last_reading(total_bytes);
}

void HeadroomGate::read(std::uint64_t total_bytes, std::uint64_t pending_bytes) {
    m_last = m_reader();
    m_taken_bytes_then = total_bytes - (pending_bytes < total_bytes ? pending_bytes : total_bytes);
    m_read_at = std::chrono::steady_clock::now();
}

std::uint64_t HeadroomGate::missing_by_last_reading(std::uint64_t total_bytes) const noexcept {
    const std::uint64_t growth = total_bytes > m_taken_bytes_then ? total_bytes - m_taken_bytes_then : 0;
    const std::uint64_t wanted = growth + m_margin_bytes;
    return wanted > m_last.available_bytes ? wanted - m_last.available_bytes : 0;
}

}  // namespace pex::shm
