// SPDX-License-Identifier: BSD-3-Clause
// Log records on their way to files: a byte ring per process that only it fills and only one drainer empties.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pex::sync {

inline constexpr std::uint64_t LOG_RING_BYTES = std::uint64_t{128} << 10;  // a power of two
inline constexpr std::size_t LOG_FRAME_HEAD_BYTES = 16;                    // before each text
inline constexpr std::size_t LOG_PLACES = 512;                             // a power of two

// | field   | written by | read by        | order   | after owner death                                         |
// |---------|------------|----------------|---------|-----------------------------------------------------------|
// | written | owner      | drainer        | release | records below it are whole; a part of one above is lost   |
// | drained | drainer    | owner, nursery | release | the master's death: the nursery goes on from here         |
// | bytes[] | owner      | drainer        | through `written`; room is given back through `drained`             |
struct alignas(64) LogRingShm {
    std::atomic<std::uint64_t> written;
    alignas(64) std::atomic<std::uint64_t> drained;
    alignas(64) char bytes[LOG_RING_BYTES];
};

struct LogFrame {
    std::int32_t rank;
    std::int32_t importance;
    std::uint32_t flags;
    std::string text;
};

// What waits in a ring, as whoever writes it to files wants it.
struct LogBatch {
    struct Texts {
        std::int32_t rank;
        std::uint64_t records;
        std::string joined;
    };
    std::vector<Texts> texts;       // records without flags, by rank
    std::vector<LogFrame> flagged;  // the others, oldest first
    std::uint64_t position;         // behind them
    bool broken;                    // as peek() says
};

// A view of one process's ring.
// Thread/process safety: one thread of the owner appends, one thread of all processes drains.
class LogRing {
public:
    explicit LogRing(LogRingShm* shm) : m_shm(shm) {}

    // Appends a record whole, or returns false: there is no room for it now. Never blocks.
    bool try_append(std::int32_t rank, std::int32_t importance, std::uint32_t flags, std::string_view text);

    // Records that wait, oldest first, appended to `out`; they stay in the ring. Returns the position behind them.
    // A head that makes no sense, as a stage that writes past its arrays may leave it, ends the batch: what is behind
    // it is given up, and `*broken` set.
    std::uint64_t peek(std::vector<LogFrame>& out, bool* broken) const;

    // As peek(), the records of each rank together.
    LogBatch batch() const;

    // Gives the room of everything before `position` back.
    void commit(std::uint64_t position);

    // Bytes that wait.
    std::uint64_t waiting() const;

    // The memory behind it, for another view of the same ring.
    LogRingShm* shm() const { return m_shm; }

private:
    struct FrameHead;

    // Calls take(head, position of the text) for each record that waits, as peek() says.
    template <class Take>
    std::uint64_t walk(Take&& take, bool* broken) const;

    LogFrame frame(const FrameHead& head, std::uint64_t at) const;
    void put(std::uint64_t at, const void* data, std::size_t length);
    void get(std::uint64_t at, void* data, std::size_t length) const;

    LogRingShm* m_shm;
};

// Which places have been told of in this run: a warning comes once, whatever process meets it first.
// | field    | written by   | read by | order   | after owner death |
// |----------|--------------|---------|---------|-------------------|
// | places[] | who is first | all     | relaxed | stays             |
struct alignas(64) LogPlacesShm {
    std::atomic<std::uint64_t> places[LOG_PLACES];
};

// Notes a place, given as a hash; returns whether nobody has noted it before. A full table knows no further places.
bool first_at(LogPlacesShm& seen, std::uint64_t hash);

}  // namespace pex::sync
