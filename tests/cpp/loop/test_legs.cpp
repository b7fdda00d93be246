// SPDX-License-Identifier: BSD-3-Clause
// Slices that wait for their neighbours alone, over threads: who runs ahead, what is kept of them, how runs end.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "check.hpp"
#include "loop/legs.hpp"
#include "os/clock.hpp"
#include "theatre.hpp"

using namespace pex;
using theatre::comes;
using theatre::OK;
using theatre::Theatre;

namespace {

std::vector<std::vector<std::uint32_t>> ring(std::uint32_t ranks) {
    std::vector<std::vector<std::uint32_t>> neighbours(ranks);
    for (std::uint32_t rank = 0; rank < ranks; ++rank) neighbours[rank] = {(rank + 1) % ranks, (rank + ranks - 1) % ranks};
    return neighbours;
}

// Three stages, an exchange before the second and the third.
Theatre& with_ring(Theatre& sut, std::uint32_t ranks) {
    sut.ready = {2, 3};
    sut.neighbours = ring(ranks);
    return sut;
}

// Which stages ranks have begun and ended, by visit.
struct Course {
    std::mutex mutex;
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::uint16_t, std::uint16_t>> where;
    void begin(std::uint32_t visit, std::uint32_t rank, std::uint16_t stage) {
        const std::lock_guard lock(mutex);
        where[{visit, rank}].first = stage;
    }
    void end(std::uint32_t visit, std::uint32_t rank, std::uint16_t stage) {
        const std::lock_guard lock(mutex);
        where[{visit, rank}].second = stage;
    }
    std::uint16_t begun(std::uint32_t visit, std::uint32_t rank) {
        const std::lock_guard lock(mutex);
        return where[{visit, rank}].first;
    }
    std::uint16_t ended(std::uint32_t visit, std::uint32_t rank) {
        const std::lock_guard lock(mutex);
        return where[{visit, rank}].second;
    }
};

std::size_t count(const Theatre& sut, const std::string& line) {
    return static_cast<std::size_t>(std::count(sut.journal.lines.begin(), sut.journal.lines.end(), line));
}

}  // namespace

PEX_TEST(a_rank_runs_ahead_of_a_slow_one_elsewhere_in_the_ring) {
    Theatre sut(6, 6, 3);
    with_ring(sut, 6);
    Course course;
    bool came = false;
    bool neighbour_waited = true;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        if (visit == 1) course.begin(visit, rank, step);
        if (visit == 1 && rank == 0 && step == 1) {
            came = comes([&] { return course.begun(1, 3) == 3; });
            neighbour_waited = course.begun(1, 1) == 1 && course.begun(1, 5) == 1;
        }
        return OK;
    };
    PEX_CHECK(sut.play(2).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK(came);
    PEX_CHECK(neighbour_waited);
    for (const char* line : {"process 2.1", "process 2.2", "process 2.3"}) PEX_CHECK_EQ(count(sut, line), std::size_t{6});
    PEX_CHECK_EQ(count(sut, "preprocess 1.2") + count(sut, "postprocess 1.1"), std::size_t{0});
    PEX_CHECK_EQ(count(sut, "preprocess 1.1"), std::size_t{1});
    PEX_CHECK_EQ(count(sut, "postprocess 1.3"), std::size_t{1});
}

PEX_TEST(nobody_begins_before_its_neighbours_have_ended_and_no_visit_overtakes) {
    for (const std::uint16_t in_flight : {std::uint16_t{1}, std::uint16_t{2}, std::uint16_t{3}})
        for (const bool balanced : {false, true}) {
            Theatre sut(6, 3, 4, in_flight);
            sut.joined = {3};
            sut.ready = {2, 4};
            sut.neighbours = ring(6);
            sut.state.head().balances.store(balanced ? 1 : 0);
            Course course;
            std::mutex mutex;
            std::map<std::pair<std::uint32_t, std::uint16_t>, std::vector<std::uint32_t>> order;
            // A rank that others may take can be in two workers in two visits: in each it has them in order.
            std::map<std::tuple<std::thread::id, std::uint32_t, std::uint16_t>, std::vector<std::uint32_t>> in_worker;
            std::atomic<int> early{0};
            sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
                {
                    const std::lock_guard lock(mutex);
                    order[{rank, step}].push_back(visit);
                    in_worker[{std::this_thread::get_id(), rank, step}].push_back(visit);
                }
                if (step == 2 || step == 4)
                    for (const std::uint32_t other : {(rank + 1) % 6, (rank + 5) % 6})
                        if (course.ended(visit, other) + 1 < step) ++early;
                const auto draw = (rank * 7 + visit * 13 + step * 5) % 11;
                if (draw < 3) std::this_thread::sleep_for(std::chrono::microseconds(draw * 40));
                if (step <= 4) course.end(visit, rank, step);
                return OK;
            };
            const loop::LoopResult result = sut.play(200);
            PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
            PEX_CHECK_EQ(result.visit, 200u);
            PEX_CHECK_EQ(early.load(), 0);
            PEX_CHECK_EQ(order.size(), std::size_t{6 * 5});
            for (const auto& [where, visits] : order) {
                PEX_CHECK_EQ(visits.size(), std::size_t{200});
                if (!balanced) PEX_CHECK(std::is_sorted(visits.begin(), visits.end()));
            }
            for (const auto& [where, visits] : in_worker) PEX_CHECK(std::is_sorted(visits.begin(), visits.end()));
            PEX_CHECK_EQ(sut.hooks.ended, 200u);
        }
}

PEX_TEST(no_rank_comes_to_a_leg_before_it_has_in_the_visit_before) {
    // Another worker takes rank 1 in the second visit, so that all of it arrives while the first is stuck.
    Theatre sut(2, 3, 2, 2);
    sut.ready = {2};
    sut.neighbours = ring(2);
    sut.state.head().balances.store(1);
    std::atomic<int> second{0};  // how often a rank has run the second stage
    bool came = false, overtook = false;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        if (visit == 1 && rank == 1 && step == 1) {
            came = comes([&] {
                std::uint8_t outcome = 0;
                return sync::has_arrived(sut.state.cell(0, 1), 2, 1, outcome) &&
                       sync::has_arrived(sut.state.cell(1, 1), 2, 1, outcome);
            });
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            overtook = second != 0;
        }
        if (step == 2) ++second;
        return OK;
    };
    PEX_CHECK(sut.play(2).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK(came);
    PEX_CHECK(!overtook);
    PEX_CHECK_EQ(second.load(), 4);
}

PEX_TEST(what_a_rank_published_and_how_it_ended_is_kept_when_it_goes_on) {
    Theatre sut(4, 2, 3);
    with_ring(sut, 4);
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t step) {
        sync::CellShm& cell = sut.state.cell(rank);
        if (step <= 3 && rank != 3) {
            cell.manifest_ref = 100u * step + rank;
            cell.manifest_bytes = 8;
        }
        if (rank == 1 && step == 1) return std::uint8_t{sync::OUTCOME_RAISED};
        return std::uint8_t{rank == 1 && step <= 3 ? sync::OUTCOME_SKIPPED : sync::OUTCOME_OK};
    };
    std::vector<std::uint64_t> last;
    sut.hooks.on_gather = [&](std::uint32_t, std::uint16_t stage) {
        PEX_CHECK_EQ(stage, std::uint16_t{3});
        for (std::uint32_t rank = 0; rank < 4; ++rank)
            last.push_back(sut.state.cell(rank).manifest_bytes != 0 ? sut.state.cell(rank).manifest_ref : 0);
    };
    PEX_CHECK(sut.play(1).end == loop::LoopEnd::VISITS_DONE);
    std::vector<std::tuple<std::uint16_t, std::uint32_t, std::uint64_t, int>> kept;
    for (const loop::LegEnd& end : sut.hooks.ends[1])
        kept.emplace_back(end.stage, end.rank, end.manifest.bytes != 0 ? end.manifest.ref : 0, end.outcome);
    const int raised = sync::OUTCOME_RAISED, skipped = sync::OUTCOME_SKIPPED;
    const decltype(kept) expected = {{1, 0, 100, 0}, {1, 1, 101, raised},  {1, 2, 102, 0}, {1, 3, 0, 0},
                                     {2, 0, 200, 0}, {2, 1, 201, skipped}, {2, 2, 202, 0}, {2, 3, 0, 0}};
    PEX_CHECK(kept == expected);
    PEX_CHECK(last == (std::vector<std::uint64_t>{300, 301, 302, 0}));
    PEX_CHECK_EQ(sut.hooks.raised, 1u);
    PEX_CHECK_EQ(sut.hooks.skipped, 0u);
}

PEX_TEST(a_worker_finds_nothing_of_the_leg_before_in_its_cell) {
    Theatre sut(2, 2, 3);
    with_ring(sut, 2);
    std::atomic<int> stale{0};
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t step) {
        sync::CellShm& cell = sut.state.cell(rank);
        if (step <= 3 && cell.manifest_bytes != 0) ++stale;
        cell.manifest_bytes = step < 3 ? 8 : 0;
        return OK;
    };
    PEX_CHECK(sut.play(5).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(stale.load(), 0);
}

PEX_TEST(nobody_goes_on_behind_the_end_of_the_data_and_all_come_to_it) {
    for (const std::uint16_t in_flight : {std::uint16_t{1}, std::uint16_t{3}})
        for (const std::uint16_t said : {std::uint16_t{1}, std::uint16_t{2}, std::uint16_t{3}}) {
            Theatre sut(6, 3, 3, in_flight);
            with_ring(sut, 6);
            std::mutex mutex;
            std::map<std::uint16_t, std::set<std::uint32_t>> ran;  // in visit 3
            sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
                if (visit == 3) {
                    const std::lock_guard lock(mutex);
                    ran[step].insert(rank);
                }
                return std::uint8_t{rank == 1 && visit == 3 && step == said ? sync::OUTCOME_NO_MORE : sync::OUTCOME_OK};
            };
            const loop::LoopResult result = sut.play(0);
            PEX_CHECK(result.end == loop::LoopEnd::NO_MORE);
            PEX_CHECK_EQ(result.visit, 3u);
            PEX_CHECK_EQ(result.stage, said);
            for (std::uint16_t stage = 1; stage <= said; ++stage) PEX_CHECK_EQ(ran[stage].size(), std::size_t{6});
            for (const std::uint32_t rank : {0u, 1u, 2u})
                if (said < 3) PEX_CHECK(ran[static_cast<std::uint16_t>(said + 1)].count(rank) == 0);
            PEX_CHECK_EQ(ran[4].size(), std::size_t{6});
            const std::string last = "postprocess 3." + std::to_string(said);
            PEX_CHECK_EQ(count(sut, last), std::size_t{1});
            PEX_CHECK_EQ(sut.hooks.ended + sut.hooks.dropped, static_cast<std::uint32_t>(sut.hooks.begun.size()));
        }
}

PEX_TEST(a_stop_lets_all_come_to_the_leg_that_the_first_has_begun) {
    for (const int level : {4, 3, 2}) {
        Theatre sut(6, 6, 4);
        with_ring(sut, 6);
        Course course;
        std::atomic<int> beyond{0};
        sut.ready = {2, 3, 4};
        sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
            if (step <= 4) course.begin(visit, rank, step);
            if (visit == 2 && rank == 0 && step == 1) {
                comes([&] { return course.begun(2, 3) == 3; });
                sut.playing.load()->request_stop(level);
            }
            if (visit == 2 && step == 4) ++beyond;
            return OK;
        };
        std::uint16_t gathered = 0;
        sut.hooks.on_gather = [&](std::uint32_t, std::uint16_t stage) { gathered = stage; };
        const loop::LoopResult result = sut.play(0);
        PEX_CHECK(result.end == loop::LoopEnd::STOPPED);
        PEX_CHECK_EQ(result.visit, 2u);
        PEX_CHECK_EQ(sut.hooks.ended, 2u);
        PEX_CHECK_EQ(beyond.load(), level == 4 ? 6 : 0);
        PEX_CHECK_EQ(gathered, std::uint16_t(level == 4 ? 4 : 3));
        for (std::uint32_t rank = 0; rank < 6; ++rank)
            PEX_CHECK_EQ(course.begun(2, rank), std::uint16_t(level == 4 ? 4 : 3));
        PEX_CHECK_EQ(count(sut, "postprocess 2.3"), std::size_t(level == 3 ? 1 : 0));
        PEX_CHECK_EQ(count(sut, "postprocess 2.4"), std::size_t(level == 4 ? 1 : 0));
        PEX_CHECK_EQ(result.stage, std::uint16_t(level == 4 ? 4 : 3));
    }
}

PEX_TEST(a_fatal_rank_that_is_ahead_ends_the_run_at_once) {
    Theatre sut(6, 6, 3);
    with_ring(sut, 6);
    std::atomic<bool> ended{false};
    bool was_waited_for = false;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t step) {
        if (rank == 0 && step == 1) was_waited_for = !comes([&] { return ended.load(); });
        return std::uint8_t{rank == 3 && step == 2 ? sync::OUTCOME_FATAL : sync::OUTCOME_OK};
    };
    sut.after_the_loop = [&] { ended = true; };
    PEX_CHECK(sut.play(1).end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK(!was_waited_for);
    PEX_CHECK_EQ(sut.hooks.ended, 0u);
}

PEX_TEST(ranks_without_neighbours_go_on_by_themselves) {
    Theatre sut(3, 3, 2);
    sut.ready = {2};
    sut.neighbours = {{1}, {0}, {}};
    Course course;
    bool came = false;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        course.begin(visit, rank, step);
        if (rank == 0 && step == 1) came = comes([&] { return course.begun(1, 2) == 2; });
        return OK;
    };
    PEX_CHECK(sut.play(1).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK(came);
}

PEX_TEST(a_master_that_sleeps_is_rung_by_every_rank_that_arrives) {
    // Nobody spins: a ring that did not come would leave the run where it is.
    Theatre sut(4, 4, 3);
    with_ring(sut, 4);
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t, std::uint16_t step) {
        if (step <= 3) std::this_thread::sleep_for(std::chrono::milliseconds((rank + step) % 4));
        return OK;
    };
    PEX_CHECK(sut.play(20).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(sut.state.head().ring_always.load(), 1u);
    PEX_CHECK_EQ(sut.state.arrivals(0).counted.load(), std::uint64_t{20 * 4 * 4});
    PEX_CHECK_EQ(sut.state.arrivals(0).wanted.load(), std::uint64_t{20 * 4 * 4});
}

PEX_TEST(without_such_stages_only_the_last_to_arrive_rings) {
    Theatre sut(2, 2, 2);
    sut.play(1);
    PEX_CHECK_EQ(sut.state.head().ring_always.load(), 0u);
}

PEX_TEST(who_has_waited_for_its_neighbours_is_not_late_when_it_is_let_go_on) {
    Theatre sut(2, 2, 2);
    const std::vector<loop::Leg> legs = {{1, 1}, {2, 2}};
    sut.state.set_last_of(1, 1);
    sut.state.set_goes_on(1);
    loop::Lateness lateness(sut.state);
    lateness.set_limits({0, 1'000'000'000, 2'000'000'000});
    PEX_CHECK_EQ(lateness.shortest_limit_ns(1), 1'000'000'000u);
    loop::Flight flight;
    flight.visit = 1;
    flight.asked = 1;
    flight.clock = loop::StageClock(lateness.shortest_limit_ns(1), 0);
    flight.legs.begin(legs, 2, 0);
    for (std::uint16_t process = 1; process <= 2; ++process) {
        sut.state.process(process).state.store(sync::ProcessState::WORKING);
        sut.state.process(process).busy_rank.store(-1);
    }
    const auto word = [](std::uint16_t step, std::uint8_t process) {
        return sync::CellWord{1, step, 0, OK, sync::CellState::ARRIVED, process};
    };
    sut.state.cell(0).word.store(sync::pack(word(1, 1)));
    sut.state.cell(1).word.store(sync::pack(word(1, 2)));
    flight.legs.note_arrival(0, OK);
    flight.legs.note_arrival(1, OK);
    std::vector<std::pair<std::uint16_t, std::uint16_t>> late;
    const auto note = [&](std::uint16_t worker, std::uint16_t step) { late.emplace_back(worker, step); };
    // Both wait, for longer than any stage may take.
    lateness.find(flight, 9'000'000'000, note);
    PEX_CHECK(late.empty());
    sync::release(sut.state.cell(1), word(2, 2));
    flight.legs.go_on(1, {0, 0}, 9'000'000'000);
    lateness.find(flight, 10'900'000'000, note);
    PEX_CHECK(late.empty());
    lateness.find(flight, 11'000'000'000, note);
    PEX_CHECK(late == (std::vector<std::pair<std::uint16_t, std::uint16_t>>{{1, 2}}));
}

PEX_TEST(what_is_known_of_ranks_tells_who_had_failed_before) {
    const std::vector<loop::Leg> legs = {{1, 2}, {3, 3}};
    loop::Legs sut;
    PEX_CHECK(!sut.are_there());
    PEX_CHECK(sut.failed_before().empty());
    sut.begin(legs, 3, 0);
    for (const std::uint32_t rank : {0u, 1u, 2u}) PEX_CHECK_EQ(sut.asked_of(rank), std::uint16_t{1});
    sut.note_arrival(0, sync::OUTCOME_RAISED);
    sut.note_arrival(1, OK);
    PEX_CHECK(sut.may_go_on(0, {1}) && !sut.may_go_on(1, {2}) && !sut.may_go_on(2, {}));
    sut.go_on(0, {7, 8}, 5);
    PEX_CHECK(sut.may_go_on(1, {0}));
    PEX_CHECK(sut.failed_before() == (std::vector<std::uint32_t>{0}));
    PEX_CHECK_EQ(sut.asked_of(0), std::uint16_t{3});
    PEX_CHECK_EQ(sut.asked_ns(0), std::uint64_t{5});
    PEX_CHECK_EQ(sut.asked_of(1), std::uint16_t{1});
    sut.note_arrival(0, sync::OUTCOME_SKIPPED);
    PEX_CHECK(!sut.may_go_on(0, {}));
    PEX_CHECK(!sut.have_ended());
    sut.clear();
    PEX_CHECK(!sut.are_there() && sut.earlier().empty());
}
