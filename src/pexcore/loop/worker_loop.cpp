// SPDX-License-Identifier: BSD-3-Clause
// The worker's loop.
#include "loop/worker_loop.hpp"

#include <algorithm>

#include "os/clock.hpp"
#include "os/fault_point.hpp"

namespace pex::loop {

using sync::CellWord;

bool WorkerLoop::arrive_ready(std::uint32_t rank, std::uint8_t outcome) {
    if (m_incarnation != 0) {
        if ((outcome & sync::OUTCOME_FATAL) != 0) return fail_ready(m_state.cell(rank), outcome);
        return !was_replaced(rank);
    }
    std::uint64_t fresh = sync::pack(CellWord{});
    const CellWord ready{0, 0, 0, outcome, sync::CellState::ARRIVED, self()};
    // ORDER seq_cst: pairs with has_arrived(), as in sync::arrive(). What is no longer fresh has arrived before, and
    // the master may ask for steps in it.
    if (!m_state.cell(rank).word.compare_exchange_strong(fresh, sync::pack(ready), std::memory_order_seq_cst))
        return false;
    note_fatal(outcome);
    sync::ring(m_state.door(sync::MASTER_PROCESS));
    return true;
}

bool WorkerLoop::fail_ready(sync::CellShm& cell, std::uint8_t outcome) {
    // ORDER seq_cst: pairs with release() and has_arrived().
    std::uint64_t bits = cell.word.load(std::memory_order_seq_cst);
    for (;;) {
        CellWord failed = sync::unpack(bits);
        if (sync::was_replaced(failed, self(), m_incarnation)) return false;
        // The rank is another worker's in this visit: the run ends all the same.
        if (failed.process != self()) break;
        failed.outcome = outcome;
        failed.state = sync::CellState::ARRIVED;
        // ORDER seq_cst: as above.
        if (cell.word.compare_exchange_strong(bits, sync::pack(failed), std::memory_order_seq_cst)) break;
    }
    note_fatal(outcome);
    sync::ring(m_state.door(sync::MASTER_PROCESS));
    return true;
}

bool WorkerLoop::run(WorkerHooks& hooks) {
    sync::RunHeadShm& head = m_state.head();
    // ORDER seq_cst: pairs with the master's store before it rings.
    auto stopping = [&] { return head.stop.load(std::memory_order_seq_cst) != 0; };
    while (!stopping()) {
        const Did did = run_released(hooks);
        if (did == Did::REPLACED) return false;
        if (did == Did::RAN) continue;
        const std::uint64_t start = os::now_ns();
        const bool shares_core = m_is_crowded || sync::shares_core(m_state.door(sync::MASTER_PROCESS));
        sync::wait_for(
            m_state.door(m_process), m_spin.patience(shares_core), os::NO_DEADLINE,
            [&] { return stopping() || anything_to_do(); }, [&] { hooks.waits(); });
        m_spin.note(os::now_ns() - start);
        hooks.check_signals();
    }
    return true;
}

bool WorkerLoop::balances() const {
    // ORDER seq_cst: the master sets it before the first release.
    return m_state.head().balances.load(std::memory_order_seq_cst) != 0;
}

WorkerLoop::Ranks WorkerLoop::ranks() const {
    if (balances()) return {0, 1};
    return {m_process - 1u, m_state.shape().workers};
}

CellWord WorkerLoop::word_of(std::uint32_t rank, std::uint16_t slot) {
    // ORDER seq_cst: pairs with sync::release(), which makes the down manifest visible, and with sync::revoke().
    return sync::unpack(m_state.cell(rank, slot).word.load(std::memory_order_seq_cst));
}

bool WorkerLoop::anything_to_do() {
    const auto [first, stride] = ranks();
    for (std::uint16_t slot = 0; slot < slots(); ++slot)
        for (std::uint32_t rank = first; rank < m_state.shape().ranks; rank += stride) {
            const CellWord word = word_of(rank, slot);
            // This worker was replaced, and learns it where it looks for work.
            if (sync::was_replaced(word, self(), m_incarnation)) return true;
            if (sync::is_for(word, self(), m_incarnation) && (word.process == self() || may_take_more())) return true;
        }
    return false;
}

void WorkerLoop::order_slots() {
    m_order.resize(slots());
    if (slots() == 1) return;
    const std::uint32_t rank = ranks().first;
    if (rank >= m_state.shape().ranks) return;
    for (std::uint16_t slot = 0; slot < slots(); ++slot) m_order[slot] = {word_of(rank, slot).visit, slot};
    std::sort(m_order.begin(), m_order.end());
}

WorkerLoop::Did WorkerLoop::run_released(WorkerHooks& hooks) {
    order_slots();
    bool is_oldest = true;
    for (const auto& [visit, slot] : m_order) {
        const Did did = run_slot(hooks, slot, is_oldest);
        if (did != Did::NOTHING) return did;
        is_oldest = false;
    }
    return Did::NOTHING;
}

WorkerLoop::Did WorkerLoop::run_slot(WorkerHooks& hooks, std::uint16_t slot, bool is_oldest) {
    Did all = Did::NOTHING;
    // Returns whether to look no further.
    auto run = [&](std::uint32_t rank) {
        const Did did = run_rank(hooks, rank, slot);
        if (did != Did::NOTHING) all = did;
        return did == Did::REPLACED || (did == Did::RAN && !is_oldest);
    };
    const auto [first, stride] = ranks();
    for (std::uint32_t rank = first; rank < m_state.shape().ranks; rank += stride)
        if (word_of(rank, slot).process == self() && run(rank)) return all;
    if (!balances()) return all;
    // Ranks that wait for others, one at a time, from the last rank on: the workers they belong to come from the first.
    for (std::uint32_t rank = m_state.shape().ranks; rank-- > 0 && may_take_more();)
        if (run(rank)) return all;
    return all;
}

bool WorkerLoop::may_take_more() const { return m_state.shape().stages + 2u <= m_spans.room(); }

bool WorkerLoop::older_waits(std::uint32_t rank, std::uint16_t slot, std::uint32_t visit) {
    // The master releases a step of an older visit before the same step of a younger one. Who has seen the younger one's
    // release therefore finds the older one's here, if it has not been taken yet.
    for (std::uint16_t other = 0; other < slots(); ++other) {
        if (other == slot) continue;
        const CellWord word = word_of(rank, other);
        if (word.visit < visit && sync::is_for(word, self(), m_incarnation)) return true;
    }
    return false;
}

bool WorkerLoop::took_in_vain(std::uint32_t rank, std::uint16_t slot, const CellWord& taken) {
    // ORDER seq_cst: after the cell was taken; pairs with the master's store before it revokes the cells of a worker
    // that is to be replaced. Either the master finds this one among them, or this load sees the replacement.
    const std::uint32_t now = m_state.process(m_process).incarnation.load(std::memory_order_seq_cst);
    if (now == m_incarnation) return false;
    if (sync::give_back(m_state.cell(rank, slot), taken))
        for (std::uint16_t worker = 1; worker <= m_state.shape().workers; ++worker) sync::ring(m_state.door(worker));
    return true;
}

WorkerLoop::Did WorkerLoop::run_rank(WorkerHooks& hooks, std::uint32_t rank, std::uint16_t slot) {
    sync::ProcessShm& process = m_state.process(m_process);
    sync::CellShm& cell = m_state.cell(rank, slot);
    const CellWord seen = word_of(rank, slot);
    if (seen.state == sync::CellState::RELEASED && older_waits(rank, slot, seen.visit)) return Did::NOTHING;
    CellWord taken;
    bool of_all = false;
    // Of this word: in a slot that was used again meanwhile another visit would have been older.
    if (!sync::take(cell, seen, self(), m_incarnation, taken, of_all))
        return sync::was_replaced(seen, self(), m_incarnation) ? Did::REPLACED : Did::NOTHING;
    if (of_all && took_in_vain(rank, slot, taken)) return Did::REPLACED;
    os::fault_point("worker: took");
    const std::uint8_t outcome = run_stages(hooks, {rank, slot, taken.visit}, taken.step);
    // ORDER relaxed: published by the store below.
    process.since_ns.store(m_ended_ns, std::memory_order_relaxed);
    // ORDER release: pairs with the acquires in Lateness: what waits for this worker is not judged by the beginning of
    // what it has just ended.
    process.busy_rank.store(-1, std::memory_order_release);
    os::fault_point("worker: ran");
    if (!sync::arrive(cell, taken, outcome)) return Did::REPLACED;
    os::fault_point("worker: arrived");
    tell_master(slot, outcome);
    hooks.told();
    return Did::RAN;
}

std::uint8_t WorkerLoop::run_stages(WorkerHooks& hooks, const Task& task, std::uint16_t step) {
    const std::uint16_t last = m_state.last_of(step);
    std::uint8_t outcome = sync::OUTCOME_OK;
    for (; step <= last; ++step) {
        outcome = static_cast<std::uint8_t>(outcome | run_one(hooks, task, step, step != last));
        if ((outcome & sync::OUTCOME_FATAL) != 0) break;
    }
    // What was passed over after a failure in this step goes without saying.
    if ((outcome & sync::OUTCOME_RAISED) != 0) outcome = static_cast<std::uint8_t>(outcome & ~sync::OUTCOME_SKIPPED);
    return outcome;
}

std::uint8_t WorkerLoop::run_one(WorkerHooks& hooks, const Task& task, std::uint16_t step, bool more) {
    sync::ProcessShm& self = m_state.process(m_process);
    const Traffic start = m_traffic;
    sync::SpanShm span{};
    span.start_ns = os::now_ns();
    // ORDER relaxed: published by the store below.
    self.busy_visit.store(task.visit, std::memory_order_relaxed);
    // ORDER release: pairs with the acquires in Lateness.
    self.busy_rank.store(static_cast<std::int32_t>(task.rank), std::memory_order_release);
    // ORDER relaxed: the master compares it with a deadline, now and then.
    self.since_ns.store(span.start_ns, std::memory_order_relaxed);
    // ORDER release: pairs with the acquire in Lateness::limit_now_ns().
    self.busy_stage.store(step, std::memory_order_release);
    span.outcome = hooks.run_step(task, step, more);
    span.end_ns = m_ended_ns = os::now_ns();
    span.bytes_copied = m_traffic.copied - start.copied;
    span.bytes_shared = m_traffic.shared - start.shared;
    span.bytes_clipboard = m_traffic.clipboard;
    span.visit = task.visit;
    span.rank = static_cast<std::int32_t>(task.rank);
    span.stage = step;
    span.kind = step > m_state.shape().stages ? sync::SpanKind::END_OF_VISIT : sync::SpanKind::PROCESS;
    m_spans.append(span);
    return static_cast<std::uint8_t>(span.outcome);
}

bool WorkerLoop::was_replaced(std::uint32_t rank) {
    for (std::uint16_t slot = 0; slot < slots(); ++slot)
        if (sync::was_replaced(word_of(rank, slot), self(), m_incarnation)) return true;
    return false;
}

bool WorkerLoop::note_fatal(std::uint8_t outcome) {
    if ((outcome & sync::OUTCOME_FATAL) == 0) return false;
    // ORDER seq_cst: after the arrival and before the ring. The master counts arrivals in the order of ranks; this
    // makes it look at the ranks behind one that has not arrived, for a fatal outcome ends the run at once.
    m_state.head().fatal.store(1, std::memory_order_seq_cst);
    return true;
}

void WorkerLoop::tell_master(std::uint16_t slot, std::uint8_t outcome) {
    sync::RunHeadShm& head = m_state.head();
    // Only the last to arrive needs to ring; the master scans all cells then.
    const bool last = sync::count_arrival(m_state.arrivals(slot));
    os::fault_point("worker: counted");
    const bool urgent = note_fatal(outcome);
    // ORDER seq_cst: pairs with the watcher's store. Once somebody has died the count is short for ever; either
    // this load sees the flag, or the watcher's ring comes after the arrival above and the master sees the cell.
    if (last || urgent || head.ring_always.load(std::memory_order_seq_cst) != 0)
        sync::ring(m_state.door(sync::MASTER_PROCESS));
}

}  // namespace pex::loop
