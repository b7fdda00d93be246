// SPDX-License-Identifier: BSD-3-Clause
// Cells: packing, and who may move a cell from where to where.
#include "check.hpp"
#include "sync/cell.hpp"

using namespace pex::sync;

PEX_TEST(packing_keeps_every_field) {
    const CellWord word{0xfedcba98u, 0x2bcd, 0xa, OUTCOME_RAISED | OUTCOME_NO_MORE, CellState::ARRIVED, 0xe5};
    PEX_CHECK(unpack(pack(word)) == word);
    PEX_CHECK(unpack(0) == CellWord{});
}

PEX_TEST(a_released_cell_is_taken_once) {
    CellShm cell{};
    CellWord taken;
    PEX_CHECK(!take(cell, 0, 0, taken));
    release(cell, {7, 2, 0, OUTCOME_OK, CellState::IDLE});
    PEX_CHECK(take(cell, 0, 0, taken));
    PEX_CHECK_EQ(taken.visit, 7u);
    CellWord again;
    PEX_CHECK(!take(cell, 0, 0, again));
}

PEX_TEST(an_arrival_carries_its_outcome) {
    CellShm cell{};
    release(cell, {3, 1, 0, OUTCOME_OK, CellState::IDLE});
    CellWord taken;
    PEX_CHECK(take(cell, 0, 0, taken));
    std::uint8_t outcome = 0;
    PEX_CHECK(!has_arrived(cell, 3, 1, outcome));
    PEX_CHECK(arrive(cell, taken, OUTCOME_RAISED));
    PEX_CHECK(has_arrived(cell, 3, 1, outcome));
    PEX_CHECK_EQ(int(outcome), int(OUTCOME_RAISED));
    PEX_CHECK(!has_arrived(cell, 3, 2, outcome));
    PEX_CHECK(!has_arrived(cell, 4, 1, outcome));
}

PEX_TEST(a_worker_that_was_replaced_cannot_arrive) {
    CellShm cell{};
    release(cell, {1, 1, 0, OUTCOME_OK, CellState::IDLE});
    CellWord taken;
    PEX_CHECK(take(cell, 0, 0, taken));
    release(cell, {1, 1, 1, OUTCOME_OK, CellState::IDLE});
    PEX_CHECK(!arrive(cell, taken, OUTCOME_OK));
    PEX_CHECK(!take(cell, 0, 0, taken));
    PEX_CHECK(take(cell, 0, 1, taken));
}

PEX_TEST(a_revoked_step_is_asked_for_again_of_the_next_incarnation_only) {
    CellShm cell{};
    release(cell, {7, 2, 0, OUTCOME_OK, CellState::IDLE});
    CellWord stale;
    PEX_CHECK(take(cell, 0, 0, stale));
    PEX_CHECK(revoke(cell, 0, 1).state == CellState::RUNNING);
    PEX_CHECK(!arrive(cell, stale, OUTCOME_OK));
    CellWord taken;
    PEX_CHECK(!take(cell, 0, 0, taken));
    PEX_CHECK(take(cell, 0, 1, taken));
    PEX_CHECK_EQ(taken.visit, 7u);
    PEX_CHECK_EQ(taken.step, std::uint16_t{2});
    PEX_CHECK(!arrive(cell, stale, OUTCOME_OK));
    PEX_CHECK(arrive(cell, taken, OUTCOME_OK));
}

PEX_TEST(what_had_arrived_stays_so_when_it_is_revoked) {
    CellShm cell{};
    release(cell, {3, 1, 0, OUTCOME_OK, CellState::IDLE});
    CellWord taken;
    PEX_CHECK(take(cell, 0, 0, taken));
    PEX_CHECK(arrive(cell, taken, OUTCOME_RAISED));
    revoke(cell, 0, 1);
    std::uint8_t outcome = 0;
    PEX_CHECK(has_arrived(cell, 3, 1, outcome));
    PEX_CHECK_EQ(outcome, std::uint8_t{OUTCOME_RAISED});
}

PEX_TEST(a_step_that_is_asked_of_all_goes_to_the_first_and_stays_with_it) {
    CellShm cell{};
    release(cell, {7, 1, 0, OUTCOME_OK, CellState::IDLE, 1}, true);
    CellWord taken;
    PEX_CHECK(take(cell, 2, 3, taken));
    PEX_CHECK_EQ(int(taken.process), 2);
    PEX_CHECK_EQ(int(taken.incarnation), 3);
    CellWord late;
    PEX_CHECK(!take(cell, 1, 0, late));
    PEX_CHECK(arrive(cell, taken, OUTCOME_OK));
    PEX_CHECK_EQ(int(unpack(cell.word.load()).process), 2);
    // Asked of one, it is nobody else's.
    release(cell, {7, 2, 3, OUTCOME_OK, CellState::IDLE, 2});
    PEX_CHECK(!take(cell, 1, 0, late));
    PEX_CHECK(take(cell, 2, 3, taken));
}

PEX_TEST(a_step_that_was_taken_from_another_is_revoked_for_the_taker_and_asked_of_nobody_else) {
    CellShm cell{};
    release(cell, {7, 1, 0, OUTCOME_OK, CellState::IDLE, 1}, true);
    CellWord stale;
    PEX_CHECK(take(cell, 2, 0, stale));
    PEX_CHECK(revoke(cell, 1, 1) == stale);
    PEX_CHECK(unpack(cell.word.load()) == stale);
    revoke(cell, 2, 1);
    PEX_CHECK(!arrive(cell, stale, OUTCOME_OK) && !give_back(cell, stale));
    CellWord taken;
    PEX_CHECK(!take(cell, 1, 0, taken) && !take(cell, 2, 0, taken));
    PEX_CHECK(take(cell, 2, 1, taken));
}

PEX_TEST(a_step_that_is_given_back_is_asked_of_all) {
    CellShm cell{};
    release(cell, {7, 1, 0, OUTCOME_OK, CellState::IDLE, 1}, true);
    CellWord taken;
    PEX_CHECK(take(cell, 2, 0, taken));
    PEX_CHECK(give_back(cell, taken));
    PEX_CHECK(take(cell, 1, 0, taken));
    PEX_CHECK_EQ(int(taken.process), 1);
}
