// SPDX-License-Identifier: BSD-3-Clause
// An array that can keep a single element in itself: nearly every parameter has exactly one value.
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

#include "policy/monotonic_buffer.hpp"

namespace pex::policy {

// Grows only at its end. T must not throw when it is moved. KEPT is how many elements it keeps in itself: one or none.
// Lifetime: what has memory of a buffer must not outlive it. Moving keeps that memory, every copy has its own, and so has
// what grows out of it.
template <class T, std::uint32_t KEPT = 1>
class SmallArray {
    static_assert(std::is_nothrow_move_constructible_v<T> && KEPT <= 1);

 public:
    SmallArray() noexcept : m_outside(nullptr) {}
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

    T* data() noexcept { return is_outside() ? m_outside : inline_slot(); }
    const T* data() const noexcept { return is_outside() ? m_outside : inline_slot(); }
    std::size_t size() const noexcept { return m_size; }
    std::size_t capacity() const noexcept { return m_capacity & ~BORROWED; }
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

    void push_back(T value) { emplace_back(std::move(value)); }

    // The arguments must not stand in this array.
    template <class... Arguments>
    T& emplace_back(Arguments&&... arguments) {
        if (m_size == capacity()) grow();
        T* const made = std::construct_at(data() + m_size, std::forward<Arguments>(arguments)...);
        ++m_size;
        return *made;
    }

    void reserve(std::size_t wanted) {
        if (wanted > capacity()) move_to(std::allocator<T>().allocate(checked(wanted)), wanted, 0);
    }
    // The same with memory of a buffer.
    void reserve(std::size_t wanted, MonotonicBuffer& buffer) {
        if (wanted > capacity()) move_to(buffer.take<T>(checked(wanted)), wanted, BORROWED);
    }

    // Ends elements behind so many.
    void shorten(std::size_t wanted) noexcept {
        std::destroy_n(data() + wanted, m_size - wanted);
        m_size = static_cast<std::uint32_t>(wanted);
    }

    void clear() noexcept {
        release_elements();
        m_size = 0;
        m_capacity = KEPT;
    }

    // Ends the elements, keeps their room.
    void forget() noexcept {
        std::destroy_n(data(), m_size);
        m_size = 0;
    }

    // The elements, moved into memory of a buffer, without any to spare. This array is left without elements, its own
    // memory kept.
    SmallArray move_packed(MonotonicBuffer& buffer) {
        SmallArray packed;
        packed.reserve(m_size, buffer);
        std::uninitialized_move_n(data(), m_size, packed.data());
        packed.m_size = m_size;
        forget();
        return packed;
    }

    friend bool operator==(const SmallArray& a, const SmallArray& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

 private:
    // In m_capacity: the memory is that of a buffer.
    static constexpr std::uint32_t BORROWED = std::uint32_t{1} << 31;

    T* inline_slot() noexcept { return std::launder(reinterpret_cast<T*>(m_inline)); }
    const T* inline_slot() const noexcept { return std::launder(reinterpret_cast<const T*>(m_inline)); }

    static std::size_t checked(std::size_t wanted) {
        if (wanted >= BORROWED) throw std::length_error("2^31 or more values in one parameter");
        return wanted;
    }

    // Apart from what fills an array, which is short and stands wherever one is filled.
    [[gnu::noinline]] void grow() {
        // What keeps none in itself holds large elements.
        constexpr std::size_t LEAST = KEPT == 0 ? 1 : 8;
        reserve(std::max(LEAST, std::size_t{m_size} * 2));
    }

    void move_to(T* outside, std::size_t room_for, std::uint32_t borrowed) noexcept {
        std::uninitialized_move_n(data(), m_size, outside);
        release_elements();
        m_outside = outside;
        m_capacity = static_cast<std::uint32_t>(room_for) | borrowed;
    }

    // Ends the elements and gives back their memory; size and capacity are left to the caller.
    void release_elements() noexcept {
        std::destroy_n(data(), m_size);
        if (is_outside() && (m_capacity & BORROWED) == 0) std::allocator<T>().deallocate(m_outside, m_capacity);
    }

    // What this array held must have ended.
    void take(SmallArray& other) noexcept {
        if (other.is_outside()) {
            m_outside = other.m_outside;
            m_capacity = std::exchange(other.m_capacity, KEPT);
            m_size = std::exchange(other.m_size, 0);
            return;
        }
        std::uninitialized_move_n(other.data(), other.m_size, data());
        m_size = other.m_size;
        other.clear();
    }

    bool is_outside() const noexcept { return m_capacity > KEPT; }

    union {
        T* m_outside;  // where the capacity is more than what is kept inside
        alignas(KEPT == 0 ? alignof(T*) : alignof(T)) std::byte m_inline[KEPT == 0 ? 1 : sizeof(T)];
    };
    std::uint32_t m_size = 0;
    std::uint32_t m_capacity = KEPT;
};

}  // namespace pex::policy
