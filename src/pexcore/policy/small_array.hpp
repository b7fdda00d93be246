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
    SmallArray() noexcept = default;
    SmallArray(const SmallArray& other) {
        reserve(other.m_size);
        std::uninitialized_copy_n(other.data(), other.m_size, data());
        m_size = other.m_size;
    }
    SmallArray(SmallArray&& other) noexcept { take(other); }
    SmallArray& operator=(const SmallArray& other) {
        SmallArray copy(other);
        swap_with(copy);
        return *this;
    }
    SmallArray& operator=(SmallArray&& other) noexcept {
        SmallArray taken(std::move(other));
        swap_with(taken);
        return *this;
    }
    ~SmallArray() { clear(); }

    T* data() noexcept { return m_heap != nullptr ? m_heap : inline_slot(); }
    const T* data() const noexcept { return m_heap != nullptr ? m_heap : inline_slot(); }
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
        m_heap = nullptr;
        m_size = 0;
        m_capacity = 1;
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
        if (m_heap != nullptr) std::allocator<T>().deallocate(m_heap, m_capacity);
    }

    void take(SmallArray& other) noexcept {
        if (other.m_heap != nullptr) {
            m_heap = std::exchange(other.m_heap, nullptr);
            m_capacity = std::exchange(other.m_capacity, 1);
            m_size = std::exchange(other.m_size, 0);
            return;
        }
        std::uninitialized_move_n(other.data(), other.m_size, data());
        m_size = other.m_size;
        other.clear();
    }

    void swap_with(SmallArray& other) noexcept {
        SmallArray held(std::move(other));
        other.take(*this);
        take(held);
    }

    T* m_heap = nullptr;
    std::uint32_t m_size = 0;
    std::uint32_t m_capacity = 1;
    alignas(T) std::byte m_inline[sizeof(T)];
};

}  // namespace pex::policy
