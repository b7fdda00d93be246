// SPDX-License-Identifier: BSD-3-Clause
// System calls behind process.hpp.
#include "os/process.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.hpp"
#include "os/error.hpp"
#include "os/fault_point.hpp"

namespace pex::os {

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
        reset();
        m_fd = other.release();
    }
    return *this;
}

int FileDescriptor::release() {
    const int fd = m_fd;
    m_fd = -1;
    return fd;
}

void FileDescriptor::reset() {
    if (m_fd >= 0) close(m_fd);
    m_fd = -1;
}

void set_child_subreaper(bool on) {
    if (prctl(PR_SET_CHILD_SUBREAPER, on ? 1UL : 0UL, 0UL, 0UL, 0UL) != 0)
        throw Error({"becoming the reaper of the workers", "prctl", "PR_SET_CHILD_SUBREAPER"}, errno);
}

bool die_with_parent(pid_t parent, int timeout_ms) {
    const std::uint64_t deadline = now_ns() + static_cast<std::uint64_t>(timeout_ms) * 1'000'000u;
    if (!defended("die with parent")) return true;
    while (getppid() != parent) {
        if (now_ns() > deadline) return false;
        pause_ns(50'000);
    }
    if (prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(SIGKILL), 0UL, 0UL, 0UL) != 0)
        throw Error({"tying a worker to its master", "prctl", "PR_SET_PDEATHSIG"}, errno);
    // The parent may have died between the first look and the request: nothing would ever be sent.
    return getppid() == parent;
}

void die_with_pipe(int read_fd) {
    if (!defended("die with pipe")) return;
    const auto fail = [](const char* call, const char* object) {
        throw Error({"tying a worker to the life pipe", call, object}, errno);
    };
    // Owner and signal belong to the open file, which forks share: without one of its own, every worker would
    // take the signal away from the one before.
    const FileDescriptor own(open(("/proc/self/fd/" + std::to_string(read_fd)).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!own) fail("open", "/proc/self/fd");
    if (fcntl(own.get(), F_SETOWN, getpid()) != 0) fail("fcntl", "F_SETOWN");
    if (fcntl(own.get(), F_SETSIG, SIGKILL) != 0) fail("fcntl", "F_SETSIG");
    const int flags = fcntl(own.get(), F_GETFL);
    if (flags < 0 || fcntl(own.get(), F_SETFL, flags | O_ASYNC) != 0) fail("fcntl", "O_ASYNC");
    // Takes the place of the inherited descriptor, so that it stays open for as long as that would have.
    if (dup3(own.get(), read_fd, O_CLOEXEC) < 0) fail("dup3", "life pipe");
    // The last writer may have gone before the request: nothing would ever be sent.
    pollfd look{read_fd, POLLIN, 0};
    if (poll(&look, 1, 0) > 0 && (look.revents & POLLHUP) != 0) kill(getpid(), SIGKILL);
}

FileDescriptor open_pidfd(pid_t pid) {
    const long fd = syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) throw Error({"watching a process", "pidfd_open", "process " + std::to_string(pid)}, errno);
    return FileDescriptor(static_cast<int>(fd));
}

namespace {
constexpr auto PIDFD_ID = static_cast<idtype_t>(3);  // P_PIDFD; older C libraries lack the name
}

ChildState look_at_child(int pidfd) {
    siginfo_t info{};
    const int failed = waitid(PIDFD_ID, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | WNOWAIT);
    if (failed != 0) return ChildState::GONE;
    return info.si_pid != 0 ? ChildState::ZOMBIE : ChildState::RUNS;
}

bool reap(int pidfd, ExitStatus& status) {
    siginfo_t info{};
    if (waitid(PIDFD_ID, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) != 0) {
        // Somebody else in this process reaped it (a stage that calls os.wait, say): its status is lost.
        status = {false, -1};
        return true;
    }
    if (info.si_pid == 0) return false;
    status = {info.si_code != CLD_EXITED, info.si_status};
    return true;
}

void kill_group(pid_t leader) {
    if (leader <= 1) return;
    // Before the worker has made its own group the group does not exist; the second call covers that moment.
    kill(-leader, SIGKILL);
    kill(leader, SIGKILL);
}

namespace {

// A file of the kernel's, as far as it can be read.
std::string read_text(const std::string& path) {
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char piece[4096];
    ssize_t count = 0;
    while (file && (count = read(file.get(), piece, sizeof piece)) > 0) text.append(piece, static_cast<std::size_t>(count));
    return text;
}

void add_children(const std::string& thread, std::vector<pid_t>& found) {
    const std::string text = read_text("/proc/self/task/" + thread + "/children");
    const char* at = text.c_str();
    char* end = nullptr;
    for (long pid = std::strtol(at, &end, 10); end != at; pid = std::strtol(at, &end, 10)) {
        found.push_back(static_cast<pid_t>(pid));
        at = end;
    }
}

}  // namespace

std::vector<pid_t> children() {
    std::vector<pid_t> found;
    DIR* const threads = opendir("/proc/self/task");
    if (threads == nullptr) return found;
    while (const dirent* entry = readdir(threads))
        if (entry->d_name[0] != '.') add_children(entry->d_name, found);
    closedir(threads);
    return found;
}

void end_children(std::string_view spared, std::uint64_t deadline_ns) noexcept {
    try {
        for (;;) {
            bool is_any_left = false;
            for (const pid_t pid : children()) {
                if (read_text("/proc/" + std::to_string(pid) + "/cmdline").find(spared) != std::string::npos) continue;
                is_any_left = true;
                kill(pid, SIGKILL);
                // What it leaves behind is this process's from now on.
                waitpid(pid, nullptr, WNOHANG);
            }
            if (!is_any_left || now_ns() > deadline_ns) return;
            pause_ns(200'000);
        }
    } catch (const std::exception&) {
        // Without memory for the list there is nothing left to do: whoever asks for this is about to exit.
    }
}

int usable_cores() {
    cpu_set_t cores;
    // More cores than the set has room for are told by the system as a whole.
    if (sched_getaffinity(0, sizeof(cores), &cores) == 0) return CPU_COUNT(&cores);
    return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace pex::os
