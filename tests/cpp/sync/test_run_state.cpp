// SPDX-License-Identifier: BSD-3-Clause
// The run's tables: disjoint, aligned, inside their area; reports and spans come back as they went in.
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "sync/run_state.hpp"

using namespace pex::sync;

namespace {

struct Area {
    explicit Area(const RunShape& shape) : bytes(RunState::bytes_for(shape) + 64) {}
    std::span<std::byte> aligned() {
        auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
        const std::size_t skip = (64 - address % 64) % 64;
        return {bytes.data() + skip, bytes.size() - skip};
    }
    std::vector<std::byte> bytes;
};

}  // namespace

PEX_TEST(every_cell_has_its_own_cache_line_inside_the_area) {
    const RunShape shape{5, 2, 3};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    const auto* last = reinterpret_cast<std::byte*>(&sut.cell(4)) + sizeof(CellShm);
    PEX_CHECK(last <= area.bytes.data() + area.bytes.size());
    for (std::uint32_t rank = 0; rank + 1 < 5; ++rank)
        PEX_CHECK_EQ(reinterpret_cast<std::byte*>(&sut.cell(rank + 1)) - reinterpret_cast<std::byte*>(&sut.cell(rank)),
                     std::ptrdiff_t{64});
    PEX_CHECK_EQ(reinterpret_cast<std::uintptr_t>(&sut.door(1)) % 64, std::uintptr_t{0});
}

PEX_TEST(ranks_fall_to_workers_in_turn) {
    const RunShape shape{5, 2, 1};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    PEX_CHECK_EQ(sut.process_of(0), std::uint16_t{1});
    PEX_CHECK_EQ(sut.process_of(1), std::uint16_t{2});
    PEX_CHECK_EQ(sut.process_of(4), std::uint16_t{1});
}

PEX_TEST(an_area_that_is_too_small_is_refused) {
    const RunShape shape{5, 2, 3};
    std::vector<std::byte> small(1000);
    PEX_CHECK_THROWS(RunState(std::span<std::byte>(small), shape), std::invalid_argument);
}

PEX_TEST(a_report_comes_back_whole_or_cut_in_the_middle) {
    const RunShape shape{2, 1, 1};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    PEX_CHECK_EQ(sut.read_report(1), std::string());
    sut.write_report(1, "ValueError: no");
    PEX_CHECK_EQ(sut.read_report(1), std::string("ValueError: no"));
    PEX_CHECK_EQ(sut.read_report(0), std::string());
    const std::string text = "first" + std::string(3 * REPORT_BYTES, 'x') + "last";
    sut.write_report(0, text);
    const std::string cut = sut.read_report(0);
    PEX_CHECK(cut.size() < REPORT_BYTES);
    PEX_CHECK(cut.starts_with("first"));
    PEX_CHECK(cut.ends_with("last"));
    PEX_CHECK_EQ(sut.read_report(1), std::string("ValueError: no"));
}

PEX_TEST(the_step_that_a_worker_is_in_is_told_by_its_cells_alone) {
    const RunShape shape{4, 2, 2};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    for (std::uint32_t rank = 0; rank < 4; ++rank) release(sut.cell(rank), {1, 2, 0, OUTCOME_OK, CellState::IDLE, static_cast<std::uint8_t>(1 + rank % 2)});
    PEX_CHECK(!sut.unfinished_step(1) && !sut.unfinished_step(2));
    CellWord taken;
    PEX_CHECK(take(sut.cell(2), 1, 0, taken));
    PEX_CHECK(!sut.unfinished_step(2));
    const auto found = sut.unfinished_step(1);
    PEX_CHECK(found && found->rank == 2 && found->step == 2);
    PEX_CHECK(arrive(sut.cell(2), taken, OUTCOME_OK));
    PEX_CHECK(!sut.unfinished_step(1));
}

PEX_TEST(spans_are_drained_once_in_order) {
    const RunShape shape{1, 1, 1};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    SpanRing writer = sut.ring(1);
    SpanRing reader = sut.ring(1);
    std::vector<SpanShm> out;
    for (std::uint32_t visit = 1; visit <= 3; ++visit) {
        SpanShm span{};
        span.visit = visit;
        writer.append(span);
    }
    PEX_CHECK_EQ(reader.drain(out), std::uint64_t{0});
    PEX_CHECK_EQ(out.size(), std::size_t{3});
    PEX_CHECK_EQ(out[2].visit, 3u);
    out.clear();
    PEX_CHECK_EQ(reader.drain(out), std::uint64_t{0});
    PEX_CHECK(out.empty());
}

PEX_TEST(spans_that_were_overwritten_are_counted) {
    const RunShape shape{1, 1, 1};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    SpanRing writer = sut.ring(1);
    SpanRing reader = sut.ring(1);
    std::vector<SpanShm> out;
    for (std::uint32_t visit = 1; visit <= 1000; ++visit) {
        SpanShm span{};
        span.visit = visit;
        writer.append(span);
    }
    const std::uint64_t lost = reader.drain(out);
    PEX_CHECK(lost > 0);
    PEX_CHECK_EQ(lost + out.size(), std::uint64_t{1000});
    PEX_CHECK_EQ(out.back().visit, 1000u);
}

PEX_TEST(every_slot_has_tables_of_its_own) {
    const RunShape shape{3, 2, 2, 1, 3};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    for (std::uint16_t slot = 0; slot < 3; ++slot) {
        PEX_CHECK_EQ(reinterpret_cast<std::uintptr_t>(&sut.cell(0, slot)) % 64, std::uintptr_t{0});
        for (std::uint32_t rank = 0; rank < 3; ++rank) {
            release(sut.cell(rank, slot), {slot + 1u, 1, 0, OUTCOME_OK, CellState::IDLE, 1});
            sut.fate(rank, slot).spent_visit.store(10u * slot + rank);
            sut.across(rank, 0, slot) = {100u * slot + rank, 1};
            sut.write_report(rank, "slot " + std::to_string(slot) + ", rank " + std::to_string(rank), slot);
        }
        sut.down(2, slot) = {slot, 7};
        expect_arrivals(sut.arrivals(slot), 3u + slot);
    }
    sut.set_last_of(1, 2);
    for (std::uint16_t slot = 0; slot < 3; ++slot) {
        for (std::uint32_t rank = 0; rank < 3; ++rank) {
            PEX_CHECK_EQ(unpack(sut.cell(rank, slot).word.load()).visit, slot + 1u);
            PEX_CHECK_EQ(sut.fate(rank, slot).spent_visit.load(), 10u * slot + rank);
            PEX_CHECK_EQ(sut.across(rank, 0, slot).ref, std::uint64_t{100u * slot + rank});
            PEX_CHECK_EQ(sut.read_report(rank, slot), "slot " + std::to_string(slot) + ", rank " + std::to_string(rank));
        }
        PEX_CHECK_EQ(sut.down(2, slot).ref, std::uint64_t{slot});
        PEX_CHECK_EQ(sut.arrivals(slot).wanted.load(), std::uint64_t{3u + slot});
    }
    PEX_CHECK_EQ(sut.last_of(1), std::uint16_t{2});
    const auto* end = reinterpret_cast<std::byte*>(&sut.across(2, 0, 2) + 1);
    PEX_CHECK(end <= area.aligned().data() + RunState::bytes_for(shape));
}

PEX_TEST(slices_that_go_on_meet_the_master_behind_the_last_of_their_legs) {
    const RunShape shape{1, 1, 6};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    sut.set_goes_on(2);
    sut.set_last_of(1, 2);
    sut.set_last_of(3, 3);
    sut.set_goes_on(3);
    sut.set_last_of(4, 5);
    PEX_CHECK_EQ(sut.last_of(1), std::uint16_t{2});
    PEX_CHECK_EQ(sut.last_of(3), std::uint16_t{3});
    PEX_CHECK_EQ(sut.last_of(2), std::uint16_t{2});
    PEX_CHECK_EQ(sut.meets_after(1), std::uint16_t{5});
    PEX_CHECK_EQ(sut.meets_after(3), std::uint16_t{5});
    PEX_CHECK_EQ(sut.meets_after(6), std::uint16_t{6});
    PEX_CHECK_EQ(sut.meets_after(7), std::uint16_t{7});
    PEX_CHECK(sut.goes_on(2) && sut.goes_on(3) && !sut.goes_on(5) && !sut.goes_on(7));
}

PEX_TEST(the_cells_of_a_process_in_all_slots_go_to_its_next_incarnation) {
    const RunShape shape{3, 2, 1, 0, 2};
    Area area(shape);
    RunState sut(area.aligned(), shape);
    for (std::uint16_t slot = 0; slot < 2; ++slot)
        for (std::uint32_t rank = 0; rank < 3; ++rank)
            release(sut.cell(rank, slot), {7u + slot, 1, 0, 0, CellState::IDLE, static_cast<std::uint8_t>(1 + rank % 2)});
    CellWord taken;
    PEX_CHECK(take(sut.cell(2, 0), 1, 0, taken));
    sut.revoke_cells(1, 1);
    for (std::uint16_t slot = 0; slot < 2; ++slot)
        for (std::uint32_t rank = 0; rank < 3; ++rank) {
            const CellWord word = unpack(sut.cell(rank, slot).word.load());
            PEX_CHECK_EQ(unsigned{word.incarnation}, rank == 1 ? 0u : 1u);
            PEX_CHECK(word.state == CellState::RELEASED);
        }
}
