// SPDX-License-Identifier: BSD-3-Clause
// Real processes that are killed at every fault point of the rendezvous: no step is lost, none arrives twice.
#include <csignal>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"
#include "loop/master_loop.hpp"
#include "loop/worker_loop.hpp"
#include "os/clock.hpp"
#include "os/fault_point.hpp"

using namespace pex;

namespace {

constexpr sync::RunShape SHAPE{3, 2, 2, 0};
constexpr std::uint32_t VISITS = 4;
constexpr std::uint32_t STEPS = 3;  // two stages and the close

// What the processes of a case share.
struct Shared {
    std::atomic<const char*> point;  // a literal: in forks of one program it has the same address
    std::atomic<int> armed;
    std::atomic<int> fired;
    std::atomic<std::uint32_t> runs;
};

void* map_shared(std::size_t size) {
    return mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

Shared* shared = nullptr;
bool may_die = false;  // in this process

void die_here(const char* name) {
    if (!may_die || std::strcmp(name, shared->point.load()) != 0 || shared->armed.load() == 0) return;
    if (shared->fired.exchange(1) == 0) kill(getpid(), SIGKILL);
}

class Worker final : public loop::WorkerHooks {
public:
    std::uint8_t run_step(std::uint32_t rank, std::uint32_t visit, std::uint16_t step) override {
        shared->runs.fetch_add(1);
        if (rank == 1 && visit == 2 && step == 1) shared->armed.store(1);
        return sync::OUTCOME_OK;
    }
    void check_signals() override {}
};

// The master of a case, and the one who makes its workers.
class Master final : public loop::MasterHooks {
public:
    Master() : m_size(sync::RunState::bytes_for(SHAPE)), m_area(map_shared(m_size)), state(bytes(), SHAPE), watcher(state) {}
    ~Master() override {
        watcher.kill_all();
        watcher.stop();
        munmap(m_area, m_size);
    }

    loop::LoopResult play() {
        watcher.start();
        for (std::uint16_t process = 1; process <= SHAPE.workers; ++process) bear(process, 0);
        const loop::Schedule schedule = loop::Schedule::compile({{"one", "two"}, true, VISITS});
        loop::Traffic traffic;
        loop::MasterLoop master(schedule, state, watcher, traffic, {20'000, 20'000});
        return master.run(*this);
    }

    void slices_ready() override {}
    void begin_visit(std::uint32_t) override {}
    std::uint8_t preprocess(std::uint16_t) override { return sync::OUTCOME_OK; }
    void publish(std::uint16_t) override {}
    void gather(std::uint16_t, const loop::Arrivals&) override {}
    std::uint8_t postprocess(std::uint16_t) override { return sync::OUTCOME_OK; }
    void end_visit(std::uint32_t) override { ++ended; }
    void drop_visit(std::uint32_t) override {}
    loop::EventLook take_event(std::uint16_t) override { return loop::EventLook::TAKEN; }
    void check_signals() override {}
    void late(std::uint16_t, std::uint32_t, std::uint16_t) override {}
    bool workers_died(std::uint32_t, std::uint16_t) override {
        while (const auto death = watcher.take_death()) {
            ++deaths;
            if (state.process(death->process).busy_rank.load() < 0 && state.unfinished_step(death->process))
                ++unnamed_steps;
            state.process(death->process).incarnation.store(1);
            for (std::uint32_t rank = death->process - 1u; rank < SHAPE.ranks; rank += SHAPE.workers)
                sync::revoke(state.cell(rank), 1);
            bear(death->process, 1);
        }
        return true;
    }

    int life_pipe[2] = {-1, -1};
    std::uint32_t ended = 0;
    std::uint32_t deaths = 0;
    std::uint32_t unnamed_steps = 0;  // that a worker died in, and its entry did not name

private:
    std::span<std::byte> bytes() { return {static_cast<std::byte*>(m_area), m_size}; }

    void bear(std::uint16_t process, std::uint8_t incarnation) {
        const pid_t pid = fork();
        if (pid == 0) {
            may_die = life_pipe[0] < 0;  // else its master does
            if (life_pipe[0] >= 0) {
                close(life_pipe[1]);
                os::die_with_pipe(life_pipe[0]);
            }
            loop::Traffic traffic;
            loop::WorkerLoop worker(state, process, traffic, {20'000, 20'000});
            worker.set_incarnation(incarnation);
            for (std::uint32_t rank = process - 1u; rank < SHAPE.ranks; rank += SHAPE.workers)
                worker.arrive_ready(rank, sync::OUTCOME_OK);
            Worker hooks;
            worker.run(hooks);
            _exit(0);
        }
        watcher.watch(process, pid);
    }

    std::size_t m_size;
    void* m_area;

public:
    sync::RunState state;
    sync::Watcher watcher;
};

void prepare(const char* point) {
    if (shared == nullptr) shared = new (map_shared(sizeof(Shared))) Shared{};
    shared->point.store(point);
    shared->armed.store(0);
    shared->fired.store(0);
    shared->runs.store(0);
    os::fault_hook = die_here;
}

struct Case {
    const char* point;
    std::uint32_t runs_again;  // whether the step that ran is run once more
    std::uint32_t unnamed;     // whether the cell alone says that a step was taken
};

}  // namespace

PEX_TEST(a_worker_that_is_killed_at_any_point_of_its_step_loses_nothing_and_arrives_once) {
    for (const Case& one : {Case{"worker: took", 0, 1}, Case{"worker: ran", 1, 1}, Case{"worker: arrived", 0, 0},
                            Case{"worker: counted", 0, 0}, Case{"bell: between", 0, 0}}) {
        prepare(one.point);
        Master sut;
        const loop::LoopResult result = sut.play();
        PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
        PEX_CHECK_EQ(shared->fired.load(), 1);
        PEX_CHECK_EQ(sut.ended, VISITS);
        PEX_CHECK_EQ(shared->runs.load(), VISITS * STEPS * SHAPE.ranks + one.runs_again);
        PEX_CHECK_EQ(sut.unnamed_steps, one.unnamed);
    }
}

PEX_TEST(a_master_that_is_killed_at_any_point_leaves_no_worker) {
    for (const char* point : {"master: releasing", "master: released", "master: waiting", "master: arrived"}) {
        prepare(point);
        // Held open by the master and all its workers: its end is that of the last of them.
        int last_words[2];
        PEX_CHECK_EQ(pipe(last_words), 0);
        const pid_t pid = fork();
        if (pid == 0) {
            close(last_words[0]);
            Master master;
            if (pipe(master.life_pipe) != 0) _exit(2);
            may_die = true;
            shared->armed.store(1);
            master.play();
            _exit(1);
        }
        close(last_words[1]);
        int status = 0;
        waitpid(pid, &status, 0);
        PEX_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        char byte = 0;
        PEX_CHECK_EQ(read(last_words[0], &byte, 1), ssize_t{0});
        close(last_words[0]);
    }
}
