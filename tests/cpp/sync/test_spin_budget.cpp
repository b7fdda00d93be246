// SPDX-License-Identifier: BSD-3-Clause
// The spin budget: long while waits are short, short while they are long, and quick to change its mind.
#include "check.hpp"
#include "sync/spin_budget.hpp"

using namespace pex;

namespace {

constexpr std::uint64_t LEAST = 50'000;
constexpr std::uint64_t MOST = 1'000'000;

void note(sync::SpinBudget& budget, std::uint64_t waited_ns, int times) {
    for (int i = 0; i < times; ++i) budget.note(waited_ns);
}

}  // namespace

PEX_TEST(a_budget_is_long_until_waits_are_known) { PEX_CHECK_EQ(sync::SpinBudget(LEAST, MOST).ns(), MOST); }

PEX_TEST(a_budget_stays_long_while_waits_are_short) {
    sync::SpinBudget budget(LEAST, MOST);
    note(budget, 10'000, 1000);
    PEX_CHECK_EQ(budget.ns(), MOST);
}

PEX_TEST(a_budget_is_short_once_waits_are_long) {
    sync::SpinBudget budget(LEAST, MOST);
    note(budget, 20'000'000, 2);
    PEX_CHECK_EQ(budget.ns(), LEAST);
}

PEX_TEST(one_endless_wait_is_forgotten_after_a_few_short_ones) {
    sync::SpinBudget budget(LEAST, MOST);
    note(budget, 60'000'000'000, 1);
    PEX_CHECK_EQ(budget.ns(), LEAST);
    note(budget, 10'000, 8);
    PEX_CHECK_EQ(budget.ns(), MOST);
}

PEX_TEST(a_budget_without_a_range_never_changes) {
    sync::SpinBudget budget(LEAST, 0);
    PEX_CHECK_EQ(budget.ns(), LEAST);
    note(budget, 60'000'000'000, 3);
    PEX_CHECK_EQ(budget.ns(), LEAST);
}
