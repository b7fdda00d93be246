// SPDX-License-Identifier: BSD-3-Clause
// The value tree and dictionaries from C++.
#include <string>

#include "check.hpp"
#include "policy/defaults.hpp"
#include "policy/dictionary.hpp"
#include "policy/paf.hpp"
#include "policy/suggest.hpp"

namespace {

using namespace pex::policy;

DictionaryPtr dictionary_of(const std::string& definitions) {
    return std::make_shared<Dictionary>(parse_paf_string("definitions: {\n" + definitions + "\n}")->node());
}

std::string name_of(int number) {
    std::string name = "n";
    name += std::to_string(number);
    return name;
}

PEX_TEST(sub_policies_share_their_data) {
    Policy sut;
    sut.set("a.b", 1);
    const PolicyPtr below = sut.get_policy("a");
    below->set("b", 2);
    below->add("c", "x");
    PEX_CHECK_EQ(sut.get<std::int32_t>("a.b"), 2);
    PEX_CHECK_EQ(sut.get<StringValue>("a.c").view(), std::string_view("x"));
}

PEX_TEST(index_survives_growth_and_removal) {
    Node sut;
    for (int i = 0; i < 1000; ++i) sut.find_or_create(name_of(i)).values = values_of(i);
    for (int i = 0; i < 1000; i += 3) sut.remove(name_of(i));
    for (int i = 0; i < 1000; ++i) PEX_CHECK_EQ(sut.find(name_of(i)) == nullptr, i % 3 == 0);
    for (int i = 0; i < 1000; i += 3) sut.find_or_create(name_of(i)).values = values_of(-i);
    PEX_CHECK_EQ(sut.size(), 1000U);
    for (int i = 0; i < 1000; ++i) PEX_CHECK(sut.find(name_of(i)) != nullptr);
}

PEX_TEST(failed_change_changes_nothing) {
    Policy sut;
    sut.set("a", 1);
    PEX_CHECK_THROWS(sut.add("a", 1.0), TypeError);
    PEX_CHECK_THROWS(sut.set_values("x.y", Values{}), RuntimeError);
    PEX_CHECK_THROWS(sut.set("a.b.c", 1), InvalidParameterError);
    PEX_CHECK_EQ(sut.names(Policy::Names::ALL, false).size(), 1U);
    PEX_CHECK_EQ(sut.count("a"), 1U);
}

PEX_TEST(validation_lists_all_violations_with_places) {
    const DictionaryPtr dictionary = dictionary_of("a: { type: int\n minOccurs: 1 }\nb: { type: double }");
    Issues issues;
    dictionary->validate(*parse_paf_string("b: 1\nc: 2\n"), issues);
    PEX_CHECK_EQ(issues.by_name().size(), 3U);
    PEX_CHECK_EQ(issues.bits("a"), issue::MISSING_REQUIRED);
    PEX_CHECK_EQ(issues.bits("b"), issue::WRONG_TYPE);
    PEX_CHECK_EQ(issues.bits("c"), issue::UNKNOWN_NAME);
    const Place& place = issues.by_name().at("c").front().report.place;
    PEX_CHECK_EQ(place.source->position(place.offset).line, 2U);
}

PEX_TEST(attached_dictionary_checks_changes) {
    const PolicyPtr sut = default_policy(dictionary_of("a: { type: int\n default: 3 }"), true, {});
    PEX_CHECK_EQ(sut->get<std::int32_t>("a"), 3);
    PEX_CHECK_THROWS(sut->set("a", 1.0), ValidationError);
    PEX_CHECK_THROWS(sut->set("b", 1), ValidationError);
    sut->set("a", 4);
    PEX_CHECK_EQ(sut->get<std::int32_t>("a"), 4);
}

PEX_TEST(malformed_definition_is_a_dictionary_error) {
    PEX_CHECK_THROWS(dictionary_of("a: { type: integre }"), DictionaryError);
}

PEX_TEST(nearest_name_is_found_among_near_ones_only) {
    const std::vector<std::string_view> names{"threshold", "kernel", "size"};
    PEX_CHECK_EQ(nearest("treshold", names), std::string("threshold"));
    PEX_CHECK_EQ(nearest("Kernel", names), std::string("kernel"));
    PEX_CHECK_EQ(nearest("szie", names), std::string("size"));
    PEX_CHECK_EQ(nearest("altogether", names), std::string());
    PEX_CHECK_EQ(nearest("x", {"y", "z"}), std::string());
    PEX_CHECK_EQ(nearest("X", {"y", "x"}), std::string("x"));
}

}  // namespace
