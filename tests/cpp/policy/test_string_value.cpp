// SPDX-License-Identifier: BSD-3-Clause
// Strings that show a piece of a text until they are copied.
#include <memory>
#include <string>
#include <utility>

#include "check.hpp"
#include "policy/node.hpp"
#include "policy/paf.hpp"
#include "policy/policy.hpp"
#include "policy/string_value.hpp"

using namespace pex::policy;

PEX_TEST(viewing_shows_the_text_itself_and_moving_keeps_the_view) {
    const std::string text = "threshold";
    StringValue seen = StringValue::viewing(text);
    const StringValue sut = std::move(seen);
    PEX_CHECK(sut.view().data() == text.data());
    PEX_CHECK_EQ(sut.str(), text);
}

PEX_TEST(copies_own_their_text) {
    auto text = std::make_unique<std::string>("a text that is too long for any small string");
    const StringValue seen = StringValue::viewing(*text);
    const StringValue copy(seen);
    StringValue assigned("other");
    assigned = seen;
    text.reset();
    PEX_CHECK_EQ(copy.str(), std::string("a text that is too long for any small string"));
    PEX_CHECK_EQ(assigned.str(), copy.str());
}

PEX_TEST(assigning_to_itself_changes_nothing) {
    StringValue sut("text");
    StringValue& alias = sut;
    sut = alias;
    PEX_CHECK_EQ(sut.str(), std::string("text"));
    sut = StringValue();
    PEX_CHECK(sut.empty());
}

PEX_TEST(copied_entries_outlive_the_text_they_came_from) {
    const auto target = std::make_shared<Node>();
    {
        const auto source = std::make_shared<Source>("gone.paf", "name: \"a long enough text in quotes\"\n");
        const auto parsed = std::make_shared<Node>();
        parse_paf(source, parsed, LoadOptions{});
        target->copy_entry(*parsed->find("name"));
    }
    const Policy sut(target);
    PEX_CHECK_EQ(sut.get<StringValue>("name").str(), std::string("a long enough text in quotes"));
    PEX_CHECK_EQ(sut.place("name").source->name(), std::string("gone.paf"));
}

PEX_TEST(sub_policies_outlive_the_policy_they_were_parsed_in) {
    PolicyPtr sut;
    {
        const PolicyPtr whole = parse_paf_string("stage: { name: \"a long enough text in quotes\" }\n", "p", {});
        sut = whole->get_policy("stage");
    }
    PEX_CHECK_EQ(sut->get<StringValue>("name").str(), std::string("a long enough text in quotes"));
}
