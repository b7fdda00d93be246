// SPDX-License-Identifier: BSD-3-Clause
// Memory that is taken bit by bit and given back as a whole.
#pragma once

#include <cstddef>

namespace pex::policy {

// Where the arrays of a tree lie that is read from a text: thousands of small ones, which end together.
// Thread safety: none.
class MonotonicBuffer {
 public:
    // `expected` is about how many bytes will be taken in all; pieces of memory are measured by it.
    explicit MonotonicBuffer(std::size_t expected) noexcept;
    MonotonicBuffer(const MonotonicBuffer&) = delete;
    MonotonicBuffer& operator=(const MonotonicBuffer&) = delete;
    ~MonotonicBuffer();

    // Memory for so many objects, which nobody constructs or destroys here. Lifetime: that of the buffer.
    template <class T>
    T* take(std::size_t count) {
        static_assert(alignof(T) <= ALIGNMENT);
        return static_cast<T*>(take_bytes(count * sizeof(T)));
    }

 private:
    static constexpr std::size_t ALIGNMENT = alignof(void*);

    struct Piece {
        Piece* before;
    };

    void* take_bytes(std::size_t bytes) {
        bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (bytes > m_left) return take_piece(bytes);
        std::byte* const taken = m_free;
        m_free += bytes;
        m_left -= bytes;
        return taken;
    }
    void* take_piece(std::size_t bytes);
    std::byte* add_piece(std::size_t bytes);

    std::byte* m_free = nullptr;
    std::size_t m_left = 0;
    std::size_t m_next_size;
    Piece* m_last = nullptr;
};

}  // namespace pex::policy
