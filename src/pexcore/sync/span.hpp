// SPDX-License-Identifier: BSD-3-Clause
// Spans: one fixed-size record per step of a process, in a ring that only it writes and only the master drains.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

namespace pex::sync {

enum class SpanKind : std::uint16_t { SETUP = 0, PREPROCESS = 1, PROCESS = 2, POSTPROCESS = 3, END_OF_VISIT = 4, PUBLISH = 5 };

struct SpanShm {
    std::uint64_t start_ns;
    std::uint64_t end_ns;
    std::uint64_t bytes_copied;     // array bytes copied into shared memory in this step
    std::uint64_t bytes_shared;     // array bytes published as descriptors of memory that was shared already
    std::uint64_t bytes_clipboard;  // array bytes on the clipboard when the step ended
    std::uint32_t visit;
    std::int32_t rank;
    std::uint16_t stage;
    SpanKind kind;
    std::uint32_t outcome;
    std::uint64_t reserved;
};
static_assert(sizeof(SpanShm) == 64);

// | field   | written by | read by | order   | after owner death                                  |
// |---------|------------|---------|---------|----------------------------------------------------|
// | written | owner      | master  | release | spans below it are whole; the one above is dropped |
// | drained | master     | owner   | relaxed | what is not drained yet fills the ring             |
// | spans[] | owner      | master  | through `written`                                            |
struct alignas(64) SpanRingShm {
    std::atomic<std::uint64_t> written;
    alignas(64) std::atomic<std::uint64_t> drained;
};

// A view of one process's ring: the head above, followed by `capacity` spans (a power of two).
class SpanRing {
public:
    SpanRing() = default;
    SpanRing(SpanRingShm* head, std::uint64_t capacity)
        : m_head(head), m_spans(reinterpret_cast<SpanShm*>(head + 1)), m_capacity(capacity) {}

    static std::uint64_t bytes_for(std::uint64_t capacity) { return sizeof(SpanRingShm) + capacity * sizeof(SpanShm); }

    // For how many more spans there is room until the master drains. Owner only.
    std::uint64_t room() const {
        // ORDER relaxed on both: the owner is the only writer of `written`; of `drained` an old value says that there is less
        // room than there is.
        return m_capacity - std::min(m_capacity, m_head->written.load(std::memory_order_relaxed) -
                                                     m_head->drained.load(std::memory_order_relaxed));
    }

    // Appends; the oldest span is overwritten when the master has not drained for a whole turn. Owner only.
    void append(const SpanShm& span) {
        // ORDER relaxed: the owner is the only writer of `written`.
        const std::uint64_t at = m_head->written.load(std::memory_order_relaxed);
        m_spans[at & (m_capacity - 1)] = span;
        // ORDER release: pairs with the acquire in drain(); a span is counted only when it is whole.
        m_head->written.store(at + 1, std::memory_order_release);
    }

    // Appends to `out` what was written since the last call, and counts what was overwritten before it was read.
    // Master only; the owner may go on meanwhile as far as there is room.
    std::uint64_t drain(std::vector<SpanShm>& out) {
        // ORDER acquire: pairs with the release in append().
        const std::uint64_t end = m_head->written.load(std::memory_order_acquire);
        std::uint64_t lost = 0;
        if (end - m_drained > m_capacity) {
            lost = end - m_drained - m_capacity;
            m_drained = end - m_capacity;
        }
        for (; m_drained < end; ++m_drained) out.push_back(m_spans[m_drained & (m_capacity - 1)]);
        // ORDER relaxed: a hint for room().
        m_head->drained.store(m_drained, std::memory_order_relaxed);
        return lost;
    }

private:
    SpanRingShm* m_head = nullptr;
    SpanShm* m_spans = nullptr;
    std::uint64_t m_capacity = 0;
    std::uint64_t m_drained = 0;
};

}  // namespace pex::sync
