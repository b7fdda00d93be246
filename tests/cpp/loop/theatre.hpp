// SPDX-License-Identifier: BSD-3-Clause
// The two loops over threads, with the tables in ordinary memory: what the tests of the loops play on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "loop/master_loop.hpp"
#include "loop/worker_loop.hpp"
#include "os/clock.hpp"

namespace theatre {

using namespace pex;

constexpr std::uint8_t OK = sync::OUTCOME_OK;

// Returns whether it came within the time in which a test gives up.
template <class Ready>
bool comes(Ready&& ready) {
    const std::uint64_t give_up = os::now_ns() + 20'000'000'000u;
    while (!ready()) {
        if (os::now_ns() > give_up) return false;
        std::this_thread::yield();
    }
    return true;
}

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
    std::uint8_t run_step(const loop::Task& task, std::uint16_t step, bool) override {
        if (step <= m_stages) m_journal.write("process " + std::to_string(task.visit) + "." + std::to_string(step));
        return outcome ? outcome(task.rank, task.visit, step) : std::uint8_t{sync::OUTCOME_OK};
    }
    void told() override {
        if (after) after();
    }
    void check_signals() override {}
    std::function<std::uint8_t(std::uint32_t, std::uint32_t, std::uint16_t)> outcome;
    std::function<void()> after;

private:
    Journal& m_journal;
    std::uint32_t m_stages;
};

class Master final : public loop::MasterHooks {
public:
    explicit Master(Journal& journal) : m_journal(journal) {}
    void slices_ready() override { m_journal.write("ready"); }
    bool admits() override { return !admit || admit(); }
    void turn_to(std::uint16_t slot, std::uint32_t visit) override {
        m_visit = visit;
        slots[visit].insert(slot);
    }
    void begin_visit(std::uint32_t visit) override {
        begun.push_back(visit);
        PEX_CHECK_EQ(visit, m_visit);
    }
    std::uint8_t preprocess(std::uint16_t stage) override { return note("preprocess", stage); }
    void publish(std::uint16_t) override {}
    void gather(std::uint16_t stage, const loop::Arrivals& arrivals, const std::vector<loop::LegEnd>& earlier) override {
        raised += arrivals.raised;
        skipped += arrivals.skipped;
        ends[m_visit].insert(ends[m_visit].end(), earlier.begin(), earlier.end());
        if (on_gather) on_gather(m_visit, stage);
    }
    std::uint8_t postprocess(std::uint16_t stage) override { return note("postprocess", stage); }
    void end_visit(std::uint32_t visit) override {
        ++ended;
        ended_in_order.push_back(visit);
    }
    loop::EventLook take_event(std::uint16_t stage) override {
        const loop::EventLook found = look(m_visit, stage);
        if (found == loop::EventLook::TAKEN) note("event", stage);
        return found;
    }
    void drop_visit(std::uint32_t) override { ++dropped; }
    void check_signals() override {}
    std::function<void(const std::string&)> during_serial;
    bool workers_died(const std::vector<loop::InSlices>& slices) override { return on_death && on_death(slices); }
    void late(std::uint16_t, std::uint32_t, std::uint16_t) override {}
    std::function<bool(const std::vector<loop::InSlices>&)> on_death;
    std::function<void(std::uint32_t, std::uint16_t)> on_gather;
    std::map<std::uint32_t, std::vector<loop::LegEnd>> ends;  // by visit
    std::uint32_t raised = 0;
    std::uint32_t skipped = 0;
    std::uint32_t ended = 0;
    std::uint32_t dropped = 0;
    std::function<loop::EventLook(std::uint32_t, std::uint16_t)> look;
    std::function<bool()> admit;
    std::vector<std::uint32_t> begun;
    std::vector<std::uint32_t> ended_in_order;
    std::map<std::uint32_t, std::set<std::uint16_t>> slots;  // by visit

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
    Theatre(std::uint32_t ranks, std::uint16_t workers, std::uint16_t stages, std::uint16_t visits_in_flight = 1)
        : m_shape{ranks, workers, stages, 0, visits_in_flight}, m_area(sync::RunState::bytes_for(m_shape) / 64 + 1),
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
        input.ready = ready;
        for (const std::uint16_t stage : ready) input.exchanges[stage] = "ring";
        if (!ready.empty()) input.neighbours = neighbours;
        input.holding = holding;
        input.visits_in_flight = m_shape.slots;
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
    std::set<std::uint16_t> ready;
    std::vector<std::vector<std::uint32_t>> neighbours;
    std::set<std::uint16_t> holding;
    std::function<void(loop::MasterLoop&)> before_the_loop;
    std::atomic<loop::MasterLoop*> playing{nullptr};
};

}  // namespace theatre
