// SPDX-License-Identifier: BSD-3-Clause
// The spin budget: long while waits are short, short while they are long, and quick to change its mind.
#include "check.hpp"
#include "sync/spin_budget.hpp"

using namespace pex;

namespace {

constexpr std::uint64_t LEAST = 50'000;
constexpr std::uint64_t MOST = 1'000'000;

std::uint64_t yields_ns(const sync::SpinBudget& budget) { return budget.patience(true).yield_ns; }

void note(sync::SpinBudget& budget, std::uint64_t waited_ns, int times) {
    for (int i = 0; i < times; ++i) budget.note(waited_ns);
}

}  // namespace

PEX_TEST(a_budget_is_long_until_waits_are_known) { PEX_CHECK_EQ(yields_ns(sync::SpinBudget(LEAST, MOST)), MOST); }

PEX_TEST(a_budget_stays_long_while_waits_are_short) {
    sync::SpinBudget budget(LEAST, MOST);
    note(budget, 10'000, 1000);
    PEX_CHECK_EQ(yields_ns(budget), MOST);
}

PEX_TEST(a_budget_is_short_once_waits_are_long) {
    sync::SpinBudget budget(LEAST, MOST);
    note(budget, 20'000'000, 2);
    PEX_CHECK_EQ(yields_ns(budget), LEAST);
}

PEX_TEST(one_endless_wait_is_forgotten_after_a_few_short_ones) {
    sync::SpinBudget budget(LEAST, MOST);
    note(budget, 60'000'000'000, 1);
    PEX_CHECK_EQ(yields_ns(budget), LEAST);
    note(budget, 10'000, 8);
    PEX_CHECK_EQ(yields_ns(budget), MOST);
}

PEX_TEST(a_budget_without_a_range_never_changes) {
    sync::SpinBudget budget(LEAST, 0);
    PEX_CHECK_EQ(yields_ns(budget), LEAST);
    note(budget, 60'000'000'000, 3);
    PEX_CHECK_EQ(yields_ns(budget), LEAST);
}

PEX_TEST(who_is_waited_for_on_this_core_gets_it_at_once) {
    const sync::SpinBudget sut(LEAST, MOST);
    PEX_CHECK_EQ(sut.patience(true).looks, 0u);
    PEX_CHECK(sut.patience(false).looks > 0);
}
