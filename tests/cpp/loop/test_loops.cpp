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
#include "loop/master_loop.hpp"
#include "loop/worker_loop.hpp"
#include "os/clock.hpp"

using namespace pex;

namespace {

struct Journal {
    std::mutex mutex;
    std::vector<std::string> lines;
    void write(std::string line) {
        const std::lock_guard lock(mutex);
        lines.push_back(std::move(line));
    }
};

class Worker final : public loop::WorkerHooks {
public:
    Worker(Journal& journal, std::uint32_t stages) : m_journal(journal), m_stages(stages) {}
    std::uint8_t run_step(std::uint32_t rank, std::uint32_t visit, std::uint16_t step, bool) override {
        if (step <= m_stages) m_journal.write("process " + std::to_string(visit) + "." + std::to_string(step));
        return outcome ? outcome(rank, visit, step) : std::uint8_t{sync::OUTCOME_OK};
    }
    void check_signals() override {}
    std::function<std::uint8_t(std::uint32_t, std::uint32_t, std::uint16_t)> outcome;

private:
    Journal& m_journal;
    std::uint32_t m_stages;
};

class Master final : public loop::MasterHooks {
public:
    explicit Master(Journal& journal) : m_journal(journal) {}
    void slices_ready() override { m_journal.write("ready"); }
    void begin_visit(std::uint32_t visit) override { m_visit = visit; }
    std::uint8_t preprocess(std::uint16_t stage) override { return note("preprocess", stage); }
    void publish(std::uint16_t) override {}
    void gather(std::uint16_t, const loop::Arrivals& arrivals) override { raised += arrivals.raised; }
    std::uint8_t postprocess(std::uint16_t stage) override { return note("postprocess", stage); }
    void end_visit(std::uint32_t) override { ++ended; }
    loop::EventLook take_event(std::uint16_t stage) override {
        const loop::EventLook found = look(m_visit, stage);
        if (found == loop::EventLook::TAKEN) note("event", stage);
        return found;
    }
    void drop_visit(std::uint32_t) override { ++dropped; }
    void check_signals() override {}
    std::function<void(const std::string&)> during_serial;
    bool workers_died(std::uint32_t, std::uint16_t) override { return false; }
    void late(std::uint16_t, std::uint32_t, std::uint16_t) override {}
    std::uint32_t raised = 0;
    std::uint32_t ended = 0;
    std::uint32_t dropped = 0;
    std::function<loop::EventLook(std::uint32_t, std::uint16_t)> look;

private:
    std::uint8_t note(const char* what, std::uint16_t stage) {
        const std::string line = std::string(what) + " " + std::to_string(m_visit) + "." + std::to_string(stage);
        m_journal.write(line);
        if (during_serial) during_serial(line);
        return sync::OUTCOME_OK;
    }
    Journal& m_journal;
    std::uint32_t m_visit = 0;
};

// Ranks on worker threads, with the tables in ordinary memory.
class Theatre {
public:
    Theatre(std::uint32_t ranks, std::uint16_t workers, std::uint16_t stages)
        : m_shape{ranks, workers, stages}, m_area(sync::RunState::bytes_for(m_shape) / 64 + 1),
          state(std::span<std::byte>(reinterpret_cast<std::byte*>(m_area.data()), m_area.size() * 64), m_shape),
          watcher(state), hooks(journal), worker_hooks(journal, stages) {}

    loop::LoopResult play(std::uint64_t visits) {
        std::vector<std::thread> threads;
        for (std::uint16_t process = 1; process <= m_shape.workers; ++process)
            threads.emplace_back([this, process] {
                loop::Traffic traffic;
                loop::WorkerLoop worker(state, process, traffic, {20'000, 200'000});
                for (std::uint32_t rank = process - 1u; rank < m_shape.ranks; rank += m_shape.workers)
                    worker.arrive_ready(rank, sync::OUTCOME_OK);
                worker.run(worker_hooks);
            });
        std::vector<std::string> names(m_shape.stages, "stage");
        loop::ScheduleInput input{names, m_shape.ranks != 0, visits, {}, {}, topics};
        input.joined = joined;
        const loop::Schedule schedule = loop::Schedule::compile(input);
        loop::Traffic traffic;
        loop::MasterLoop master(schedule, state, watcher, traffic, {20'000, 200'000});
        playing = &master;
        if (before_the_loop) before_the_loop(master);
        const loop::LoopResult result = master.run(hooks);
        if (after_the_loop) after_the_loop();
        state.head().stop.store(1, std::memory_order_seq_cst);
        for (std::uint16_t process = 1; process <= m_shape.workers; ++process) sync::ring(state.door(process));
        for (std::thread& thread : threads) thread.join();
        return result;
    }

private:
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    sync::RunShape m_shape;
    std::vector<Line> m_area;

public:
    Journal journal;
    sync::RunState state;
    sync::Watcher watcher;
    Master hooks;
    Worker worker_hooks;
    std::function<void()> after_the_loop;
    std::map<std::uint16_t, std::string> topics;
    std::set<std::uint16_t> joined;
    std::function<void(loop::MasterLoop&)> before_the_loop;
    std::atomic<loop::MasterLoop*> playing{nullptr};
};

}  // namespace

PEX_TEST(steps_of_a_visit_run_in_the_order_of_the_contract) {
    Theatre theatre(3, 2, 2);
    const loop::LoopResult result = theatre.play(1);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    const std::vector<std::string> expected = {
        "ready",         "preprocess 1.1", "process 1.1", "process 1.1",    "process 1.1",  "postprocess 1.1",
        "preprocess 1.2", "process 1.2",    "process 1.2", "process 1.2",    "postprocess 1.2"};
    PEX_CHECK(theatre.journal.lines == expected);
}

PEX_TEST(many_visits_lose_no_step) {
    Theatre theatre(5, 3, 1);
    const loop::LoopResult result = theatre.play(400);
    PEX_CHECK_EQ(result.visit, 400u);
    PEX_CHECK_EQ(theatre.hooks.ended, 400u);
    PEX_CHECK_EQ(theatre.journal.lines.size(), std::size_t{1 + 400 * (2 + 5)});
}

PEX_TEST(no_more_datasets_ends_the_run_after_the_stage_that_said_so) {
    Theatre theatre(2, 2, 3);
    theatre.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        const bool last = rank == 1 && visit == 3 && step == 2;
        return std::uint8_t{last ? sync::OUTCOME_NO_MORE : sync::OUTCOME_OK};
    };
    const loop::LoopResult result = theatre.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::NO_MORE);
    PEX_CHECK_EQ(result.visit, 3u);
    PEX_CHECK_EQ(theatre.journal.lines.back(), std::string("postprocess 3.2"));
    PEX_CHECK_EQ(theatre.hooks.ended, 3u);
}

PEX_TEST(raised_steps_are_counted_and_do_not_end_the_run) {
    Theatre theatre(4, 2, 1);
    theatre.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t, std::uint16_t step) {
        return std::uint8_t{rank == 2 && step == 1 ? sync::OUTCOME_RAISED : sync::OUTCOME_OK};
    };
    const loop::LoopResult result = theatre.play(7);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(theatre.hooks.raised, 7u);
}

PEX_TEST(a_fatal_slice_ends_the_run_in_its_stage) {
    Theatre theatre(2, 2, 2);
    theatre.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        return std::uint8_t{rank == 0 && visit == 2 && step == 1 ? sync::OUTCOME_FATAL : sync::OUTCOME_OK};
    };
    const loop::LoopResult result = theatre.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK_EQ(result.visit, 2u);
    PEX_CHECK_EQ(result.stage, std::uint16_t{1});
}

PEX_TEST(a_fatal_slice_is_seen_while_a_lower_rank_still_works) {
    Theatre theatre(2, 2, 1);
    std::atomic<bool> ended{false};
    bool was_waited_for = false;
    theatre.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t) {
        if (rank == 1) return std::uint8_t{sync::OUTCOME_FATAL};
        const std::uint64_t give_up = os::now_ns() + 5'000'000'000u;
        while (!ended && os::now_ns() < give_up) std::this_thread::yield();
        was_waited_for = !ended;
        return std::uint8_t{sync::OUTCOME_OK};
    };
    theatre.after_the_loop = [&] { ended = true; };
    PEX_CHECK(theatre.play(1).end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK(!was_waited_for);
}

PEX_TEST(a_slice_that_cannot_close_a_visit_ends_the_run) {
    Theatre theatre(2, 2, 1);
    theatre.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        return std::uint8_t{rank == 1 && visit == 2 && step == 2 ? sync::OUTCOME_FATAL : sync::OUTCOME_OK};
    };
    const loop::LoopResult result = theatre.play(4);
    PEX_CHECK(result.end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK_EQ(result.visit, 2u);
    PEX_CHECK_EQ(theatre.hooks.ended, 1u);
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
        Theatre theatre(2, 2, 2);
        const auto ask = [&](const std::string& line) {
            if (line == item.asked_during) theatre.playing.load()->request_stop(item.level);
        };
        std::atomic<std::uint32_t> closed{0};
        theatre.hooks.during_serial = ask;
        theatre.worker_hooks.outcome = [&](std::uint32_t, std::uint32_t visit, std::uint16_t step) {
            if (step > 2) ++closed;
            else ask("process " + std::to_string(visit) + "." + std::to_string(step));
            return std::uint8_t{sync::OUTCOME_OK};
        };
        const loop::LoopResult result = theatre.play(0);
        PEX_CHECK(result.end == loop::LoopEnd::STOPPED);
        PEX_CHECK_EQ(result.visit, 2u);
        PEX_CHECK_EQ(theatre.journal.lines.back(), item.last_line);
        PEX_CHECK_EQ(theatre.hooks.ended, 2u);
        PEX_CHECK_EQ(closed.load(), item.closed);
    }
}

PEX_TEST(a_stop_at_once_does_not_wait_for_the_slices) {
    Theatre theatre(2, 2, 1);
    std::atomic<bool> ended{false};
    bool was_waited_for = false;
    theatre.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t) {
        if (rank == 1) return std::uint8_t{sync::OUTCOME_OK};
        theatre.playing.load()->request_stop(1);
        const std::uint64_t give_up = os::now_ns() + 5'000'000'000u;
        while (!ended && os::now_ns() < give_up) std::this_thread::yield();
        was_waited_for = !ended;
        return std::uint8_t{sync::OUTCOME_OK};
    };
    theatre.after_the_loop = [&] { ended = true; };
    PEX_CHECK(theatre.play(1).end == loop::LoopEnd::AT_ONCE);
    PEX_CHECK(!was_waited_for);
    PEX_CHECK_EQ(theatre.hooks.ended, 0u);
}

PEX_TEST(a_stop_at_once_asked_for_in_a_stage_of_the_master_runs_nothing_more) {
    Theatre theatre(2, 2, 2);
    theatre.hooks.during_serial = [&](const std::string&) { theatre.playing.load()->request_stop(1); };
    PEX_CHECK(theatre.play(0).end == loop::LoopEnd::AT_ONCE);
    PEX_CHECK_EQ(theatre.journal.lines.back(), std::string("preprocess 1.1"));
}

PEX_TEST(a_worker_that_was_replaced_in_its_step_leaves_and_its_arrival_does_not_count) {
    Theatre theatre(1, 1, 1);
    sync::release(theatre.state.cell(0), {1, 1, 0, sync::OUTCOME_OK, sync::CellState::IDLE, 1});
    theatre.worker_hooks.outcome = [&](std::uint32_t, std::uint32_t, std::uint16_t) {
        sync::revoke(theatre.state.cell(0), 1, 1);
        return std::uint8_t{sync::OUTCOME_OK};
    };
    loop::Traffic traffic;
    loop::WorkerLoop old(theatre.state, 1, traffic, {0, 0});
    PEX_CHECK(!old.run(theatre.worker_hooks));
    std::uint8_t outcome = 0;
    PEX_CHECK(!sync::has_arrived(theatre.state.cell(0), 1, 1, outcome));
    // Nor does it take anything when it comes back to its cells.
    loop::WorkerLoop revived(theatre.state, 1, traffic, {0, 0});
    PEX_CHECK(!revived.run(theatre.worker_hooks));
    PEX_CHECK_EQ(theatre.journal.lines.size(), std::size_t{1});
}

PEX_TEST(every_step_leaves_a_span) {
    Theatre theatre(3, 2, 2);
    theatre.play(1);
    std::vector<sync::SpanShm> spans;
    for (std::uint16_t process = 0; process <= 2; ++process) theatre.state.ring(process).drain(spans);
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
    Theatre theatre(3, 2, 3);
    theatre.joined = {2};
    std::map<std::uint32_t, std::vector<std::uint16_t>> steps;
    std::mutex mutex;
    theatre.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t step) {
        const std::lock_guard lock(mutex);
        steps[rank].push_back(step);
        const bool raises = rank == 1 && step == 1;
        return std::uint8_t{raises ? sync::OUTCOME_RAISED : sync::OUTCOME_OK};
    };
    PEX_CHECK(theatre.play(2).end == loop::LoopEnd::VISITS_DONE);
    for (std::uint32_t rank = 0; rank < 3; ++rank)
        PEX_CHECK(steps[rank] == (std::vector<std::uint16_t>{1, 2, 3, 4, 1, 2, 3, 4}));
    const std::vector<std::string>& lines = theatre.journal.lines;
    auto did = [&](const std::string& line) { return std::find(lines.begin(), lines.end(), line) != lines.end(); };
    PEX_CHECK(!did("postprocess 1.1") && !did("preprocess 1.2"));
    PEX_CHECK(did("preprocess 1.1") && did("postprocess 1.2") && did("preprocess 1.3"));
    PEX_CHECK_EQ(theatre.hooks.raised, 2u);
    PEX_CHECK_EQ(theatre.state.head().arrivals.counted.load(), std::uint64_t{3 * 2 * 3});
}

PEX_TEST(a_stop_after_the_stage_comes_at_the_end_of_the_stages_that_run_on) {
    Theatre theatre(2, 2, 4);
    theatre.joined = {2, 3};
    theatre.worker_hooks.outcome = [&](std::uint32_t, std::uint32_t, std::uint16_t step) {
        if (step == 1) theatre.playing.load()->request_stop(3);
        return std::uint8_t{sync::OUTCOME_OK};
    };
    const loop::LoopResult result = theatre.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::STOPPED);
    PEX_CHECK_EQ(result.stage, std::uint16_t{3});
    PEX_CHECK_EQ(theatre.journal.lines.back(), std::string("postprocess 1.3"));
}

PEX_TEST(a_fatal_stage_ends_its_step) {
    Theatre theatre(1, 1, 3);
    theatre.joined = {2, 3};
    theatre.worker_hooks.outcome = [](std::uint32_t, std::uint32_t, std::uint16_t step) {
        return std::uint8_t{step == 2 ? sync::OUTCOME_FATAL : sync::OUTCOME_OK};
    };
    PEX_CHECK(theatre.play(1).end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK_EQ(theatre.journal.lines.back(), std::string("process 1.2"));
}

PEX_TEST(idle_workers_take_waiting_ranks_and_keep_them_for_the_visit) {
    Theatre theatre(6, 2, 2);
    theatre.state.head().balances.store(1);
    // Rank 0 takes until all others have begun: those that its worker would run next, too.
    std::atomic<int> begun{0};
    std::atomic<bool> gave_up{false};
    std::mutex mutex;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::thread::id>> where;  // by visit and rank
    theatre.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
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
    PEX_CHECK(theatre.play(3).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK(!gave_up);
    PEX_CHECK_EQ(begun.load(), 18);
    PEX_CHECK_EQ(where.size(), std::size_t{18});
    for (const auto& [rank, places] : where) PEX_CHECK(places == std::vector<std::thread::id>(3, places[0]));
}

PEX_TEST(without_balance_ranks_stay_with_their_workers) {
    Theatre theatre(4, 2, 1);
    std::mutex mutex;
    std::map<std::uint32_t, std::set<std::thread::id>> where;
    theatre.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t) {
        const std::lock_guard lock(mutex);
        where[rank % 2].insert(std::this_thread::get_id());
        return std::uint8_t{sync::OUTCOME_OK};
    };
    theatre.play(50);
    PEX_CHECK_EQ(where[0].size(), std::size_t{1});
    PEX_CHECK_EQ(where[1].size(), std::size_t{1});
    PEX_CHECK(where[0] != where[1]);
}

PEX_TEST(a_worker_that_was_replaced_gives_back_what_it_takes_from_all) {
    Theatre theatre(2, 2, 1);
    theatre.state.head().balances.store(1);
    theatre.state.process(1).incarnation.store(1);
    sync::release(theatre.state.cell(1), {1, 1, 0, sync::OUTCOME_OK, sync::CellState::IDLE, 2}, true);
    loop::Traffic traffic;
    loop::WorkerLoop revived(theatre.state, 1, traffic, {0, 0});
    PEX_CHECK(!revived.run(theatre.worker_hooks));
    PEX_CHECK(theatre.journal.lines.empty());
    sync::CellWord taken;
    PEX_CHECK(sync::take(theatre.state.cell(1), 2, 0, taken));
}

PEX_TEST(a_run_without_slices_only_runs_the_master) {
    Theatre theatre(0, 0, 2);
    const loop::LoopResult result = theatre.play(2);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(theatre.journal.lines.size(), std::size_t{1 + 2 * 4});
}

PEX_TEST(a_visit_waits_for_its_event_until_the_bell_is_rung) {
    Theatre theatre(2, 2, 2);
    theatre.topics = {{std::uint16_t{2}, "newFrame"}};
    std::atomic<int> published{0};
    int taken = 0;
    theatre.hooks.look = [&](std::uint32_t, std::uint16_t) {
        if (taken == published) return loop::EventLook::NOT_YET;
        ++taken;
        return loop::EventLook::TAKEN;
    };
    std::thread publisher;
    theatre.before_the_loop = [&](loop::MasterLoop& master) {
        publisher = std::thread([&] {
            for (int event = 0; event < 50; ++event) {
                ++published;
                master.notify_event();
                std::this_thread::yield();
            }
        });
    };
    theatre.after_the_loop = [&] { publisher.join(); };
    const loop::LoopResult result = theatre.play(50);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(taken, 50);
    const std::vector<std::string> first(theatre.journal.lines.begin() + 1, theatre.journal.lines.begin() + 7);
    const std::vector<std::string> expected = {"preprocess 1.1",  "process 1.1", "process 1.1",
                                               "postprocess 1.1", "event 1.2",   "preprocess 1.2"};
    PEX_CHECK(first == expected);
}

PEX_TEST(an_event_that_does_not_come_ends_the_run_and_drops_a_visit_that_has_not_begun) {
    for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{2}}) {
        Theatre theatre(2, 1, 2);
        theatre.topics = {{stage, "newFrame"}};
        theatre.hooks.look = [](std::uint32_t visit, std::uint16_t) {
            return visit < 3 ? loop::EventLook::TAKEN : loop::EventLook::TIMED_OUT;
        };
        const loop::LoopResult result = theatre.play(0);
        PEX_CHECK(result.end == loop::LoopEnd::EVENT_TIMEOUT);
        PEX_CHECK_EQ(result.visit, stage == 1 ? 2u : 3u);
        PEX_CHECK_EQ(theatre.hooks.ended, stage == 1 ? 2u : 3u);
        PEX_CHECK_EQ(theatre.hooks.dropped, stage == 1 ? 1u : 0u);
    }
}

PEX_TEST(a_stop_ends_the_wait_for_an_event) {
    Theatre theatre(2, 1, 1);
    theatre.topics = {{std::uint16_t{1}, "newFrame"}};
    std::atomic<bool> waiting{false};
    theatre.hooks.look = [&](std::uint32_t, std::uint16_t) {
        waiting = true;
        return loop::EventLook::NOT_YET;
    };
    std::thread stopper;
    theatre.before_the_loop = [&](loop::MasterLoop& master) {
        stopper = std::thread([&] {
            while (!waiting) std::this_thread::yield();
            master.request_stop(4);
        });
    };
    theatre.after_the_loop = [&] { stopper.join(); };
    const loop::LoopResult result = theatre.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::STOPPED);
    PEX_CHECK_EQ(result.visit, 0u);
    PEX_CHECK_EQ(theatre.hooks.dropped, 1u);
}

PEX_TEST(a_cell_that_has_arrived_or_was_given_away_takes_no_second_word_of_readiness) {
    Theatre theatre(2, 1, 1);
    loop::Traffic traffic;
    auto ready = [&](std::uint32_t rank, std::uint8_t outcome, std::uint8_t incarnation) {
        loop::WorkerLoop worker(theatre.state, 1, traffic, {20'000, 200'000});
        worker.set_incarnation(incarnation);
        return worker.arrive_ready(rank, outcome);
    };
    auto word = [&](std::uint32_t rank) { return theatre.state.cell(rank).word.load(); };
    PEX_CHECK(ready(0, sync::OUTCOME_OK, 0));
    PEX_CHECK(!ready(0, sync::OUTCOME_FATAL, 0));
    sync::release(theatre.state.cell(0), {1, 1, 0, sync::OUTCOME_OK, sync::CellState::IDLE, 1});
    std::uint64_t before = word(0);
    PEX_CHECK(!ready(0, sync::OUTCOME_OK, 0));
    PEX_CHECK_EQ(word(0), before);
    sync::revoke(theatre.state.cell(0), 1, 1);
    before = word(0);
    PEX_CHECK(!ready(0, sync::OUTCOME_FATAL, 0));
    PEX_CHECK(!ready(0, sync::OUTCOME_OK, 2));
    PEX_CHECK(!ready(0, sync::OUTCOME_FATAL, 2));
    PEX_CHECK(ready(0, sync::OUTCOME_OK, 1));
    PEX_CHECK_EQ(word(0), before);
    PEX_CHECK_EQ(theatre.state.head().fatal.load(), 0u);
    PEX_CHECK(ready(0, sync::OUTCOME_FATAL, 1));
    PEX_CHECK_EQ(theatre.state.head().fatal.load(), 1u);
}
