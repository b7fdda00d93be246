// SPDX-License-Identifier: BSD-3-Clause
// Real processes that are killed at every fault point of the rendezvous: no step is lost, none arrives twice.
#include "cast.hpp"

using namespace cast;

namespace {

struct Case {
    const char* point;
    std::uint32_t runs_again;  // whether the step that ran is run once more
    std::uint32_t unnamed;     // whether the cell alone says that a step was taken
};

}  // namespace

PEX_TEST(a_worker_that_is_killed_at_any_point_of_its_step_loses_nothing_and_arrives_once) {
    for (const Case& one : {Case{"worker: took", 0, 1}, Case{"worker: ran", 1, 1}, Case{"worker: arrived", 0, 0},
                            Case{"worker: counted", 0, 0}, Case{"bell: between", 0, 0}})
    for (const bool balances : {false, true}) {
        prepare(one.point);
        Master sut(balances);
        const loop::LoopResult result = sut.play();
        PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
        PEX_CHECK_EQ(shared->fired.load(), 1);
        PEX_CHECK_EQ(sut.ended, VISITS);
        PEX_CHECK_EQ(shared->runs.load(), VISITS * STEPS * SHAPE.ranks + one.runs_again);
        PEX_CHECK_EQ(sut.unnamed_steps, one.unnamed);
    }
}

PEX_TEST(a_worker_that_is_killed_in_a_leg_loses_nothing_and_its_neighbours_go_on) {
    for (const Case& one : {Case{"worker: took", 0, 1}, Case{"worker: ran", 1, 1}, Case{"worker: arrived", 0, 0},
                            Case{"worker: counted", 0, 0}, Case{"bell: between", 0, 0}})
    for (const std::uint16_t step : {std::uint16_t{1}, std::uint16_t{2}}) {
        prepare(one.point);
        shared->step.store(step);
        Master sut;
        sut.has_legs = true;
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
