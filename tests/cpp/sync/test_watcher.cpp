// SPDX-License-Identifier: BSD-3-Clause
// The watcher sees every death, tells orderly ends from others, and rings the master.
#include <csignal>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "check.hpp"
#include "os/clock.hpp"
#include "sync/stop_ladder.hpp"
#include "sync/watcher.hpp"

using namespace pex;
using namespace pex::sync;

namespace {

constexpr RunShape SHAPE{2, 2, 1};

struct SharedArea {
    SharedArea()
        : size(RunState::bytes_for(SHAPE)),
          base(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
    ~SharedArea() { munmap(base, size); }
    std::span<std::byte> bytes() { return {static_cast<std::byte*>(base), size}; }
    std::size_t size;
    void* base;
};

template <class Body>
pid_t fork_child(Body body) {
    const pid_t pid = fork();
    if (pid == 0) {
        body();
        _exit(99);
    }
    return pid;
}

bool wait_for_deaths(Watcher& watcher, RunState& state, std::uint32_t count) {
    return wait_for(state.door(MASTER_PROCESS), {}, os::now_ns() + 10'000'000'000u,
                    [&] { return watcher.death_count() >= count; }) == WaitOutcome::READY;
}

}  // namespace

PEX_TEST(a_killed_worker_is_noted_with_its_signal) {
    SharedArea area;
    RunState state(area.bytes(), SHAPE);
    const pid_t pid = fork_child([] { pause(); });
    Watcher sut(state);
    sut.start();
    sut.watch(1, pid);
    PEX_CHECK_EQ(sut.alive_count(), 1u);
    kill(pid, SIGKILL);
    PEX_CHECK(wait_for_deaths(sut, state, 1));
    const auto death = sut.take_death();
    PEX_CHECK(death.has_value());
    PEX_CHECK_EQ(death->process, std::uint16_t{1});
    PEX_CHECK(death->status.signalled);
    PEX_CHECK_EQ(death->status.code, SIGKILL);
    PEX_CHECK(!death->orderly);
    PEX_CHECK(!sut.take_death().has_value());
    PEX_CHECK_EQ(sut.alive_count(), 0u);
    PEX_CHECK_EQ(waitpid(pid, nullptr, WNOHANG), -1);  // reaped
}

PEX_TEST(only_an_exit_from_the_leaving_state_is_orderly) {
    SharedArea area;
    RunState state(area.bytes(), SHAPE);
    const pid_t leaver = fork_child([&] {
        state.process(1).state.store(ProcessState::LEAVING);
        _exit(0);
    });
    const pid_t deserter = fork_child([&] {
        state.process(2).state.store(ProcessState::WORKING);
        _exit(0);
    });
    Watcher sut(state);
    sut.start();
    sut.watch(1, leaver);
    sut.watch(2, deserter);
    PEX_CHECK(wait_for_deaths(sut, state, 2));
    for (int i = 0; i < 2; ++i) {
        const auto death = sut.take_death();
        PEX_CHECK(death.has_value());
        PEX_CHECK_EQ(death->orderly, death->process == 1);
    }
}

PEX_TEST(the_end_of_the_nursery_is_noted_but_not_counted) {
    SharedArea area;
    RunState state(area.bytes(), SHAPE);
    Watcher sut(state);
    sut.start();
    sut.watch(NURSERY_PROCESS, fork_child([] { _exit(3); }));
    PEX_CHECK(wait_for(state.door(MASTER_PROCESS), {}, os::now_ns() + 10'000'000'000u,
                       [&] { return sut.alive_count() == 0; }) == WaitOutcome::READY);
    PEX_CHECK_EQ(sut.death_count(), 0u);
    const auto death = sut.take_death();
    PEX_CHECK(death.has_value());
    PEX_CHECK_EQ(death->status.code, 3);
}

PEX_TEST(kill_all_ends_whole_groups) {
    SharedArea area;
    RunState state(area.bytes(), SHAPE);
    int ends[2];
    PEX_CHECK_EQ(pipe(ends), 0);
    const pid_t pid = fork_child([&] {
        setpgid(0, 0);
        if (fork() == 0) pause();  // a grandchild that holds the pipe open
        [[maybe_unused]] const ssize_t told = write(ends[1], "x", 1);
        pause();
    });
    char byte = 0;
    PEX_CHECK_EQ(read(ends[0], &byte, 1), ssize_t{1});
    close(ends[1]);
    Watcher sut(state);
    sut.start();
    sut.watch(1, pid);
    sut.kill_all();
    PEX_CHECK(wait_for_deaths(sut, state, 1));
    PEX_CHECK_EQ(read(ends[0], &byte, 1), ssize_t{0});  // end of file: the grandchild is gone too
    close(ends[0]);
}

PEX_TEST(a_fork_that_drops_its_copy_leaves_the_watcher_of_its_parent_alone) {
    SharedArea area;
    RunState state(area.bytes(), SHAPE);
    const pid_t pid = fork_child([] { pause(); });
    auto sut = std::make_unique<Watcher>(state);
    sut->start();
    sut->watch(1, pid);
    const pid_t fork = fork_child([&] {
        alarm(10);  // a copy that waits for a thread it lacks never ends
        sut.reset();
        _exit(0);
    });
    int status = -1;
    PEX_CHECK_EQ(waitpid(fork, &status, 0), fork);
    PEX_CHECK_EQ(status, 0);
    kill(pid, SIGKILL);
    PEX_CHECK(wait_for_deaths(*sut, state, 1));
}

PEX_TEST(a_signal_byte_wakes_the_master) {
    SharedArea area;
    RunState state(area.bytes(), SHAPE);
    Watcher sut(state);
    sut.start();
    PEX_CHECK(!sut.signalled());
    const unsigned char number = SIGINT;
    PEX_CHECK_EQ(write(sut.wakeup_fd(), &number, 1), ssize_t{1});
    PEX_CHECK(wait_for(state.door(MASTER_PROCESS), {}, os::now_ns() + 10'000'000'000u,
                       [&] { return sut.signalled(); }) == WaitOutcome::READY);
}

namespace {

volatile sig_atomic_t g_interrupted = 0;

// How a process ends that makes one call of stage 1, which has 100 ms, and does what `stage(watcher)` does meanwhile.
int end_of_call(bool may_interrupt, void (*stage)(Watcher&)) {
    const pid_t pid = fork();
    if (pid == 0) {
        signal(SIGTERM, [](int) { g_interrupted = 1; });
        SharedArea area;
        RunState state(area.bytes(), SHAPE);
        Watcher sut(state);
        sut.set_hard_stop(100'000'000, "", 0);
        SerialLimits limits;
        limits.by_stage_ns = {0, 100'000'000, 0};
        limits.names = {"", "stage", "other"};
        limits.exit_code = 3;
        sut.set_serial_limits(std::move(limits));
        sut.start();
        sut.set_interrupts(may_interrupt);
        stage(sut);
        const auto call = sut.late_call();
        if (call && (call->visit != 7 || call->stage != 1 || call->half != SerialHalf::POSTPROCESS)) _exit(98);
        sut.disarm_hard_stop();
        _exit(call && g_interrupted != 0 ? 1 : call || g_interrupted != 0 ? 99 : 0);
    }
    int status = -1;
    PEX_CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void run_for(std::uint64_t ns) {
    const std::uint64_t until = os::now_ns() + ns;
    while (os::now_ns() < until && g_interrupted == 0) usleep(1000);
}

}  // namespace

PEX_TEST(a_call_that_takes_too_long_is_interrupted) {
    PEX_CHECK_EQ(end_of_call(true, [](Watcher& sut) {
        sut.begin_call({7, 1, SerialHalf::POSTPROCESS});
        run_for(20'000'000'000u);
        sut.end_call();
    }), 1);
}

PEX_TEST(a_call_that_cannot_be_interrupted_ends_its_process) {
    PEX_CHECK_EQ(end_of_call(true, [](Watcher& sut) {
        sut.begin_call({7, 1, SerialHalf::POSTPROCESS});
        const std::uint64_t until = os::now_ns() + 20'000'000'000u;
        while (os::now_ns() < until) usleep(1000);
    }), 3);
}

PEX_TEST(calls_in_time_calls_without_a_limit_and_those_that_nobody_may_interrupt_are_left_alone) {
    PEX_CHECK_EQ(end_of_call(true, [](Watcher& sut) {
        for (std::uint32_t visit = 1; visit < 50; ++visit) {
            sut.begin_call({visit, 1, SerialHalf::POSTPROCESS});
            usleep(5000);
            sut.end_call();
        }
    }), 0);
    PEX_CHECK_EQ(end_of_call(true, [](Watcher& sut) {
        sut.begin_call({7, 2, SerialHalf::POSTPROCESS});
        run_for(300'000'000u);
    }), 0);
    PEX_CHECK_EQ(end_of_call(false, [](Watcher& sut) {
        sut.begin_call({7, 1, SerialHalf::POSTPROCESS});
        run_for(300'000'000u);
    }), 0);
}

PEX_TEST(the_first_signals_ask_for_an_orderly_end_and_the_last_for_one_at_once) {
    PEX_CHECK_EQ(next_stop_level(0, SIGINT), 4);
    PEX_CHECK_EQ(next_stop_level(4, SIGINT), 2);
    PEX_CHECK_EQ(next_stop_level(3, SIGINT), 2);
    PEX_CHECK_EQ(next_stop_level(2, SIGINT), 1);
    PEX_CHECK_EQ(next_stop_level(1, SIGINT), 1);
    for (const int number : {SIGTERM, SIGHUP}) {
        PEX_CHECK_EQ(next_stop_level(0, number), 2);
        PEX_CHECK_EQ(next_stop_level(4, number), 2);
        PEX_CHECK_EQ(next_stop_level(2, number), 1);
    }
}

PEX_TEST(a_master_that_is_stuck_is_ended_after_the_signal_that_asks_for_it_and_not_before) {
    constexpr int AT_ONCE = 137;
    struct Case {
        std::vector<unsigned char> signals;
        int code;  // 0: it lives on
    };
    const std::vector<Case> cases = {
        {{SIGINT, SIGINT}, 0},         {{SIGINT, SIGINT, SIGINT}, 128 + SIGINT}, {{SIGTERM}, 0},
        {{SIGTERM, SIGTERM}, 128 + SIGTERM}, {{SIGINT, SIGTERM, SIGHUP}, 128 + SIGHUP},
        {{STOP_AT_ONCE}, AT_ONCE},           {{STOP_AT_ONCE, SIGTERM}, AT_ONCE},
        {{SIGINT, STOP_AT_ONCE}, AT_ONCE},   {{SIGTERM, SIGTERM, STOP_AT_ONCE}, 128 + SIGTERM},
        {{SIGTERM, SIGTERM, SIGINT}, 128 + SIGTERM}, {{SIGCHLD, SIGCHLD, SIGCHLD}, 0},
    };
    for (const Case& item : cases) {
        const pid_t pid = fork();
        if (pid == 0) {
            SharedArea area;
            RunState state(area.bytes(), SHAPE);
            Watcher sut(state);
            sut.set_hard_stop(50'000'000, "", AT_ONCE);
            sut.begin_call({1, 1, SerialHalf::PREPROCESS});
            sut.start();
            for (const unsigned char number : item.signals) {
                if (write(sut.wakeup_fd(), &number, 1) != 1) _exit(99);
            }
            const std::uint64_t enough = os::now_ns() + (item.code == 0 ? 150'000'000u : 20'000'000'000u);
            while (os::now_ns() < enough) usleep(1000);
            _exit(0);
        }
        int status = -1;
        PEX_CHECK_EQ(waitpid(pid, &status, 0), pid);
        PEX_CHECK(WIFEXITED(status));
        PEX_CHECK_EQ(WEXITSTATUS(status), item.code);
    }
}

PEX_TEST(a_master_that_no_stage_holds_is_waited_for_longer) {
    const pid_t pid = fork();
    if (pid == 0) {
        SharedArea area;
        RunState state(area.bytes(), SHAPE);
        Watcher sut(state);
        sut.set_hard_stop(50'000'000, "", 0);
        sut.begin_call({1, 1, SerialHalf::PREPROCESS});
        sut.end_call();
        sut.start();
        if (write(sut.wakeup_fd(), &STOP_AT_ONCE, 1) != 1) _exit(99);
        usleep(400'000);
        sut.disarm_hard_stop();
        _exit(7);
    }
    int status = -1;
    PEX_CHECK_EQ(waitpid(pid, &status, 0), pid);
    PEX_CHECK(WIFEXITED(status));
    PEX_CHECK_EQ(WEXITSTATUS(status), 7);
}
