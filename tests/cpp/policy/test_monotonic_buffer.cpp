// SPDX-License-Identifier: BSD-3-Clause
// A MonotonicBuffer gives memory that nobody else has, and arrays in it behave as those with memory of their own.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"
#include "policy/node.hpp"
#include "policy/paf.hpp"
#include "policy/monotonic_buffer.hpp"
#include "policy/small_array.hpp"

namespace {

using namespace pex::policy;

std::string nth_name(int number) { return std::string("n").append(std::to_string(number)); }

PEX_TEST(everything_taken_is_apart_from_everything_else) {
    for (const std::size_t expected : {std::size_t{0}, std::size_t{1000}, std::size_t{1} << 24}) {
        MonotonicBuffer sut(expected);
        std::vector<std::pair<unsigned char*, std::size_t>> taken;
        for (std::size_t i = 1; i < 3000; ++i) {
            const std::size_t size = i % 100 == 0 ? i * 50 : i % 37 + 1;
            auto* const memory = sut.take<unsigned char>(size);
            PEX_CHECK_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignof(double), 0U);
            std::memset(memory, static_cast<int>(i % 251), size);
            taken.emplace_back(memory, size);
        }
        for (std::size_t i = 0; i < taken.size(); ++i) {
            const auto [memory, size] = taken[i];
            for (std::size_t at = 0; at < size; ++at) PEX_CHECK_EQ(memory[at], (i + 1) % 251);
        }
    }
}

PEX_TEST(elements_in_a_buffer_end_exactly_once) {
    const auto value = std::make_shared<int>(1);
    MonotonicBuffer buffer(100);
    {
        SmallArray<std::shared_ptr<int>> kept;
        for (int i = 0; i < 5; ++i) kept.push_back(value);
        SmallArray<std::shared_ptr<int>> sut = kept.move_packed(buffer);
        PEX_CHECK_EQ(sut.size(), 5U);
        PEX_CHECK_EQ(sut.capacity(), 5U);
        PEX_CHECK(kept.empty());
        PEX_CHECK_EQ(value.use_count(), 6L);
        const SmallArray<std::shared_ptr<int>> copy = sut;
        // Grows out of the buffer.
        for (int i = 0; i < 20; ++i) sut.push_back(value);
        PEX_CHECK_EQ(value.use_count(), 31L);
        const SmallArray<std::shared_ptr<int>> moved = std::move(sut);
        PEX_CHECK_EQ(moved.size(), 25U);
        PEX_CHECK_EQ(copy.size(), 5U);
    }
    PEX_CHECK_EQ(value.use_count(), 1L);
}

PEX_TEST(copies_outlive_the_buffer) {
    SmallArray<int> copy;
    {
        MonotonicBuffer buffer(100);
        SmallArray<int> numbers;
        for (int i = 0; i < 5; ++i) numbers.push_back(i);
        const SmallArray<int> sut = numbers.move_packed(buffer);
        copy = sut;
    }
    for (int i = 0; i < 5; ++i) PEX_CHECK_EQ(copy[static_cast<std::size_t>(i)], i);
}

PEX_TEST(an_array_without_elements_of_its_own_grows_from_nothing) {
    SmallArray<int, 0> sut;
    PEX_CHECK_EQ(sut.capacity(), 0U);
    for (int i = 0; i < 100; ++i) sut.push_back(i);
    sut.shorten(7);
    PEX_CHECK_EQ(sut.size(), 7U);
    PEX_CHECK_EQ(sut.back(), 6);
    sut.clear();
    PEX_CHECK_EQ(sut.capacity(), 0U);
}

PEX_TEST(a_block_outlives_its_text_and_grows_all_the_same) {
    NodePtr sut;
    {
        const PolicyPtr whole = parse_paf_string("other: 1\nblock: { row: 1 2 3\n inner: { x: 1.5 2.5 } }\n");
        sut = whole->get_policy("block")->node();
    }
    Policy policy(sut);
    for (int i = 0; i < 100; ++i) {
        policy.add("row", i);
        policy.set(std::string("inner.").append(nth_name(i)), i);
    }
    PEX_CHECK_EQ(policy.count("row"), 103U);
    PEX_CHECK_EQ(policy.get_array<std::int32_t>("row")[2], 3);
    PEX_CHECK_EQ(policy.get<double>("inner.x"), 2.5);
    PEX_CHECK_EQ(policy.get<std::int32_t>("inner.n99"), 99);
    policy.remove("inner");
    PEX_CHECK_EQ(policy.place("row").source->name(), std::string("<string>"));
}

PEX_TEST(names_are_found_among_few_and_many_after_others_have_gone) {
    for (const int count : {1, 10, 16, 17, 100}) {
        Policy sut;
        for (int i = 0; i < count; ++i) sut.set(nth_name(i), i);
        for (int i = 0; i < count; i += 2) sut.remove(nth_name(i));
        for (int i = 0; i < count; ++i) PEX_CHECK_EQ(sut.exists(nth_name(i)), i % 2 == 1);
        for (int i = 0; i < count; ++i) sut.set(nth_name(i), -i);
        for (int i = 0; i < count; ++i) PEX_CHECK_EQ(sut.get<std::int32_t>(nth_name(i)), -i);
        PEX_CHECK_EQ(sut.names(Policy::Names::ALL, true).size(), static_cast<std::size_t>(count));
    }
}

}  // namespace
