// SPDX-License-Identifier: BSD-3-Clause
// Frames in a byte ring: a fixed head, then the text, both of which may wrap around the end.
#include "sync/log_ring.hpp"

#include <algorithm>
#include <cstring>

namespace pex::sync {

struct LogRing::FrameHead {
    std::uint32_t length;
    std::int32_t rank;
    std::int32_t importance;
    std::uint32_t flags;
};

void LogRing::put(std::uint64_t at, const void* data, std::size_t length) {
    const std::uint64_t from = at & (LOG_RING_BYTES - 1);
    const std::size_t first = std::min<std::size_t>(length, LOG_RING_BYTES - from);
    std::memcpy(m_shm->bytes + from, data, first);
    std::memcpy(m_shm->bytes, static_cast<const char*>(data) + first, length - first);
}

void LogRing::get(std::uint64_t at, void* data, std::size_t length) const {
    const std::uint64_t from = at & (LOG_RING_BYTES - 1);
    const std::size_t first = std::min<std::size_t>(length, LOG_RING_BYTES - from);
    std::memcpy(data, m_shm->bytes + from, first);
    std::memcpy(static_cast<char*>(data) + first, m_shm->bytes, length - first);
}

LogFrame LogRing::frame(const FrameHead& head, std::uint64_t at) const {
    LogFrame out{head.rank, head.importance, head.flags, std::string(head.length, '\0')};
    get(at, out.text.data(), head.length);
    return out;
}

bool LogRing::try_append(std::int32_t rank, std::int32_t importance, std::uint32_t flags, std::string_view text) {
    static_assert(sizeof(FrameHead) == LOG_FRAME_HEAD_BYTES);
    const std::uint64_t needed = sizeof(FrameHead) + text.size();
    // ORDER relaxed: the owner is the only writer of `written`.
    const std::uint64_t at = m_shm->written.load(std::memory_order_relaxed);
    // ORDER acquire: pairs with the release in commit(); room is overwritten only after it was read.
    const std::uint64_t used = at - m_shm->drained.load(std::memory_order_acquire);
    if (used > LOG_RING_BYTES || needed > LOG_RING_BYTES - used) return false;
    const FrameHead head{static_cast<std::uint32_t>(text.size()), rank, importance, flags};
    put(at, &head, sizeof(head));
    put(at + sizeof(head), text.data(), text.size());
    // ORDER release: pairs with the acquire in peek(); a record counts only when it is whole.
    m_shm->written.store(at + needed, std::memory_order_release);
    return true;
}

template <class Take>
std::uint64_t LogRing::walk(Take&& take, bool* broken) const {
    // ORDER acquire: pairs with the release in try_append().
    const std::uint64_t end = m_shm->written.load(std::memory_order_acquire);
    // ORDER acquire: the nursery reads what a master that died has left.
    std::uint64_t at = m_shm->drained.load(std::memory_order_acquire);
    *broken = end - at > LOG_RING_BYTES;
    while (!*broken && at != end) {
        FrameHead head{};
        const std::uint64_t left = end - at;
        if (left >= sizeof(head)) get(at, &head, sizeof(head));
        if (left < sizeof(head) || head.length > left - sizeof(head)) {
            *broken = true;
            break;
        }
        take(head, at + sizeof(head));
        at += sizeof(head) + head.length;
    }
    return end;
}

std::uint64_t LogRing::peek(std::vector<LogFrame>& out, bool* broken) const {
    return walk([&](const FrameHead& head, std::uint64_t at) { out.push_back(frame(head, at)); }, broken);
}

LogBatch LogRing::batch() const {
    LogBatch out{};
    const auto take = [&](const FrameHead& head, std::uint64_t at) {
        if (head.flags != 0) {
            out.flagged.push_back(frame(head, at));
            return;
        }
        auto of_rank = std::find_if(out.texts.begin(), out.texts.end(),
                                    [&](const LogBatch::Texts& texts) { return texts.rank == head.rank; });
        if (of_rank == out.texts.end()) of_rank = out.texts.insert(of_rank, LogBatch::Texts{head.rank, 0, {}});
        const std::size_t before = of_rank->joined.size();
        of_rank->joined.resize(before + head.length);
        get(at, of_rank->joined.data() + before, head.length);
        ++of_rank->records;
    };
    out.position = walk(take, &out.broken);
    return out;
}

void LogRing::commit(std::uint64_t position) {
    // ORDER release: pairs with the acquire in try_append(); the frames were read before their room is free.
    m_shm->drained.store(position, std::memory_order_release);
}

std::uint64_t LogRing::waiting() const {
    // ORDER acquire: as in peek(); a hint for the drainer.
    return m_shm->written.load(std::memory_order_acquire) - m_shm->drained.load(std::memory_order_acquire);
}

bool first_at(LogPlacesShm& seen, std::uint64_t hash) {
    const std::uint64_t mark = hash == 0 ? 1 : hash;
    for (std::size_t step = 0; step < LOG_PLACES; ++step) {
        std::atomic<std::uint64_t>& place = seen.places[(mark + step) & (LOG_PLACES - 1)];
        std::uint64_t expected = 0;
        // ORDER relaxed: the mark says nothing about other memory.
        if (place.compare_exchange_strong(expected, mark, std::memory_order_relaxed)) return true;
        if (expected == mark) return false;
    }
    return false;
}

}  // namespace pex::sync
