// SPDX-License-Identifier: BSD-3-Clause
// An array that keeps a single element in itself: nearly every parameter has exactly one value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace pex::policy {

// Grows only at its end. T must not throw when it is moved.
template <class T>
class SmallArray {
    static_assert(std::is_nothrow_move_constructible_v<T>);

 public:
    SmallArray() noexcept : m_heap(nullptr) {}
    SmallArray(const SmallArray& other) : SmallArray() {
        reserve(other.m_size);
        std::uninitialized_copy_n(other.data(), other.m_size, data());
        m_size = other.m_size;
    }
    SmallArray(SmallArray&& other) noexcept : SmallArray() { take(other); }
    SmallArray& operator=(const SmallArray& other) {
        return *this = SmallArray(other);
    }
    SmallArray& operator=(SmallArray&& other) noexcept {
        if (this == &other) return *this;
        clear();
        take(other);
        return *this;
    }
    ~SmallArray() { clear(); }

    T* data() noexcept { return on_heap() ? m_heap : inline_slot(); }
    const T* data() const noexcept { return on_heap() ? m_heap : inline_slot(); }
    std::size_t size() const noexcept { return m_size; }
    bool empty() const noexcept { return m_size == 0; }
    T& operator[](std::size_t i) noexcept { return data()[i]; }
    const T& operator[](std::size_t i) const noexcept { return data()[i]; }
    T& back() noexcept { return data()[m_size - 1]; }
    const T& back() const noexcept { return data()[m_size - 1]; }
    T* begin() noexcept { return data(); }
    T* end() noexcept { return data() + m_size; }
    const T* begin() const noexcept { return data(); }
    const T* end() const noexcept { return data() + m_size; }
    std::span<const T> span() const noexcept { return {data(), m_size}; }

    void push_back(T value) {
        if (m_size == m_capacity) reserve(m_size < 4 ? std::size_t{8} : std::size_t{m_size} * 2);
        std::construct_at(data() + m_size, std::move(value));
        ++m_size;
    }

    void reserve(std::size_t wanted) {
        if (wanted <= m_capacity) return;
        if (wanted > UINT32_MAX) throw std::length_error("more than 2^32 values in one parameter");
        T* grown = std::allocator<T>().allocate(wanted);
        std::uninitialized_move_n(data(), m_size, grown);
        release_elements();
        m_heap = grown;
        m_capacity = static_cast<std::uint32_t>(wanted);
    }

    void clear() noexcept {
        release_elements();
        m_size = 0;
        m_capacity = 1;
    }

    // Ends the elements, keeps their room.
    void forget() noexcept {
        std::destroy_n(data(), m_size);
        m_size = 0;
    }

    // The elements, moved into an array without room to spare. This array is left without elements, its room kept.
    SmallArray move_packed() {
        SmallArray packed;
        packed.reserve(m_size);
        std::uninitialized_move_n(data(), m_size, packed.data());
        packed.m_size = m_size;
        forget();
        return packed;
    }

    friend bool operator==(const SmallArray& a, const SmallArray& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

 private:
    T* inline_slot() noexcept { return std::launder(reinterpret_cast<T*>(m_inline)); }
    const T* inline_slot() const noexcept { return std::launder(reinterpret_cast<const T*>(m_inline)); }

    // Ends the elements and gives back the heap block; size and capacity are left to the caller.
    void release_elements() noexcept {
        std::destroy_n(data(), m_size);
        if (on_heap()) std::allocator<T>().deallocate(m_heap, m_capacity);
    }

    // What this array held must have ended.
    void take(SmallArray& other) noexcept {
        if (other.on_heap()) {
            m_heap = other.m_heap;
            m_capacity = std::exchange(other.m_capacity, 1);
            m_size = std::exchange(other.m_size, 0);
            return;
        }
        std::uninitialized_move_n(other.data(), other.m_size, data());
        m_size = other.m_size;
        other.clear();
    }

    bool on_heap() const noexcept { return m_capacity > 1; }

    union {
        T* m_heap;  // where the capacity is more than one
        alignas(T) std::byte m_inline[sizeof(T)];
    };
    std::uint32_t m_size = 0;
    std::uint32_t m_capacity = 1;
};

}  // namespace pex::policy
