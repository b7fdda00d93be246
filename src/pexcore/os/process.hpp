// SPDX-License-Identifier: BSD-3-Clause
// Process identity and kinship: subreaper, parent-death signal, life pipe, pidfds, groups.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace pex::os {

// How a process ended, as waitid reports it.
struct ExitStatus {
    bool signalled = false;
    int code = 0;  // exit code, or the number of the signal
};

// Owns a file descriptor. Not copyable.
class FileDescriptor {
public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : m_fd(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : m_fd(other.release()) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept;
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor() { reset(); }

    int get() const { return m_fd; }
    explicit operator bool() const { return m_fd >= 0; }
    int release();
    void reset();

private:
    int m_fd = -1;
};

// Makes the calling process adopt orphaned descendants, or stops it. Throws os::Error.
void set_child_subreaper(bool on);

// Waits until `parent` is the parent of the caller, then asks for SIGKILL when it dies, and checks again.
// A parent-death signal follows the parent at the time of the call, so it must not be armed before the
// intermediate process of a double fork is gone. Blocks up to timeout_ms. Returns false if `parent` never was.
bool die_with_parent(pid_t parent, int timeout_ms);

// Asks for SIGKILL when the last write end of the pipe behind `read_fd` closes, or has closed already. Any number of
// forks may ask; `read_fd` must stay open. Throws os::Error.
void die_with_pipe(int read_fd);

// Opens a descriptor that becomes readable when `pid`, a child of the caller, ends. Throws os::Error.
FileDescriptor open_pidfd(pid_t pid);

enum class ChildState {
    RUNS,
    ZOMBIE,  // has ended and was not reaped: its number stays taken
    GONE,    // somebody else in this process reaped it: its number may be another's
};

// How the child behind `pidfd` is; leaves it as it is. Never blocks, never throws.
ChildState look_at_child(int pidfd);

// Reaps the ended child behind `pidfd`. Returns false while it runs. Never blocks, never throws: when somebody
// else reaped it first the status is lost, and its code reads -1.
bool reap(int pidfd, ExitStatus& status);

// Sends SIGKILL to every process of the group led by `leader`, and to `leader` itself. Never blocks.
// The leader must not have been reaped, so that its number can't belong to somebody else.
void kill_group(pid_t leader);

// The children of this process, zombies included, whichever of its threads has started them. Empty where the kernel does
// not tell.
std::vector<pid_t> children();

// Sends SIGKILL to the children of this process, and to what these leave to it, and reaps them, until none is left or the
// deadline (CLOCK_MONOTONIC) has passed. A child whose command line names `spared` lives on. Never throws.
void end_children(std::string_view spared, std::uint64_t deadline_ns) noexcept;

// How many cores the calling thread may run on, at least 1. Never throws.
int usable_cores();

}  // namespace pex::os
