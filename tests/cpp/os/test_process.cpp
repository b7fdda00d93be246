// SPDX-License-Identifier: BSD-3-Clause
// Kinship of processes: everyone who is tied to the life pipe dies with it.
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include <sched.h>

#include <thread>

#include "check.hpp"
#include "os/process.hpp"

using namespace pex;

namespace {

constexpr unsigned GIVE_UP_S = 10;

// Forks a child that ties itself to the pipe, says so, and would then exit with 0 after a long while.
pid_t fork_tied(const int life[2], int said) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    close(life[1]);
    os::die_with_pipe(life[0]);
    [[maybe_unused]] const ssize_t written = write(said, "x", 1);
    sleep(GIVE_UP_S);
    _exit(0);
}

bool was_killed(pid_t pid) {
    int status = 0;
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

}  // namespace

PEX_TEST(every_fork_tied_to_the_life_pipe_dies_with_it) {
    int life[2];
    int said[2];
    PEX_CHECK(pipe(life) == 0 && pipe(said) == 0);
    pid_t children[3];
    for (pid_t& child : children) child = fork_tied(life, said[1]);
    char byte = 0;
    for (int i = 0; i < 3; ++i) PEX_CHECK_EQ(read(said[0], &byte, 1), ssize_t{1});
    close(life[1]);
    for (const pid_t child : children) PEX_CHECK(was_killed(child));
    close(life[0]);
    close(said[0]);
    close(said[1]);
}

PEX_TEST(who_ties_itself_to_a_life_pipe_that_has_ended_dies) {
    int life[2];
    PEX_CHECK(pipe(life) == 0);
    int ready[2];
    PEX_CHECK(pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(life[1]);
        char byte = 0;
        [[maybe_unused]] const ssize_t count = read(ready[0], &byte, 1);
        os::die_with_pipe(life[0]);
        sleep(GIVE_UP_S);
        _exit(0);
    }
    close(life[1]);
    PEX_CHECK_EQ(write(ready[1], "x", 1), ssize_t{1});
    PEX_CHECK(was_killed(child));
    close(life[0]);
    close(ready[0]);
    close(ready[1]);
}

PEX_TEST(a_child_that_was_reaped_elsewhere_is_gone_and_no_zombie) {
    int go[2];
    PEX_CHECK(pipe(go) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(go[1]);
        char byte = 0;
        [[maybe_unused]] const ssize_t count = read(go[0], &byte, 1);
        _exit(3);
    }
    const os::FileDescriptor pidfd = os::open_pidfd(child);
    PEX_CHECK(os::look_at_child(pidfd.get()) == os::ChildState::RUNS);
    close(go[1]);
    siginfo_t info{};
    PEX_CHECK_EQ(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    PEX_CHECK(os::look_at_child(pidfd.get()) == os::ChildState::ZOMBIE);
    PEX_CHECK_EQ(waitpid(child, nullptr, 0), child);
    PEX_CHECK(os::look_at_child(pidfd.get()) == os::ChildState::GONE);
    os::ExitStatus status;
    PEX_CHECK(os::reap(pidfd.get(), status));
    PEX_CHECK_EQ(status.code, -1);
    close(go[0]);
}

PEX_TEST(cores_that_may_be_used_are_those_of_the_calling_thread) {
    PEX_CHECK(os::usable_cores() >= 1);
    int pinned = 0;
    std::thread([&] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(sched_getcpu(), &one);
        if (sched_setaffinity(0, sizeof(one), &one) == 0) pinned = os::usable_cores();
    }).join();
    PEX_CHECK_EQ(pinned, 1);
}
