// SPDX-License-Identifier: BSD-3-Clause
// The two loops together, over threads: order of steps, outcomes, ends. Meant for the thread sanitizer too.
#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "check.hpp"
#include "os/clock.hpp"
#include "theatre.hpp"

using namespace pex;
using theatre::Theatre;

PEX_TEST(steps_of_a_visit_run_in_the_order_of_the_contract) {
    Theatre sut(3, 2, 2);
    const loop::LoopResult result = sut.play(1);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    const std::vector<std::string> expected = {
        "ready",         "preprocess 1.1", "process 1.1", "process 1.1",    "process 1.1",  "postprocess 1.1",
        "preprocess 1.2", "process 1.2",    "process 1.2", "process 1.2",    "postprocess 1.2"};
    PEX_CHECK(sut.journal.lines == expected);
}

PEX_TEST(many_visits_lose_no_step) {
    Theatre sut(5, 3, 1);
    const loop::LoopResult result = sut.play(400);
    PEX_CHECK_EQ(result.visit, 400u);
    PEX_CHECK_EQ(sut.hooks.ended, 400u);
    PEX_CHECK_EQ(sut.journal.lines.size(), std::size_t{1 + 400 * (2 + 5)});
}

PEX_TEST(no_more_datasets_ends_the_run_after_the_stage_that_said_so) {
    Theatre sut(2, 2, 3);
    sut.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        const bool last = rank == 1 && visit == 3 && step == 2;
        return std::uint8_t{last ? sync::OUTCOME_NO_MORE : sync::OUTCOME_OK};
    };
    const loop::LoopResult result = sut.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::NO_MORE);
    PEX_CHECK_EQ(result.visit, 3u);
    PEX_CHECK_EQ(sut.journal.lines.back(), std::string("postprocess 3.2"));
    PEX_CHECK_EQ(sut.hooks.ended, 3u);
}

PEX_TEST(raised_steps_are_counted_and_do_not_end_the_run) {
    Theatre sut(4, 2, 1);
    sut.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t, std::uint16_t step) {
        return std::uint8_t{rank == 2 && step == 1 ? sync::OUTCOME_RAISED : sync::OUTCOME_OK};
    };
    const loop::LoopResult result = sut.play(7);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(sut.hooks.raised, 7u);
}

PEX_TEST(a_fatal_slice_ends_the_run_in_its_stage) {
    Theatre sut(2, 2, 2);
    sut.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        return std::uint8_t{rank == 0 && visit == 2 && step == 1 ? sync::OUTCOME_FATAL : sync::OUTCOME_OK};
    };
    const loop::LoopResult result = sut.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK_EQ(result.visit, 2u);
    PEX_CHECK_EQ(result.stage, std::uint16_t{1});
}

PEX_TEST(a_fatal_slice_is_seen_while_a_lower_rank_still_works) {
    Theatre sut(2, 2, 1);
    std::atomic<bool> ended{false};
    bool was_waited_for = false;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t) {
        if (rank == 1) return std::uint8_t{sync::OUTCOME_FATAL};
        const std::uint64_t give_up = os::now_ns() + 5'000'000'000u;
        while (!ended && os::now_ns() < give_up) std::this_thread::yield();
        was_waited_for = !ended;
        return std::uint8_t{sync::OUTCOME_OK};
    };
    sut.after_the_loop = [&] { ended = true; };
    PEX_CHECK(sut.play(1).end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK(!was_waited_for);
}

PEX_TEST(the_master_goes_on_before_a_worker_has_tidied_up_behind_its_step) {
    Theatre sut(1, 1, 1);
    std::atomic<bool> gone_on{false};
    std::atomic<int> in_vain{0};
    sut.hooks.during_serial = [&](const std::string& line) {
        if (line == "postprocess 1.1") gone_on = true;
    };
    sut.worker_hooks.after = [&] {
        const std::uint64_t give_up = os::now_ns() + 5'000'000'000u;
        while (!gone_on && os::now_ns() < give_up) std::this_thread::yield();
        if (!gone_on) ++in_vain;
    };
    PEX_CHECK(sut.play(1).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(in_vain.load(), 0);
}

PEX_TEST(a_slice_that_cannot_close_a_visit_ends_the_run) {
    Theatre sut(2, 2, 1);
    sut.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        return std::uint8_t{rank == 1 && visit == 2 && step == 2 ? sync::OUTCOME_FATAL : sync::OUTCOME_OK};
    };
    const loop::LoopResult result = sut.play(4);
    PEX_CHECK(result.end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK_EQ(result.visit, 2u);
    PEX_CHECK_EQ(sut.hooks.ended, 1u);
}

PEX_TEST(a_stop_takes_effect_where_its_level_says) {
    struct Case {
        int level;
        std::string asked_during, last_line;
        std::uint32_t closed;  // how often the two ranks closed a visit
    };
    // Two stages; asked for in the second visit.
    const std::vector<Case> cases = {
        {4, "preprocess 2.1", "postprocess 2.2", 4},  {4, "process 2.1", "postprocess 2.2", 4},
        {4, "postprocess 2.2", "postprocess 2.2", 4}, {3, "preprocess 2.1", "postprocess 2.1", 4},
        {3, "process 2.1", "postprocess 2.1", 4},     {3, "postprocess 2.1", "postprocess 2.1", 4},
        {2, "preprocess 2.1", "preprocess 2.1", 2},   {2, "process 2.1", "process 2.1", 4},
        {2, "postprocess 2.1", "postprocess 2.1", 4}, {2, "preprocess 2.2", "preprocess 2.2", 4},
    };
    for (const Case& item : cases) {
        Theatre sut(2, 2, 2);
        const auto ask = [&](const std::string& line) {
            if (line == item.asked_during) sut.playing.load()->request_stop(item.level);
        };
        std::atomic<std::uint32_t> closed{0};
        sut.hooks.during_serial = ask;
        sut.worker_hooks.outcome = [&](std::uint32_t, std::uint32_t visit, std::uint16_t step) {
            if (step > 2) ++closed;
            else ask("process " + std::to_string(visit) + "." + std::to_string(step));
            return std::uint8_t{sync::OUTCOME_OK};
        };
        const loop::LoopResult result = sut.play(0);
        PEX_CHECK(result.end == loop::LoopEnd::STOPPED);
        PEX_CHECK_EQ(result.visit, 2u);
        PEX_CHECK_EQ(sut.journal.lines.back(), item.last_line);
        PEX_CHECK_EQ(sut.hooks.ended, 2u);
        PEX_CHECK_EQ(closed.load(), item.closed);
    }
}

PEX_TEST(a_stop_at_once_does_not_wait_for_the_slices) {
    Theatre sut(2, 2, 1);
    std::atomic<bool> ended{false};
    bool was_waited_for = false;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t) {
        if (rank == 1) return std::uint8_t{sync::OUTCOME_OK};
        sut.playing.load()->request_stop(1);
        const std::uint64_t give_up = os::now_ns() + 5'000'000'000u;
        while (!ended && os::now_ns() < give_up) std::this_thread::yield();
        was_waited_for = !ended;
        return std::uint8_t{sync::OUTCOME_OK};
    };
    sut.after_the_loop = [&] { ended = true; };
    PEX_CHECK(sut.play(1).end == loop::LoopEnd::AT_ONCE);
    PEX_CHECK(!was_waited_for);
    PEX_CHECK_EQ(sut.hooks.ended, 0u);
}

PEX_TEST(a_stop_at_once_asked_for_in_a_stage_of_the_master_runs_nothing_more) {
    Theatre sut(2, 2, 2);
    sut.hooks.during_serial = [&](const std::string&) { sut.playing.load()->request_stop(1); };
    PEX_CHECK(sut.play(0).end == loop::LoopEnd::AT_ONCE);
    PEX_CHECK_EQ(sut.journal.lines.back(), std::string("preprocess 1.1"));
}

PEX_TEST(a_worker_that_was_replaced_in_its_step_leaves_and_its_arrival_does_not_count) {
    Theatre sut(1, 1, 1);
    sync::release(sut.state.cell(0), {1, 1, 0, sync::OUTCOME_OK, sync::CellState::IDLE, 1});
    sut.worker_hooks.outcome = [&](std::uint32_t, std::uint32_t, std::uint16_t) {
        sync::revoke(sut.state.cell(0), 1, 1);
        return std::uint8_t{sync::OUTCOME_OK};
    };
    loop::Traffic traffic;
    loop::WorkerLoop old(sut.state, 1, traffic, {0, 0});
    PEX_CHECK(!old.run(sut.worker_hooks));
    std::uint8_t outcome = 0;
    PEX_CHECK(!sync::has_arrived(sut.state.cell(0), 1, 1, outcome));
    // Nor does it take anything when it comes back to its cells.
    loop::WorkerLoop revived(sut.state, 1, traffic, {0, 0});
    PEX_CHECK(!revived.run(sut.worker_hooks));
    PEX_CHECK_EQ(sut.journal.lines.size(), std::size_t{1});
}

PEX_TEST(every_step_leaves_a_span) {
    Theatre sut(3, 2, 2);
    sut.play(1);
    std::vector<sync::SpanShm> spans;
    for (std::uint16_t process = 0; process <= 2; ++process) sut.state.ring(process).drain(spans);
    int process_spans = 0;
    int serial_spans = 0;
    for (const sync::SpanShm& span : spans) {
        PEX_CHECK(span.end_ns >= span.start_ns);
        if (span.kind == sync::SpanKind::PROCESS) ++process_spans;
        if (span.kind == sync::SpanKind::PREPROCESS || span.kind == sync::SpanKind::POSTPROCESS) ++serial_spans;
    }
    PEX_CHECK_EQ(process_spans, 6);
    PEX_CHECK_EQ(serial_spans, 4);
}

PEX_TEST(joined_stages_run_one_after_the_other_and_arrive_once) {
    Theatre sut(3, 2, 3);
    sut.joined = {2};
    std::map<std::uint32_t, std::vector<std::uint16_t>> steps;
    std::mutex mutex;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t step) {
        const std::lock_guard lock(mutex);
        steps[rank].push_back(step);
        const bool raises = rank == 1 && step == 1;
        return std::uint8_t{raises ? sync::OUTCOME_RAISED : sync::OUTCOME_OK};
    };
    PEX_CHECK(sut.play(2).end == loop::LoopEnd::VISITS_DONE);
    for (std::uint32_t rank = 0; rank < 3; ++rank)
        PEX_CHECK(steps[rank] == (std::vector<std::uint16_t>{1, 2, 3, 4, 1, 2, 3, 4}));
    const std::vector<std::string>& lines = sut.journal.lines;
    auto did = [&](const std::string& line) { return std::find(lines.begin(), lines.end(), line) != lines.end(); };
    PEX_CHECK(!did("postprocess 1.1") && !did("preprocess 1.2"));
    PEX_CHECK(did("preprocess 1.1") && did("postprocess 1.2") && did("preprocess 1.3"));
    PEX_CHECK_EQ(sut.hooks.raised, 2u);
    PEX_CHECK_EQ(sut.state.arrivals(0).counted.load(), std::uint64_t{3 * 2 * 3});
}

PEX_TEST(a_stop_after_the_stage_comes_at_the_end_of_the_stages_that_run_on) {
    Theatre sut(2, 2, 4);
    sut.joined = {2, 3};
    sut.worker_hooks.outcome = [&](std::uint32_t, std::uint32_t, std::uint16_t step) {
        if (step == 1) sut.playing.load()->request_stop(3);
        return std::uint8_t{sync::OUTCOME_OK};
    };
    const loop::LoopResult result = sut.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::STOPPED);
    PEX_CHECK_EQ(result.stage, std::uint16_t{3});
    PEX_CHECK_EQ(sut.journal.lines.back(), std::string("postprocess 1.3"));
}

PEX_TEST(a_fatal_stage_ends_its_step) {
    Theatre sut(1, 1, 3);
    sut.joined = {2, 3};
    sut.worker_hooks.outcome = [](std::uint32_t, std::uint32_t, std::uint16_t step) {
        return std::uint8_t{step == 2 ? sync::OUTCOME_FATAL : sync::OUTCOME_OK};
    };
    PEX_CHECK(sut.play(1).end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK_EQ(sut.journal.lines.back(), std::string("process 1.2"));
}

PEX_TEST(idle_workers_take_waiting_ranks_and_keep_them_for_the_visit) {
    Theatre sut(6, 2, 2);
    sut.state.head().balances.store(1);
    // Rank 0 takes until all others have begun: those that its worker would run next, too.
    std::atomic<int> begun{0};
    std::atomic<bool> gave_up{false};
    std::mutex mutex;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::thread::id>> where;  // by visit and rank
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        if (step == 1) {
            ++begun;
            const std::uint64_t until = os::now_ns() + 20'000'000'000u;
            while (rank == 0 && begun != static_cast<int>(6 * visit) && os::now_ns() < until) std::this_thread::yield();
            if (os::now_ns() >= until) gave_up = true;
        }
        const std::lock_guard lock(mutex);
        where[{visit, rank}].push_back(std::this_thread::get_id());
        return std::uint8_t{sync::OUTCOME_OK};
    };
    PEX_CHECK(sut.play(3).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK(!gave_up);
    PEX_CHECK_EQ(begun.load(), 18);
    PEX_CHECK_EQ(where.size(), std::size_t{18});
    for (const auto& [rank, places] : where) PEX_CHECK(places == std::vector<std::thread::id>(3, places[0]));
}

PEX_TEST(without_balance_ranks_stay_with_their_workers) {
    Theatre sut(4, 2, 1);
    std::mutex mutex;
    std::map<std::uint32_t, std::set<std::thread::id>> where;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t) {
        const std::lock_guard lock(mutex);
        where[rank % 2].insert(std::this_thread::get_id());
        return std::uint8_t{sync::OUTCOME_OK};
    };
    sut.play(50);
    PEX_CHECK_EQ(where[0].size(), std::size_t{1});
    PEX_CHECK_EQ(where[1].size(), std::size_t{1});
    PEX_CHECK(where[0] != where[1]);
}

PEX_TEST(a_worker_that_was_replaced_gives_back_what_it_takes_from_all) {
    Theatre sut(2, 2, 1);
    sut.state.head().balances.store(1);
    sut.state.process(1).incarnation.store(1);
    sync::release(sut.state.cell(1), {1, 1, 0, sync::OUTCOME_OK, sync::CellState::IDLE, 2}, true);
    loop::Traffic traffic;
    loop::WorkerLoop revived(sut.state, 1, traffic, {0, 0});
    PEX_CHECK(!revived.run(sut.worker_hooks));
    PEX_CHECK(sut.journal.lines.empty());
    sync::CellWord taken;
    PEX_CHECK(sync::take(sut.state.cell(1), 2, 0, taken));
}

PEX_TEST(a_run_without_slices_only_runs_the_master) {
    Theatre sut(0, 0, 2);
    const loop::LoopResult result = sut.play(2);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(sut.journal.lines.size(), std::size_t{1 + 2 * 4});
}

PEX_TEST(a_visit_waits_for_its_event_until_the_bell_is_rung) {
    Theatre sut(2, 2, 2);
    sut.topics = {{std::uint16_t{2}, "newFrame"}};
    std::atomic<int> published{0};
    int taken = 0;
    sut.hooks.look = [&](std::uint32_t, std::uint16_t) {
        if (taken == published) return loop::EventLook::NOT_YET;
        ++taken;
        return loop::EventLook::TAKEN;
    };
    std::thread publisher;
    sut.before_the_loop = [&](loop::MasterLoop& master) {
        publisher = std::thread([&] {
            for (int event = 0; event < 50; ++event) {
                ++published;
                master.notify_event();
                std::this_thread::yield();
            }
        });
    };
    sut.after_the_loop = [&] { publisher.join(); };
    const loop::LoopResult result = sut.play(50);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(taken, 50);
    const std::vector<std::string> first(sut.journal.lines.begin() + 1, sut.journal.lines.begin() + 7);
    const std::vector<std::string> expected = {"preprocess 1.1",  "process 1.1", "process 1.1",
                                               "postprocess 1.1", "event 1.2",   "preprocess 1.2"};
    PEX_CHECK(first == expected);
}

PEX_TEST(an_event_that_does_not_come_ends_the_run_and_drops_a_visit_that_has_not_begun) {
    for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{2}}) {
        Theatre sut(2, 1, 2);
        sut.topics = {{stage, "newFrame"}};
        sut.hooks.look = [](std::uint32_t visit, std::uint16_t) {
            return visit < 3 ? loop::EventLook::TAKEN : loop::EventLook::TIMED_OUT;
        };
        const loop::LoopResult result = sut.play(0);
        PEX_CHECK(result.end == loop::LoopEnd::EVENT_TIMEOUT);
        PEX_CHECK_EQ(result.visit, stage == 1 ? 2u : 3u);
        PEX_CHECK_EQ(sut.hooks.ended, stage == 1 ? 2u : 3u);
        PEX_CHECK_EQ(sut.hooks.dropped, stage == 1 ? 1u : 0u);
    }
}

PEX_TEST(a_stop_ends_the_wait_for_an_event) {
    Theatre sut(2, 1, 1);
    sut.topics = {{std::uint16_t{1}, "newFrame"}};
    std::atomic<bool> waiting{false};
    sut.hooks.look = [&](std::uint32_t, std::uint16_t) {
        waiting = true;
        return loop::EventLook::NOT_YET;
    };
    std::thread stopper;
    sut.before_the_loop = [&](loop::MasterLoop& master) {
        stopper = std::thread([&] {
            while (!waiting) std::this_thread::yield();
            master.request_stop(4);
        });
    };
    sut.after_the_loop = [&] { stopper.join(); };
    const loop::LoopResult result = sut.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::STOPPED);
    PEX_CHECK_EQ(result.visit, 0u);
    PEX_CHECK_EQ(sut.hooks.dropped, 1u);
}

PEX_TEST(a_cell_that_has_arrived_or_was_given_away_takes_no_second_word_of_readiness) {
    Theatre sut(2, 1, 1);
    loop::Traffic traffic;
    auto ready = [&](std::uint32_t rank, std::uint8_t outcome, std::uint8_t incarnation) {
        loop::WorkerLoop worker(sut.state, 1, traffic, {20'000, 200'000});
        worker.set_incarnation(incarnation);
        return worker.arrive_ready(rank, outcome);
    };
    auto word = [&](std::uint32_t rank) { return sut.state.cell(rank).word.load(); };
    PEX_CHECK(ready(0, sync::OUTCOME_OK, 0));
    PEX_CHECK(!ready(0, sync::OUTCOME_FATAL, 0));
    sync::release(sut.state.cell(0), {1, 1, 0, sync::OUTCOME_OK, sync::CellState::IDLE, 1});
    std::uint64_t before = word(0);
    PEX_CHECK(!ready(0, sync::OUTCOME_OK, 0));
    PEX_CHECK_EQ(word(0), before);
    sync::revoke(sut.state.cell(0), 1, 1);
    before = word(0);
    PEX_CHECK(!ready(0, sync::OUTCOME_FATAL, 0));
    PEX_CHECK(!ready(0, sync::OUTCOME_OK, 2));
    PEX_CHECK(!ready(0, sync::OUTCOME_FATAL, 2));
    PEX_CHECK(ready(0, sync::OUTCOME_OK, 1));
    PEX_CHECK_EQ(word(0), before);
    PEX_CHECK_EQ(sut.state.head().fatal.load(), 0u);
    PEX_CHECK(ready(0, sync::OUTCOME_FATAL, 1));
    PEX_CHECK_EQ(sut.state.head().fatal.load(), 1u);
}
