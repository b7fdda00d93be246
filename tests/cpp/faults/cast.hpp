// SPDX-License-Identifier: BSD-3-Clause
// A small run of real processes, for tests that kill, stop and revive them at fault points.
#pragma once

#include <atomic>
#include <csignal>
#include <cstring>
#include <span>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"
#include "loop/master_loop.hpp"
#include "loop/worker_loop.hpp"
#include "os/clock.hpp"
#include "os/fault_point.hpp"

namespace cast {

using namespace pex;

inline constexpr sync::RunShape SHAPE{3, 2, 2, 0};
inline constexpr std::uint32_t VISITS = 4;
inline constexpr std::uint32_t STEPS = 3;  // two stages and the close
inline constexpr std::uint32_t RANK = 1;   // whose worker has the accident, in visit 2, step 1 if not told otherwise
inline constexpr std::uint16_t VICTIM = 2;

// What the processes of a case share.
struct Shared {
    std::atomic<const char*> point;  // a literal: in forks of one program it has the same address
    std::atomic<int> signal;
    std::atomic<int> armed;
    std::atomic<int> fired;
    std::atomic<int> replaced;
    std::atomic<int> others_wait;  // until the death was handled
    std::atomic<std::uint16_t> step;
    std::atomic<std::uint32_t> runs;
    std::atomic<std::uint32_t> ghosts;  // steps that a worker ran, and arrivals that went through, after it was replaced
    std::atomic<pid_t> pids[16];
    std::atomic<unsigned> born;
};

inline void* map_shared(std::size_t size) {
    return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

inline Shared* shared = nullptr;
inline bool may_die = false;       // in this process
inline bool is_first = false;      // the victim, and not its replacement
inline bool acts_as_ghost() { return is_first && shared->replaced.load() != 0; }

class Master;
inline Master* conductor = nullptr;  // in the process of a master that wants to know when it has released
inline void after_release();

inline void meet_fault(const char* name) {
    if (conductor != nullptr && std::strcmp(name, "master: released") == 0) after_release();
    if (acts_as_ghost() && std::strcmp(name, "worker: arrived") == 0) shared->ghosts.fetch_add(1);
    if (!may_die || std::strcmp(name, shared->point.load()) != 0 || shared->armed.load() == 0) return;
    if (shared->signal.load() == SIGSTOP && !is_first) return;
    if (shared->fired.exchange(1) == 0) kill(getpid(), shared->signal.load());
}

inline void prepare(const char* point, int signal = SIGKILL, const char* without = nullptr) {
    if (shared == nullptr) shared = new (map_shared(sizeof(Shared))) Shared{};
    else std::memset(static_cast<void*>(shared), 0, sizeof(Shared));
    shared->point.store(point);
    shared->step.store(1);
    shared->signal.store(signal);
    os::fault_hook = meet_fault;
    os::removed_defence = without;
}

class Worker final : public loop::WorkerHooks {
public:
    std::uint8_t run_step(const loop::Task& task, std::uint16_t step, bool) override {
        shared->runs.fetch_add(1);
        if (acts_as_ghost()) shared->ghosts.fetch_add(1);
        const bool is_place = task.visit == 2 && step == shared->step.load();
        if (task.rank == RANK && is_place) shared->armed.store(1);
        if (task.rank != RANK && is_place && shared->others_wait.load() != 0) {
            while (shared->replaced.load() == 0) os::pause_ns(1'000'000);
            os::pause_ns(100'000'000);  // the master sleeps again
        }
        return sync::OUTCOME_OK;
    }
    void check_signals() override {}
};

// The master of a case, and the one who makes its workers. Workers outlive it unless `life_pipe` is open.
class Master final : public loop::MasterHooks {
public:
    explicit Master(bool balances = false)
        : m_size(sync::RunState::bytes_for(SHAPE)), m_area(map_shared(m_size)), state(bytes(), SHAPE), watcher(state) {
        if (balances) state.head().balances.store(1);
    }
    ~Master() override {
        watcher.kill_all();
        watcher.stop();
        munmap(m_area, m_size);
    }

    loop::LoopResult play(std::uint64_t limit_ns = 0) {
        watcher.start();
        for (std::uint16_t process = 1; process <= SHAPE.workers; ++process) bear(process, 0);
        loop::ScheduleInput input{{"one", "two"}, true, VISITS};
        if (has_legs) {
            input.exchanges = {{std::uint16_t{2}, "ring"}};
            input.ready = {2};
            input.neighbours = {{1, 2}, {0, 2}, {0, 1}};
        }
        const loop::Schedule schedule = loop::Schedule::compile(input);
        loop::Traffic traffic;
        loop::MasterLoop master(schedule, state, watcher, traffic, {20'000, 20'000});
        if (limit_ns != 0) master.set_limits({0, limit_ns, limit_ns, limit_ns});
        return master.run(*this);
    }

    void slices_ready() override {}
    bool admits() override { return true; }
    void turn_to(std::uint16_t, std::uint32_t) override {}
    void begin_visit(std::uint32_t visit) override {
        if (visit != 3 || !stops_the_fresh) return;
        // The one who was replaced is to be the first to see what is released next.
        kill(m_fresh, SIGSTOP);
        conductor = this;
    }
    void released() {
        conductor = nullptr;
        kill(m_first, SIGCONT);
    }
    std::uint8_t preprocess(std::uint16_t) override { return sync::OUTCOME_OK; }
    void publish(std::uint16_t) override {}
    void gather(std::uint16_t, const loop::Arrivals&, const std::vector<loop::LegEnd>&) override {}
    std::uint8_t postprocess(std::uint16_t) override { return sync::OUTCOME_OK; }
    void end_visit(std::uint32_t visit) override {
        ++ended;
        if (shared->signal.load() == SIGSTOP && visit == 2 && !stops_the_fresh) {
            kill(m_first, SIGCONT);
            // Its arrival goes through, or it leaves.
            while (shared->ghosts.load() == 0 && watcher.alive_count() > SHAPE.workers) os::pause_ns(1'000'000);
        }
        if (stops_the_fresh && visit == 3) kill(m_fresh, SIGCONT);
    }
    void drop_visit(std::uint32_t) override {}
    loop::EventLook take_event(std::uint16_t) override { return loop::EventLook::TAKEN; }
    void check_signals() override {}

    // A worker that is stopped is replaced although it lives: what the harness never does.
    void late(std::uint16_t worker, std::uint32_t, std::uint16_t) override {
        if (worker + 1 != VICTIM || shared->fired.load() == 0) return;
        if (shared->replaced.load() != 0) {
            if (m_first_left) kill(m_fresh, SIGCONT);
            return;
        }
        m_first = shared->pids[VICTIM].load();
        replace(VICTIM);
        m_fresh = shared->pids[VICTIM].load();
    }
    bool workers_died(const std::vector<loop::InSlices>&) override {
        while (const auto death = watcher.take_death()) {
            ++deaths;
            if (death->pid == m_first) {
                m_first_left = true;
                continue;
            }
            if (state.process(death->process).busy_rank.load() < 0 && state.unfinished_step(death->process))
                ++unnamed_steps;
            replace(death->process);
        }
        return true;
    }

    int life_pipe[2] = {-1, -1};
    std::uint32_t ended = 0;
    std::uint32_t deaths = 0;
    std::uint32_t unnamed_steps = 0;  // that a worker died in, and its entry did not name
    bool has_legs = false;            // ranks wait for each other, and not for the master, before the second stage
    bool stops_the_fresh = false;     // from the beginning of visit 3, until somebody has run its first step

private:
    std::span<std::byte> bytes() { return {static_cast<std::byte*>(m_area), m_size}; }

    void replace(std::uint16_t process) {
        state.process(process).incarnation.store(1);
        for (std::uint32_t rank = 0; rank < SHAPE.ranks; ++rank)
            sync::revoke(state.cell(rank), static_cast<std::uint8_t>(process), 1);
        bear(process, 1);
        shared->replaced.store(1);
    }

    void bear(std::uint16_t process, std::uint8_t incarnation) {
        const pid_t pid = fork();
        if (pid == 0) {
            may_die = life_pipe[0] < 0;  // else its master does
            is_first = process == VICTIM && incarnation == 0;
            if (life_pipe[0] >= 0) {
                close(life_pipe[1]);
                os::die_with_pipe(life_pipe[0]);
            }
            loop::Traffic traffic;
            loop::WorkerLoop worker(state, process, traffic, {20'000, 20'000});
            worker.set_incarnation(incarnation);
            for (std::uint32_t rank = process - 1u; rank < SHAPE.ranks; rank += SHAPE.workers)
                worker.arrive_ready(rank, sync::OUTCOME_OK);
            // Who is not at work yet has no deadline.
            state.process(process).state.store(sync::ProcessState::WORKING);
            Worker hooks;
            worker.run(hooks);
            _exit(0);
        }
        shared->pids[process].store(pid);
        shared->pids[4 + shared->born.fetch_add(1)].store(pid);
        watcher.watch(process, pid);
    }

    std::size_t m_size;
    void* m_area;
    pid_t m_first = 0;
    pid_t m_fresh = 0;
    bool m_first_left = false;

public:
    sync::RunState state;
    sync::Watcher watcher;
};

inline void after_release() { conductor->released(); }

// Kills every worker that was ever made in this case.
inline void kill_workers() {
    for (auto& pid : shared->pids)
        if (pid.load() > 0) kill(pid.load(), SIGKILL);
}

}  // namespace cast
