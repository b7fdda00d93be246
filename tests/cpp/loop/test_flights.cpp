// SPDX-License-Identifier: BSD-3-Clause
// Several visits in flight, over threads: what overlaps, what keeps its order, how runs end.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "check.hpp"
#include "os/clock.hpp"
#include "theatre.hpp"

using namespace pex;
using theatre::comes;
using theatre::OK;
using theatre::Theatre;

namespace {

std::string at(const char* what, std::uint32_t visit, std::uint16_t stage) {
    return std::string(what) + " " + std::to_string(visit) + "." + std::to_string(stage);
}

// Where a line stands for the first or the last time; -1: nowhere.
std::ptrdiff_t first(const Theatre& sut, const std::string& line) {
    const auto& lines = sut.journal.lines;
    const auto found = std::find(lines.begin(), lines.end(), line);
    return found == lines.end() ? -1 : found - lines.begin();
}
std::ptrdiff_t last(const Theatre& sut, const std::string& line) {
    const auto& lines = sut.journal.lines;
    const auto found = std::find(lines.rbegin(), lines.rend(), line);
    return found == lines.rend() ? -1 : lines.rend() - found - 1;
}

// Visits up to OLD are alone. The next two begin during the slices' last stage of OLD, the younger without its event, which
// comes while the master is in its last postprocess of OLD; there it is held until the slices have been through the first
// stage of the older. `slow` is the beginning of the serial halves of the first stage that take long. Returns what came of
// three: the older in the slices, and its two ranks back.
constexpr std::uint32_t OLD = 4;

struct Waits {
    std::atomic<std::uint32_t> open{OLD};  // visits up to this one have their event
    std::atomic<bool> begun{false}, ending{false};
    std::atomic<int> came{0};
};
std::shared_ptr<Waits> idle_behind(Theatre& sut, std::uint16_t stages, const std::string& slow) {
    const auto waits = std::make_shared<Waits>();
    const auto let_begin = [=, &sut](std::uint32_t visit) {
        waits->open = visit;
        sut.playing.load()->notify_event();
    };
    sut.topics = {{std::uint16_t{1}, "newFrame"}};
    sut.hooks.admit = [&sut] { return sut.hooks.ended >= OLD - 1; };
    sut.hooks.look = [=](std::uint32_t visit, std::uint16_t) {
        return visit <= waits->open ? loop::EventLook::TAKEN : loop::EventLook::NOT_YET;
    };
    sut.hooks.during_serial = [=, &sut](const std::string& line) {
        if (line.starts_with(slow) && line.ends_with(".1")) std::this_thread::sleep_for(std::chrono::milliseconds(50));
        if (line != at("postprocess", OLD, stages)) return;
        waits->ending = true;
        for (std::uint32_t rank = 0; rank < 2; ++rank)
            waits->came += comes([&] {
                std::uint8_t outcome = 0;
                return sync::has_arrived(sut.state.cell(rank, 1), OLD + 1, 1, outcome);
            });
        let_begin(1000);
    };
    sut.worker_hooks.outcome = [=](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        if (rank == 0 && visit == OLD && step == stages) {
            let_begin(OLD + 1);
            waits->came += comes([&] { return waits->begun.load(); });
        }
        if (rank == 1 && visit == OLD + 1 && step == 1) waits->begun = true;
        if (rank == 0 && visit == OLD + 1 && step == 1) comes([&] { return waits->ending.load(); });
        return OK;
    };
    return waits;
}

}  // namespace

PEX_TEST(a_visit_begins_while_slices_work_on_the_one_before) {
    Theatre sut(2, 2, 2, 2);
    std::atomic<bool> second_began{false};
    bool came = false;
    sut.hooks.during_serial = [&](const std::string& line) {
        if (line == "preprocess 2.1") second_began = true;
    };
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        if (rank == 0 && visit == 1 && step == 1) came = comes([&] { return second_began.load(); });
        return OK;
    };
    PEX_CHECK(sut.play(2).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK(came);
}

PEX_TEST(a_stage_whose_instance_has_both_serial_halves_holds_one_visit) {
    Theatre sut(2, 2, 3, 3);
    sut.holding = {1, 3};
    sut.play(30);
    for (std::uint32_t visit = 2; visit <= 30; ++visit)
        for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{3}})
            PEX_CHECK(first(sut, at("preprocess", visit, stage)) > last(sut, at("postprocess", visit - 1, stage)));
}

PEX_TEST(every_stage_and_rank_has_one_visit_at_a_time_and_in_order) {
    for (const std::uint16_t in_flight : {std::uint16_t{2}, std::uint16_t{3}, std::uint16_t{8}}) {
        Theatre sut(5, 3, 3, in_flight);
        sut.joined = {2};
        std::mutex mutex;
        std::map<std::pair<std::uint32_t, std::uint16_t>, std::vector<std::uint32_t>> order;
        std::map<std::uint32_t, int> at_once;
        bool alone = true;
        sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
            {
                const std::lock_guard lock(mutex);
                order[{rank, step}].push_back(visit);
                alone = alone && ++at_once[rank] == 1;
            }
            if ((rank + visit + step) % 3 == 0) std::this_thread::yield();
            const std::lock_guard lock(mutex);
            --at_once[rank];
            return OK;
        };
        const loop::LoopResult result = sut.play(300);
        PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
        PEX_CHECK_EQ(result.visit, 300u);
        PEX_CHECK(alone);
        PEX_CHECK_EQ(order.size(), std::size_t{5 * 4});
        std::vector<std::uint32_t> all(300);
        for (std::uint32_t i = 0; i < 300; ++i) all[i] = i + 1;
        for (const auto& [where, visits] : order) PEX_CHECK(visits == all);
        PEX_CHECK(sut.hooks.begun == all);
        PEX_CHECK(sut.hooks.ended_in_order == all);
        for (const char* what : {"preprocess", "postprocess"})
            for (std::uint32_t visit = 2; visit <= 300; ++visit)
                PEX_CHECK(first(sut, at(what, visit, 3)) > first(sut, at(what, visit - 1, 3)));
    }
}

PEX_TEST(within_a_visit_the_order_is_that_of_the_contract) {
    Theatre sut(3, 2, 2, 3);
    sut.play(50);
    for (std::uint32_t visit = 1; visit <= 50; ++visit) {
        for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{2}}) {
            PEX_CHECK(first(sut, at("preprocess", visit, stage)) < first(sut, at("process", visit, stage)));
            PEX_CHECK(last(sut, at("process", visit, stage)) < first(sut, at("postprocess", visit, stage)));
        }
        PEX_CHECK(first(sut, at("postprocess", visit, 1)) < first(sut, at("preprocess", visit, 2)));
    }
}

PEX_TEST(visits_in_flight_are_as_many_as_asked_for_and_have_different_slots) {
    Theatre sut(2, 1, 4, 3);
    std::size_t most = 0;
    bool differ = true;
    sut.hooks.during_serial = [&](const std::string&) {
        const std::size_t in_flight = sut.hooks.begun.size() - sut.hooks.ended;
        most = std::max(most, in_flight);
    };
    sut.play(40);
    PEX_CHECK_EQ(most, std::size_t{3});
    for (std::uint32_t visit = 1; visit <= 40; ++visit) {
        PEX_CHECK_EQ(sut.hooks.slots[visit].size(), std::size_t{1});
        for (std::uint32_t other = visit + 1; other < visit + 3 && other <= 40; ++other)
            differ = differ && sut.hooks.slots[visit] != sut.hooks.slots[other];
    }
    PEX_CHECK(differ);
}

PEX_TEST(a_visit_that_is_not_admitted_waits_until_one_has_ended) {
    Theatre sut(2, 2, 3, 4);
    int asked = 0;
    sut.hooks.admit = [&] {
        ++asked;
        return false;
    };
    bool alone = true;
    sut.hooks.during_serial = [&](const std::string&) {
        alone = alone && sut.hooks.begun.size() - sut.hooks.ended == 1;
    };
    sut.play(20);
    PEX_CHECK(alone);
    PEX_CHECK_EQ(sut.hooks.ended, 20u);
    PEX_CHECK(asked > 0 && asked <= 20);
}

PEX_TEST(idle_slices_are_given_work_before_the_master_takes_long) {
    Theatre sut(2, 2, 1, 3);
    const auto waits = idle_behind(sut, 1, "postprocess");
    PEX_CHECK(sut.play(8).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(waits->came, 3);
    PEX_CHECK(first(sut, at("preprocess", OLD + 2, 1)) < first(sut, at("postprocess", OLD + 1, 1)));
}

PEX_TEST(a_step_is_put_off_only_for_slices_that_can_begin_sooner_than_it_ends) {
    for (const std::string slow : {"postprocess", "preprocess"}) {
        Theatre sut(2, 2, 2, 3);
        const auto waits = idle_behind(sut, 2, slow);
        sut.play(8);
        PEX_CHECK_EQ(waits->came, 3);
        const bool younger_first = first(sut, at("preprocess", OLD + 2, 1)) < first(sut, at("postprocess", OLD + 1, 1));
        PEX_CHECK_EQ(younger_first, slow == "postprocess");
    }
}

PEX_TEST(what_follows_the_end_of_the_data_is_left_and_what_is_older_ends) {
    for (int round = 0; round < 20; ++round) {
        Theatre sut(2, 2, 4, 3);
        sut.worker_hooks.outcome = [](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
            return std::uint8_t{rank == 1 && visit >= 5 && step == 2 ? sync::OUTCOME_NO_MORE : sync::OUTCOME_OK};
        };
        const loop::LoopResult result = sut.play(0);
        PEX_CHECK(result.end == loop::LoopEnd::NO_MORE);
        PEX_CHECK_EQ(result.visit, 5u);
        PEX_CHECK_EQ(result.stage, std::uint16_t{2});
        PEX_CHECK(first(sut, "postprocess 4.4") >= 0);
        PEX_CHECK(first(sut, "postprocess 5.2") >= 0 && first(sut, "preprocess 5.3") < 0);
        PEX_CHECK(first(sut, "preprocess 6.3") < 0 && first(sut, "preprocess 8.1") < 0);
        PEX_CHECK_EQ(sut.hooks.ended + sut.hooks.dropped, static_cast<std::uint32_t>(sut.hooks.begun.size()));
    }
}

PEX_TEST(a_stop_brings_every_visit_to_the_place_that_its_level_names) {
    for (const int level : {4, 3, 2}) {
        Theatre sut(2, 2, 3, 3);
        std::map<std::uint32_t, std::set<std::uint16_t>> closed;
        std::mutex mutex;
        sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
            if (visit == 6 && step == 2) sut.playing.load()->request_stop(level);
            const std::lock_guard lock(mutex);
            if (step > 3) closed[visit].insert(static_cast<std::uint16_t>(rank));
            return OK;
        };
        const loop::LoopResult result = sut.play(0);
        PEX_CHECK(result.end == loop::LoopEnd::STOPPED);
        const auto begun = static_cast<std::uint32_t>(sut.hooks.begun.size());
        PEX_CHECK_EQ(sut.hooks.ended + sut.hooks.dropped, begun);
        for (const auto& [visit, ranks] : closed) PEX_CHECK_EQ(ranks.size(), std::size_t{2});
        if (level == 4)
            for (std::uint32_t visit = 1; visit <= begun; ++visit) PEX_CHECK(first(sut, at("postprocess", visit, 3)) >= 0);
        if (level == 3) PEX_CHECK(first(sut, "postprocess 6.2") >= 0 && first(sut, "preprocess 6.3") < 0);
        if (level == 2) PEX_CHECK(first(sut, "postprocess 6.2") < 0);
    }
}

PEX_TEST(a_stop_at_once_ends_whatever_is_in_flight) {
    Theatre sut(2, 2, 2, 3);
    sut.worker_hooks.outcome = [&](std::uint32_t, std::uint32_t visit, std::uint16_t) {
        if (visit == 3) sut.playing.load()->request_stop(1);
        return OK;
    };
    PEX_CHECK(sut.play(0).end == loop::LoopEnd::AT_ONCE);
}

PEX_TEST(a_fatal_slice_of_a_younger_visit_ends_the_run_there) {
    Theatre sut(2, 2, 2, 2);
    std::atomic<bool> ended{false};
    bool was_waited_for = false;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        // Visit 1 stays in its second stage, so that the fatal one is the younger.
        if (rank == 0 && visit == 1 && step == 2) was_waited_for = !comes([&] { return ended.load(); });
        return std::uint8_t{rank == 1 && visit == 2 && step == 1 ? sync::OUTCOME_FATAL : sync::OUTCOME_OK};
    };
    sut.after_the_loop = [&] { ended = true; };
    const loop::LoopResult result = sut.play(0);
    PEX_CHECK(result.end == loop::LoopEnd::SLICE_FATAL);
    PEX_CHECK_EQ(result.visit, 2u);
    PEX_CHECK(!was_waited_for);
}

PEX_TEST(what_a_replacement_says_that_could_not_be_set_up_is_not_lost_when_the_next_step_is_asked_for) {
    for (const std::uint16_t in_flight : {std::uint16_t{1}, std::uint16_t{2}}) {
        Theatre sut(1, 1, 2, in_flight);
        sut.hooks.during_serial = [&](const std::string& line) {
            if (line != "preprocess 3.1") return;
            for (std::uint16_t slot = 0; slot < in_flight; ++slot) sync::revoke(sut.state.cell(0, slot), 1, 1);
            sut.state.process(1).incarnation.store(1);
            loop::Traffic traffic;
            loop::WorkerLoop fresh(sut.state, 1, traffic, {20'000, 200'000});
            fresh.set_incarnation(1);
            sut.state.write_report(0, "why");
            PEX_CHECK(fresh.arrive_ready(0, sync::OUTCOME_FATAL));
        };
        PEX_CHECK(sut.play(0).end == loop::LoopEnd::SLICE_FATAL);
        const sync::CellWord word = sync::unpack(sut.state.cell(0, 0).word.load());
        PEX_CHECK(word.state == sync::CellState::ARRIVED && (word.outcome & sync::OUTCOME_FATAL) != 0);
        PEX_CHECK_EQ(sut.state.read_report(0), "why");
    }
}

PEX_TEST(the_wait_for_an_event_overlaps_with_the_visit_before) {
    Theatre sut(2, 2, 2, 2);
    sut.topics = {{std::uint16_t{1}, "newFrame"}};
    std::atomic<bool> looked{false};
    std::atomic<bool> published{false};
    bool came = false;
    sut.hooks.look = [&](std::uint32_t visit, std::uint16_t) {
        if (visit == 1) return loop::EventLook::TAKEN;
        looked = true;
        return published ? loop::EventLook::TAKEN : loop::EventLook::NOT_YET;
    };
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        if (rank == 0 && visit == 1 && step == 2) {
            came = comes([&] { return looked.load(); });
            published = true;
            sut.playing.load()->notify_event();
        }
        return OK;
    };
    PEX_CHECK(sut.play(2).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK(came);
    PEX_CHECK_EQ(sut.hooks.ended, 2u);
}

PEX_TEST(an_event_that_nobody_rings_for_is_found_while_slices_with_deadlines_work) {
    Theatre sut(2, 2, 2, 2);
    sut.topics = {{std::uint16_t{1}, "newFrame"}};
    sut.before_the_loop = [](loop::MasterLoop& master) {
        master.set_limits(std::vector<std::uint64_t>(4, 600'000'000'000));
    };
    std::atomic<int> looks{0};
    bool came = false;
    sut.hooks.look = [&](std::uint32_t visit, std::uint16_t) {
        if (visit == 2) ++looks;
        return visit == 1 || looks > 1 ? loop::EventLook::TAKEN : loop::EventLook::NOT_YET;
    };
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        if (rank == 0 && visit == 1 && step == 2) came = comes([&] { return looks > 1; });
        return OK;
    };
    PEX_CHECK(sut.play(2).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK(came);
}

PEX_TEST(events_go_to_visits_in_their_order) {
    Theatre sut(2, 2, 3, 3);
    sut.topics = {{std::uint16_t{1}, "a"}, {std::uint16_t{3}, "b"}};
    std::map<std::uint16_t, std::vector<std::uint32_t>> taken;
    std::uint32_t looks = 0;
    sut.hooks.look = [&](std::uint32_t visit, std::uint16_t stage) {
        if (++looks % 3 != 0) {
            sut.playing.load()->notify_event();
            return loop::EventLook::NOT_YET;
        }
        taken[stage].push_back(visit);
        return loop::EventLook::TAKEN;
    };
    PEX_CHECK(sut.play(60).end == loop::LoopEnd::VISITS_DONE);
    for (const auto& [stage, visits] : taken) {
        PEX_CHECK_EQ(visits.size(), std::size_t{60});
        PEX_CHECK(std::is_sorted(visits.begin(), visits.end()));
    }
}

PEX_TEST(events_of_one_topic_go_to_all_stages_of_a_visit_before_the_next_visit) {
    Theatre sut(2, 2, 3, 3);
    sut.topics = {{std::uint16_t{1}, "a"}, {std::uint16_t{3}, "a"}};
    std::vector<std::uint32_t> taken;
    sut.hooks.look = [&](std::uint32_t visit, std::uint16_t) {
        taken.push_back(visit);
        return loop::EventLook::TAKEN;
    };
    PEX_CHECK(sut.play(40).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(taken.size(), std::size_t{80});
    PEX_CHECK(std::is_sorted(taken.begin(), taken.end()));
}

PEX_TEST(when_no_event_is_left_what_is_older_ends) {
    for (const std::uint16_t stage : {std::uint16_t{1}, std::uint16_t{3}}) {
        Theatre sut(2, 2, 3, 3);
        sut.topics = {{stage, "newFrame"}};
        sut.hooks.look = [](std::uint32_t visit, std::uint16_t) {
            return visit < 5 ? loop::EventLook::TAKEN : loop::EventLook::DRAINED;
        };
        const loop::LoopResult result = sut.play(0);
        PEX_CHECK(result.end == loop::LoopEnd::DRAINED);
        PEX_CHECK_EQ(result.visit, stage == 1 ? 4u : 5u);
        PEX_CHECK(first(sut, "postprocess 4.3") >= 0);
        PEX_CHECK(first(sut, "preprocess 5.3") < 0);
        PEX_CHECK_EQ(sut.hooks.ended + sut.hooks.dropped, static_cast<std::uint32_t>(sut.hooks.begun.size()));
        if (stage == 1) PEX_CHECK_EQ(sut.hooks.dropped, 1u);
    }
}

PEX_TEST(a_stop_ends_the_waits_for_events_of_several_visits) {
    Theatre sut(1, 1, 3, 3);
    sut.topics = {{std::uint16_t{1}, "a"}, {std::uint16_t{3}, "b"}};
    std::atomic<bool> waiting{false};
    sut.hooks.look = [&](std::uint32_t visit, std::uint16_t stage) {
        if (stage == 3) return loop::EventLook::NOT_YET;
        waiting = waiting || visit == 3;
        return loop::EventLook::TAKEN;
    };
    std::thread stopper;
    sut.before_the_loop = [&](loop::MasterLoop& master) {
        stopper = std::thread([&] {
            comes([&] { return waiting.load(); });
            master.request_stop(4);
        });
    };
    sut.after_the_loop = [&] { stopper.join(); };
    PEX_CHECK(sut.play(0).end == loop::LoopEnd::STOPPED);
    PEX_CHECK_EQ(sut.hooks.ended + sut.hooks.dropped, static_cast<std::uint32_t>(sut.hooks.begun.size()));
}

PEX_TEST(idle_workers_take_waiting_ranks_of_several_visits) {
    Theatre sut(6, 3, 2, 3);
    sut.state.head().balances.store(1);
    std::atomic<std::uint32_t> ran{0};
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t) {
        ++ran;
        if ((rank + visit) % 4 == 0) std::this_thread::yield();
        return OK;
    };
    PEX_CHECK(sut.play(200).end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(ran.load(), 200u * 6u * 3u);
}

PEX_TEST(a_rank_in_one_worker_has_its_visits_in_order_however_ranks_are_taken) {
    Theatre sut(6, 3, 2, 4);
    sut.state.head().balances.store(1);
    std::mutex mutex;
    std::map<std::tuple<std::thread::id, std::uint32_t, std::uint16_t>, std::vector<std::uint32_t>> order;
    sut.worker_hooks.outcome = [&](std::uint32_t rank, std::uint32_t visit, std::uint16_t step) {
        {
            const std::lock_guard lock(mutex);
            order[{std::this_thread::get_id(), rank, step}].push_back(visit);
        }
        if ((rank + visit) % 4 == 0) std::this_thread::yield();
        return OK;
    };
    PEX_CHECK(sut.play(200).end == loop::LoopEnd::VISITS_DONE);
    for (const auto& [where, visits] : order) PEX_CHECK(std::is_sorted(visits.begin(), visits.end()));
}

PEX_TEST(a_worker_is_late_with_the_visit_that_it_works_on_and_with_no_other) {
    Theatre sut(1, 1, 1, 2);
    sync::ProcessShm& worker = sut.state.process(1);
    worker.state.store(sync::ProcessState::WORKING);
    loop::Lateness lateness(sut.state);
    lateness.set_limits({0, 1'000'000'000});
    loop::Flight older;
    older.visit = 1;
    older.asked = 1;
    older.clock = loop::StageClock(1'000'000'000, 0);
    loop::Flight younger = older;
    younger.visit = 2;
    younger.slot = 1;
    for (const loop::Flight* flight : {&older, &younger})
        sync::release(sut.state.cell(0, flight->slot), {flight->visit, 1, 0, OK, sync::CellState::IDLE, 1});
    worker.busy_visit.store(1);
    worker.busy_rank.store(0);
    worker.busy_stage.store(1);
    int late = 0;
    const auto count = [&](std::uint16_t, std::uint16_t) { ++late; };
    lateness.find(younger, 2'000'000'000, count);
    PEX_CHECK_EQ(late, 0);
    lateness.find(older, 2'000'000'000, count);
    PEX_CHECK_EQ(late, 1);
    worker.since_ns.store(1'900'000'000);
    worker.busy_rank.store(-1);
    lateness.find(younger, 2'000'000'000, count);
    PEX_CHECK_EQ(late, 1);
    lateness.find(younger, 3'000'000'000, count);
    PEX_CHECK_EQ(late, 2);
}

PEX_TEST(visits_in_flight_need_no_slices) {
    Theatre sut(0, 0, 2, 3);
    const loop::LoopResult result = sut.play(5);
    PEX_CHECK(result.end == loop::LoopEnd::VISITS_DONE);
    PEX_CHECK_EQ(sut.hooks.ended, 5u);
}
