// SPDX-License-Identifier: BSD-3-Clause
// Each defence of the rendezvous and of the process tree is taken away: what it guards against is then seen to happen.
#include <poll.h>

#include "cast.hpp"
#include "os/process.hpp"

using namespace cast;

namespace {

constexpr int LONG_MS = 30'000;  // for what must happen, on however slow a machine
constexpr int SHORT_MS = 1'500;  // for what can't

// What became of a run in a process of its own.
struct Seen {
    bool ended = false;  // in time, with all visits done
    std::uint32_t ghosts = 0;
};

Seen play(const char* point, int signal, const char* without, int timeout_ms, bool stops_the_fresh = false,
          bool others_wait = false) {
    prepare(point, signal, without);
    shared->others_wait.store(others_wait ? 1 : 0);
    const pid_t pid = fork();
    if (pid == 0) {
        bool done = false;
        {
            Master master;
            master.stops_the_fresh = stops_the_fresh;
            const std::uint64_t limit_ns = signal == SIGSTOP ? 200'000'000 : 0;
            done = master.play(limit_ns).end == loop::LoopEnd::VISITS_DONE && master.ended == VISITS;
        }
        _exit(done ? 0 : 1);
    }
    const os::FileDescriptor pidfd = os::open_pidfd(pid);
    pollfd look{pidfd.get(), POLLIN, 0};
    const bool in_time = poll(&look, 1, timeout_ms) == 1;
    if (!in_time) kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    if (!in_time) kill_workers();
    os::removed_defence = nullptr;
    PEX_CHECK_EQ(shared->fired.load(), 1);
    return {in_time && WIFEXITED(status) && WEXITSTATUS(status) == 0, shared->ghosts.load()};
}

// Whether a process that `body` runs in, and all that it forks, end within the time once `end` was called.
template <class Body>
bool all_end(const char* without, int timeout_ms, Body body) {
    prepare("", SIGKILL, without);
    int last_words[2];
    PEX_CHECK_EQ(pipe(last_words), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        close(last_words[0]);
        body();
        _exit(0);
    }
    close(last_words[1]);
    int status = 0;
    waitpid(pid, &status, 0);
    pollfd look{last_words[0], POLLIN, 0};
    const bool ended = poll(&look, 1, timeout_ms) == 1;
    close(last_words[0]);
    if (!ended) kill_workers();
    os::removed_defence = nullptr;
    return ended;
}

void note_pid(unsigned place) { shared->pids[place].store(getpid()); }

}  // namespace

PEX_TEST(without_asking_again_a_step_that_was_taken_by_the_dead_is_run_by_nobody) {
    PEX_CHECK(play("worker: took", SIGKILL, nullptr, LONG_MS).ended);
    PEX_CHECK(!play("worker: took", SIGKILL, "revoke: asks again", SHORT_MS).ended);
}

PEX_TEST(without_the_flag_that_makes_everybody_ring_the_last_arrival_after_a_death_is_not_heard) {
    PEX_CHECK(play("worker: arrived", SIGKILL, nullptr, LONG_MS, false, true).ended);
    PEX_CHECK(!play("worker: arrived", SIGKILL, "death: ring always", SHORT_MS, false, true).ended);
}

PEX_TEST(without_the_comparison_the_arrival_of_one_who_was_replaced_goes_through) {
    const Seen defended = play("worker: ran", SIGSTOP, nullptr, LONG_MS);
    PEX_CHECK(defended.ended);
    PEX_CHECK_EQ(defended.ghosts, 0u);
    PEX_CHECK_EQ(play("worker: ran", SIGSTOP, "arrive: compare", LONG_MS).ghosts, 1u);
}

PEX_TEST(without_incarnations_one_who_was_replaced_goes_on_working) {
    const Seen defended = play("worker: counted", SIGSTOP, nullptr, LONG_MS, true);
    PEX_CHECK(defended.ended);
    PEX_CHECK_EQ(defended.ghosts, 0u);
    PEX_CHECK(play("worker: counted", SIGSTOP, "take: incarnation", LONG_MS, true).ghosts > 0);
}

PEX_TEST(without_the_life_pipe_workers_outlive_their_master) {
    const auto body = [] {
        Master master;
        if (pipe(master.life_pipe) != 0) _exit(2);
        may_die = true;
        shared->point.store("master: released");
        shared->armed.store(1);
        master.play();
    };
    PEX_CHECK(all_end(nullptr, LONG_MS, body));
    PEX_CHECK(!all_end("die with pipe", SHORT_MS, body));
}

PEX_TEST(without_the_parent_s_death_signal_a_child_outlives_its_parent) {
    const auto body = [] {
        int armed[2];
        if (pipe(armed) != 0) _exit(2);
        const pid_t parent = getpid();
        if (fork() == 0) {
            note_pid(0);
            if (!os::die_with_parent(parent, 5000)) _exit(1);
            close(armed[0]);
            close(armed[1]);
            pause();
        }
        close(armed[1]);
        char byte = 0;
        // Its end says that the child has asked for the signal.
        [[maybe_unused]] const ssize_t count = read(armed[0], &byte, 1);
        kill(getpid(), SIGKILL);
    };
    PEX_CHECK(all_end(nullptr, LONG_MS, body));
    PEX_CHECK(!all_end("die with parent", SHORT_MS, body));
}

PEX_TEST(without_the_end_of_the_group_what_a_dead_worker_forked_goes_on) {
    const auto body = [] {
        const std::size_t size = sync::RunState::bytes_for(SHAPE);
        sync::RunState state({static_cast<std::byte*>(map_shared(size)), size}, SHAPE);
        sync::Watcher watcher(state);
        watcher.start();
        int forked[2];
        if (pipe(forked) != 0) _exit(2);
        const pid_t worker = fork();
        if (worker == 0) {
            setpgid(0, 0);
            if (fork() == 0) {
                note_pid(0);
                close(forked[0]);
                close(forked[1]);
                pause();
            }
            close(forked[1]);
            pause();
        }
        close(forked[1]);
        char byte = 0;
        [[maybe_unused]] const ssize_t count = read(forked[0], &byte, 1);
        watcher.watch(1, worker);
        kill(worker, SIGKILL);
        while (watcher.alive_count() != 0) os::pause_ns(1'000'000);
        watcher.stop();
    };
    PEX_CHECK(all_end(nullptr, LONG_MS, body));
    PEX_CHECK(!all_end("death: kill the group", SHORT_MS, body));
}
