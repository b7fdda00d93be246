// SPDX-License-Identifier: BSD-3-Clause
// What the arena's tests share: small arenas, forked children, and the state every test must leave behind.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "check.hpp"
#include "shm/arena.hpp"

namespace support {

using namespace pex::shm;

inline constexpr std::uint64_t KIB = 1024;
inline constexpr std::uint64_t MIB = KIB * KIB;
inline constexpr ProcessSlot MASTER{0};

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// A machine without any shortage of memory.
inline pex::os::Headroom plenty() { return {std::uint64_t{1} << 50, std::uint64_t{1} << 50, "test"}; }

inline ArenaConfig config_of(std::uint64_t arena_bytes) {
    ArenaConfig config;
    config.arena_bytes = arena_bytes;
    config.application_bytes = 4096;
    config.headroom = plenty;
    return config;
}

inline std::unique_ptr<Arena> attached_arena(std::uint64_t arena_bytes) {
    auto arena = Arena::create(config_of(arena_bytes));
    arena->attach(MASTER);
    return arena;
}

// True, after saying so, in a build where a test would take minutes and the race detector can see nothing of
// it.
inline bool skip_under_thread_sanitizer([[maybe_unused]] const char* reason) {
#ifdef __SANITIZE_THREAD__
    std::cout << "skip  under the thread sanitizer: " << reason << std::endl;
    return true;
#else
    return false;
#endif
}

// True, after saying so, in a build where a long test would take minutes, and in which nothing of the core runs.
inline bool skip_under_sanitizers([[maybe_unused]] const char* reason) {
#ifdef __SANITIZE_ADDRESS__
    std::cout << "skip  under the address sanitizer: " << reason << std::endl;
    return true;
#else
    return skip_under_thread_sanitizer(reason);
#endif
}

// Runs body in a forked child, which ends with the number of failed checks.
template <class Body>
pid_t fork_child(Body body) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    const int before = check::failures();
    try {
        body();
    } catch (const std::exception& error) {
        std::cerr << "child threw: " << error.what() << "\n";
        ++check::failures();
    }
    ::_exit(check::failures() - before > 100 ? 100 : check::failures() - before);
}

// Waits for a child and returns its wait status.
inline int reap(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

inline void reap_and_check(pid_t pid) {
    const int status = reap(pid);
    PEX_CHECK(WIFEXITED(status));
    PEX_CHECK_EQ(WEXITSTATUS(status), 0);
}

// After everybody let go: nothing is live or in transition, and the account equals the headers and the
// kernel's count.
inline void check_all_free(const Arena& arena) {
    const ArenaStats stats = arena.stats();
    PEX_CHECK_EQ(stats.live_blocks, 0U);
    PEX_CHECK_EQ(stats.busy_blocks, 0U);
    PEX_CHECK_EQ(stats.committed_bytes, stats.counted_bytes);
    PEX_CHECK_EQ(stats.committed_bytes, stats.warm_bytes);
    PEX_CHECK_EQ(arena.pixel_segment().resident_bytes(), stats.committed_bytes);
}

// A block's own reference at both of its ends, to be found unharmed as long as somebody holds the block.
inline std::uint64_t* first_word(const Arena& arena, BlockRef ref) {
    return reinterpret_cast<std::uint64_t*>(arena.data(ref));
}
inline std::uint64_t* last_word(const Arena& arena, BlockRef ref) {
    return reinterpret_cast<std::uint64_t*>(arena.data(ref) + arena.capacity(ref)) - 1;
}
inline void mark(const Arena& arena, BlockRef ref) {
    *first_word(arena, ref) = *last_word(arena, ref) = ref.packed();
}
inline bool is_marked(const Arena& arena, BlockRef ref) {
    return *first_word(arena, ref) == ref.packed() && *last_word(arena, ref) == ref.packed();
}

}  // namespace support
