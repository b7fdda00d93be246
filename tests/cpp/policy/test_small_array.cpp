// SPDX-License-Identifier: BSD-3-Clause
// SmallArray keeps, moves and ends its elements correctly, inside itself and on the heap.
#include <memory>
#include <string>
#include <utility>

#include "check.hpp"
#include "policy/small_array.hpp"

namespace {

using pex::policy::SmallArray;

using Counted = std::shared_ptr<int>;

SmallArray<Counted> filled(const Counted& value, std::size_t count) {
    SmallArray<Counted> array;
    for (std::size_t i = 0; i < count; ++i) array.push_back(value);
    return array;
}

PEX_TEST(elements_end_exactly_once) {
    const auto value = std::make_shared<int>(1);
    for (const std::size_t count : {0U, 1U, 2U, 9U, 100U}) {
        {
            SmallArray<Counted> sut = filled(value, count);
            PEX_CHECK_EQ(sut.size(), count);
            PEX_CHECK_EQ(value.use_count(), static_cast<long>(count) + 1);
            const SmallArray<Counted> copy = sut;
            PEX_CHECK_EQ(value.use_count(), static_cast<long>(2 * count) + 1);
            const SmallArray<Counted> moved = std::move(sut);
            PEX_CHECK_EQ(value.use_count(), static_cast<long>(2 * count) + 1);
            PEX_CHECK_EQ(moved.size(), count);
            PEX_CHECK(copy == moved);
        }
        PEX_CHECK_EQ(value.use_count(), 1L);
    }
}

PEX_TEST(assignment_replaces_elements_between_all_sizes) {
    const auto old_value = std::make_shared<int>(1);
    const auto new_value = std::make_shared<int>(2);
    for (const std::size_t from : {0U, 1U, 2U, 20U}) {
        for (const std::size_t to : {0U, 1U, 2U, 20U}) {
            SmallArray<Counted> sut = filled(old_value, from);
            const SmallArray<Counted> other = filled(new_value, to);
            sut = other;
            PEX_CHECK_EQ(old_value.use_count(), 1L);
            PEX_CHECK_EQ(sut.size(), to);
            sut = filled(new_value, from);
            PEX_CHECK_EQ(sut.size(), from);
        }
    }
}

PEX_TEST(self_assignment_keeps_elements) {
    for (const std::size_t count : {1U, 5U}) {
        SmallArray<std::string> sut;
        for (std::size_t i = 0; i < count; ++i) sut.push_back("a string too long to live inside the object");
        SmallArray<std::string>& alias = sut;
        sut = alias;
        PEX_CHECK_EQ(sut.size(), count);
        PEX_CHECK_EQ(sut.back(), std::string("a string too long to live inside the object"));
    }
}

PEX_TEST(own_element_can_be_pushed_while_the_array_grows) {
    SmallArray<std::string> sut;
    sut.push_back("a string too long to live inside the object");
    for (int i = 0; i < 100; ++i) sut.push_back(sut[0]);
    PEX_CHECK_EQ(sut[100], sut[0]);
}

PEX_TEST(cleared_array_can_be_filled_again) {
    SmallArray<int> sut;
    for (int i = 0; i < 10; ++i) sut.push_back(i);
    sut.clear();
    PEX_CHECK(sut.empty());
    sut.push_back(7);
    PEX_CHECK_EQ(sut.back(), 7);
}

}  // namespace
