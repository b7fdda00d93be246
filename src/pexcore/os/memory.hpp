// SPDX-License-Identifier: BSD-3-Clause
// Anonymous shared segments, page commitment, and a mark that a forked child can't mistake for its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>

namespace pex::os {

// Largest range handed to one fallocate: keeps a call short enough to be killed, and a failure cheap to undo.
inline constexpr std::uint64_t COMMIT_PIECE_BYTES = std::uint64_t{64} << 20;

// The unit in which the kernel hands out huge pages.
inline constexpr std::uint64_t HUGE_PAGE_BYTES = std::uint64_t{2} << 20;

std::uint64_t page_bytes() noexcept;

// True if the text of /sys/kernel/mm/transparent_hugepage/shmem_enabled lets a program ask for huge pages in
// shared memory: its chosen word, in brackets, is advise, within_size, always or force. Most machines say
// never.
bool grants_huge_pages(std::string_view setting) noexcept;

// Where the pages of a segment come from.
//   memfd      preferred: it can be sealed, has no name at any time, and is not limited by the size of
//              /dev/shm (64 MiB in a default container).
//   posix_shm  where memfd_create is refused (old kernels, strict seccomp filters): shm_open with a random
//              name, 0600, O_EXCL, unlinked before the call returns. Cannot be sealed.
enum class Backing : std::uint8_t { automatic, memfd, posix_shm };

struct SegmentConfig {
    std::string name;         // shown in /proc/<pid>/maps and in error texts; no uniqueness needed
    std::uint64_t bytes = 0;  // rounded up to pages; sparse: nothing is committed
    Backing backing = Backing::automatic;
    bool in_core_dumps = true;         // false: MADV_DONTDUMP, for a reserve too large to dump
    std::uint64_t expected_bytes = 0;  // how much of it will be committed; guards against a small /dev/shm
    // Huge pages are asked for from this offset on, if the machine grants them.
    std::uint64_t huge_from = ~std::uint64_t{0};
};

// One sparse shared mapping. Its file is in no directory, so that it vanishes with its last process,
// however that one ends.
// Lifetime: the mapping and the descriptor live as long as the object; forked children inherit both.
// Thread/process safety: all members may be called from any thread of any process that maps it.
class Segment {
  public:
    // Errors: Error (which step, size, errno, what to change). A failed construction leaves no kernel object.
    static Segment create(const SegmentConfig& config);

    // Maps a segment received from another process as a descriptor. Lifetime: takes ownership of `fd`, also
    // on error. config.bytes 0 takes the file's length as it is. Errors: Error if the file has another length
    // or can't be mapped.
    static Segment map(int fd, const SegmentConfig& config);

    Segment(Segment&& other) noexcept;
    Segment& operator=(Segment&& other) noexcept;
    ~Segment();

    std::byte* data() const noexcept { return m_data; }
    std::uint64_t bytes() const noexcept { return m_bytes; }
    int fd() const noexcept { return m_fd; }
    Backing backing() const noexcept { return m_backing; }
    // True if the kernel refuses any later change of the file's length.
    bool sealed() const noexcept { return m_sealed; }

    // What ranges that are committed at this offset should be multiples of: the kernel may hand out no less.
    std::uint64_t commit_unit(std::uint64_t offset) const noexcept {
        return offset >= m_huge_from ? HUGE_PAGE_BYTES : page_bytes();
    }

    // Backs [offset, offset + length) with pages, so that no later access can fault for want of memory.
    // Returns 0 or the errno (ENOSPC, ENOMEM); on failure some pages of the range may stay committed: punch
    // it. Interrupted calls are retried with smaller pieces, so that a profiler's timer can't stall it.
    // Blocks: while the kernel finds the pages (about 0.25 ms per MiB; with huge pages the sum of this and of
    // populate_write falls from 0.5 to 0.1).
    int commit(std::uint64_t offset, std::uint64_t length) const noexcept;

    // Gives the pages of [offset, offset + length) back; they read as zeros afterwards, in every process.
    // Returns 0 or the errno. Blocks: about 0.2 ms per MiB.
    int punch(std::uint64_t offset, std::uint64_t length) const noexcept;

    // Enters already committed pages into this process's page table in one go. Advice only: where the kernel
    // (before 5.14) doesn't know it, the pages are entered one fault at a time as they are touched.
    // populate_write is the quicker one for pages nobody has touched yet, populate_read for used ones.
    void populate_read(std::uint64_t offset, std::uint64_t length) const noexcept;
    void populate_write(std::uint64_t offset, std::uint64_t length) const noexcept;

    // In a forked child: writes no longer reach the file, and so no other process. What is read is the file's,
    // page by page until this process writes to the page. Every address stays valid. Returns 0 or the errno;
    // then the mapping is read-only, so that a write is a fault and not somebody else's damage.
    // One call whatever the size: a fork takes no page tables of a shared file along.
    int make_private() noexcept;
    // After make_private(): takes this process's own copy of [offset, offset + length) now and not at the first
    // write. Blocks: 0.4 ms per MiB.
    void copy_private(std::uint64_t offset, std::uint64_t length) const noexcept;
    // Undoes make_private(): private changes are forgotten. Returns 0 or the errno.
    int make_shared() noexcept;

    // Bytes of the file that have pages now. Errors: Error if fstat fails.
    std::uint64_t resident_bytes() const;

  private:
    Segment(int fd, const SegmentConfig& config, Backing backing, bool sealed);
    void release() noexcept;
    int commit_piece(std::uint64_t offset, std::uint64_t length) const noexcept;
    int map_again(int sharing) noexcept;

    std::byte* m_data = nullptr;
    std::uint64_t m_bytes = 0;
    std::uint64_t m_huge_from = ~std::uint64_t{0};
    int m_fd = -1;
    Backing m_backing = Backing::automatic;
    bool m_sealed = false;
    bool m_in_core_dumps = true;
};

// Knows whether the process that asks is the one that set it, without a system call: its page is wiped by
// fork. (Where the kernel can't wipe, it compares process ids.)
// Thread safety: set() must not race with anything; is_mine() may be called from any thread.
class ForkMark {
  public:
    ForkMark();
    ~ForkMark();
    ForkMark(const ForkMark&) = delete;
    ForkMark& operator=(const ForkMark&) = delete;

    void set() noexcept;
    bool is_mine() const noexcept;

  private:
    std::uint64_t* m_page = nullptr;
    bool m_wiped_by_fork = false;
};

// Zeroed private memory that costs nothing until touched: tables indexed by something sparse.
// Lifetime: freed with the object. Errors: std::bad_alloc.
template <class T>
class LazyTable {
  public:
    explicit LazyTable(std::size_t count);
    T& operator[](std::size_t index) noexcept { return m_items[index]; }
    const T& operator[](std::size_t index) const noexcept { return m_items[index]; }

  private:
    struct Free {
        void operator()(T* items) const noexcept { std::free(items); }  // NOLINT: partner of calloc
    };
    std::unique_ptr<T[], Free> m_items;
};

template <class T>
LazyTable<T>::LazyTable(std::size_t count) : m_items(static_cast<T*>(std::calloc(count, sizeof(T)))) {
    static_assert(std::is_trivially_destructible_v<T> && std::is_trivially_copyable_v<T>);
    if (!m_items) throw std::bad_alloc();
}

}  // namespace pex::os
