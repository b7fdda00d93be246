// SPDX-License-Identifier: BSD-3-Clause
// Pieces of memory for a MonotonicBuffer.
#include "policy/monotonic_buffer.hpp"

#include <algorithm>
#include <new>

namespace pex::policy {

namespace {

constexpr std::size_t SMALLEST_PIECE = 256;
constexpr std::size_t LARGEST_PIECE = std::size_t{1} << 20;

// Under the address sanitizer everything that is taken is a piece of its own, so that a step beyond its end is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool EACH_BY_ITSELF = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool EACH_BY_ITSELF = true;
#else
constexpr bool EACH_BY_ITSELF = false;
#endif
#else
constexpr bool EACH_BY_ITSELF = false;
#endif

}  // namespace

MonotonicBuffer::MonotonicBuffer(std::size_t expected) noexcept
    : m_next_size(std::clamp(expected, SMALLEST_PIECE, LARGEST_PIECE)) {}

MonotonicBuffer::~MonotonicBuffer() {
    while (m_last != nullptr) {
        Piece* const before = m_last->before;
        ::operator delete(m_last);
        m_last = before;
    }
}

void* MonotonicBuffer::take_piece(std::size_t bytes) {
    // What is large gets a piece of its own, and the rest of the last one stays in use.
    if (EACH_BY_ITSELF || bytes > m_next_size / 4) return add_piece(bytes);
    m_free = add_piece(m_next_size);
    m_left = m_next_size;
    m_next_size = std::min(2 * m_next_size, LARGEST_PIECE);
    return take_bytes(bytes);
}

std::byte* MonotonicBuffer::add_piece(std::size_t bytes) {
    static_assert(sizeof(Piece) % ALIGNMENT == 0);
    void* const memory = ::operator new(sizeof(Piece) + bytes);
    m_last = new (memory) Piece{m_last};
    return static_cast<std::byte*>(memory) + sizeof(Piece);
}

}  // namespace pex::policy
