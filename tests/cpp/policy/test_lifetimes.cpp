// SPDX-License-Identifier: BSD-3-Clause
// What a tree shows of its text outlives every other owner of that text. Made for AddressSanitizer.
#include <memory>
#include <string>

#include "check.hpp"
#include "policy/defaults.hpp"
#include "policy/dictionary.hpp"
#include "policy/error.hpp"
#include "policy/paf.hpp"
#include "policy/paf_writer.hpp"

namespace {

using namespace pex::policy;

const std::string LONG = "a text that no string keeps in itself";

std::string text_of(const std::string& names) {
    return names + ": \"" + LONG + "\" '" + LONG + "'\nblock: { inner: { deep: \"" + LONG + "\" } }\n";
}

void check_strings(const Policy& policy, const std::string& name) {
    for (const StringValue& value : policy.get_array<StringValue>(name)) PEX_CHECK_EQ(value.str(), LONG);
    PEX_CHECK(!paf_text(*policy.node()).empty());
}

PEX_TEST(merged_values_outlive_the_policy_they_came_from) {
    const auto sut = std::make_shared<Policy>();
    {
        Issues issues;
        merge_defaults(*sut, parse_paf_string(text_of("name")), true, issues, {});
    }
    check_strings(*sut, "name");
    check_strings(*sut, "block.inner.deep");
    PEX_CHECK_EQ(sut->place("block.inner.deep").source->name(), std::string("<string>"));
}

PEX_TEST(defaults_outlive_their_dictionary) {
    PolicyPtr sut;
    {
        const auto text = "definitions: { name: { type: string\n default: \"" + LONG + "\" } }";
        sut = default_policy(std::make_shared<Dictionary>(parse_paf_string(text)->node()), false, {});
    }
    check_strings(*sut, "name");
}

PEX_TEST(policies_put_into_others_outlive_all_that_they_stood_in) {
    Policy sut;
    {
        const PolicyPtr whole = parse_paf_string(text_of("name"));
        sut.set("set", whole->get_policy("block"));
        sut.add("set", whole->get_policy("block.inner"));
        sut.set("copied", whole->get_policy("block")->deep_copy());
        sut.node()->copy_entry(whole->require("name"), "renamed");
        whole->remove("block");
    }
    check_strings(sut, "renamed");
    check_strings(sut, "copied.inner.deep");
    check_strings(sut, "set.deep");
    check_strings(*sut.get_policy_array("set")[0], "inner.deep");
}

std::string numbered(int number) { return std::string("n").append(std::to_string(number)); }

PEX_TEST(values_of_several_texts_live_in_one_node) {
    const auto sut = std::make_shared<Policy>();
    for (int i = 0; i < 40; ++i) {
        const std::string name = numbered(i);
        PolicyString(text_of(name) + "all: \"" + LONG + "\"\n").load(sut->node(), {});
    }
    for (int i = 0; i < 40; ++i) check_strings(*sut, numbered(i));
    PEX_CHECK_EQ(sut->count("all"), 40U);
    check_strings(*sut, "all");
    for (const PolicyPtr& block : sut->get_policy_array("block")) check_strings(*block, "inner.deep");
}

PEX_TEST(a_name_can_be_removed_replaced_and_parsed_again) {
    const PolicyPtr sut = parse_paf_string(text_of("name"));
    sut->set("name", 3);
    sut->remove("block");
    PolicyString("name: 4\n" + text_of("other")).load(sut->node(), {});
    PEX_CHECK_EQ(sut->count("name"), 2U);
    check_strings(*sut, "other");
    check_strings(*sut, "block.inner.deep");
}

PEX_TEST(an_error_keeps_the_text_that_it_points_into) {
    Report report;
    try {
        parse_paf_string("name: \"" + LONG + "\"\nx: 1 \"y\"\n");
        PEX_CHECK(false);
    } catch (const FormatSyntaxError& error) {
        report = error.report();
    }
    PEX_CHECK_EQ(report.place.source->position(report.place.offset).line, 2U);
    PEX_CHECK(render(report).find("x: 1 \"y\"") != std::string::npos);
}

PEX_TEST(what_was_read_before_an_error_stands_in_the_node) {
    const auto sut = std::make_shared<Policy>();
    PEX_CHECK_THROWS(PolicyString(text_of("name") + "open: { x: \"" + LONG + "\"\n").load(sut->node(), {}),
                     FormatSyntaxError);
    check_strings(*sut, "name");
    check_strings(*sut, "open.x");
}

// Every cut of a text, and every byte of it replaced by a zero, ends in a tree or in an error with a place.
void parse_or_point(const std::string& text) {
    for (const bool strict : {true, false}) {
        LoadOptions options;
        options.strict = strict;
        options.products = [](std::string_view product) { return std::string(product); };
        try {
            const PolicyPtr sut = parse_paf_string(text, "text", options);
            PEX_CHECK(equal(*sut->node(), *sut->deep_copy()->node()));
        } catch (const Error& error) {
            PEX_CHECK(strict || error.report().problem.find("URN") != std::string::npos);
            PEX_CHECK(error.report().place.offset <= text.size());
        }
    }
}

const std::string EVERYTHING =
    "\xEF\xBB\xBF# c\r\na.b: 1 -2 +3\r\nd: 1.5e+10 .5 -7.e-3 # c\nt: true False\ns: \"x\ty\n  \r\n z\"'q'\"\"\n"
    "bare: some text # c\nf: @dir/file.paf\nu: @@p:r:f\np: { x: 1\n q: { y: 'z' } }\np: {} \np.r: \xC3\xA9\n";

PEX_TEST(a_text_that_ends_anywhere_is_read_to_its_end_and_no_further) {
    for (std::size_t size = 0; size <= EVERYTHING.size(); ++size) {
        // A string has no room to spare: what is read behind it is seen.
        parse_or_point(EVERYTHING.substr(0, size));
    }
}

PEX_TEST(a_zero_byte_anywhere_is_a_byte_as_any_other) {
    for (std::size_t at = 0; at < EVERYTHING.size(); ++at) {
        std::string text = EVERYTHING;
        text[at] = '\0';
        parse_or_point(text);
        parse_or_point(text.substr(0, at + 1));
    }
    const PolicyPtr sut = parse_paf_string(std::string("a: x\0y\nb: 'p\0q'\n", 16));
    PEX_CHECK_EQ(sut->get<StringValue>("a").str(), std::string("x\0y", 3));
    PEX_CHECK_EQ(sut->get<StringValue>("b").str(), std::string("p\0q", 3));
}

PEX_TEST(deep_texts_merge_copy_and_end_without_the_machine_stack) {
    std::string text;
    for (std::size_t i = 0; i < MAX_DEPTH - 1; ++i) text += "a: {";
    text += "leaf: \"" + LONG + "\"";
    text.append(MAX_DEPTH - 1, '}');
    Policy sut;
    {
        Issues issues;
        PEX_CHECK_EQ(merge_defaults(sut, parse_paf_string(text), true, issues, {}), 1U);
        PEX_CHECK_EQ(merge_defaults(sut, parse_paf_string(text), true, issues, {}), 0U);
    }
    PEX_CHECK_EQ(sut.names(Policy::Names::PARAMETERS, false).size(), 1U);
    PEX_CHECK(equal(*parse_paf_string(paf_text(*sut.node()))->node(), *sut.node()));
}

PEX_TEST(large_blocks_at_every_level_do_not_multiply_what_small_ones_take) {
    std::string text;
    std::string wide;
    for (int i = 0; i < 64; ++i) wide.append(numbered(i)).append(": 1\n");
    for (int i = 0; i < 200; ++i) text += "w: {" + wide + "}\ne: {}\n";
    const PolicyPtr sut = parse_paf_string(text);
    std::size_t room = 0;
    for (const PolicyPtr& empty : sut->get_policy_array("e")) room += empty->node()->entries().capacity();
    // A small block behind a large one has its room, and no block more.
    PEX_CHECK(room <= std::size_t{200} * 64);
    std::string nested;
    for (int i = 0; i < 1000; ++i) nested += "e: {";
    const PolicyPtr deep = parse_paf_string("w: {" + wide + "}\n" + nested + std::string(1000, '}'));
    room = 0;
    const Node* node = deep->node().get();
    while (const Entry* entry = node->find("e")) {
        node = std::get<SmallArray<NodePtr>>(entry->values).back().get();
        room += node->entries().capacity();
    }
    PEX_CHECK(room <= 1000U + 64U);
}

PEX_TEST(a_policy_is_merged_into_a_block_of_its_own) {
    const PolicyPtr sut = parse_paf_string("b: { c: 1 }\nd: 2\n");
    Issues issues;
    PEX_CHECK_EQ(merge_defaults(*sut->get_policy("b"), sut, true, issues, {}), 2U);
    PEX_CHECK_EQ(sut->get<std::int32_t>("b.b.c"), 1);
    PEX_CHECK_EQ(sut->count("b.b.b"), 0U);
}

PEX_TEST(columns_and_carets_agree_for_bytes_that_are_no_utf8) {
    for (const char* junk :
         {"\xFF\xFE", "\x80\xBF", "\xC3", "\xED\xA0\x80", "\xF0\x9F", "\xC3\xA9\xE2\x82\xAC", "\xC2\x85"}) {
        const std::string text = std::string("a: \"") + junk + "\" 5\n";
        try {
            parse_paf_string(text);
            PEX_CHECK(false);
        } catch (const FormatSyntaxError& error) {
            const std::string said = error.what();
            const std::size_t line = said.find("    a: ") + 4;
            const std::size_t caret = said.find("    ", said.find('\n', line)) + 4;
            const std::size_t column = said.find('^', caret) - caret;
            const Place& place = error.report().place;
            PEX_CHECK_EQ(place.source->position(place.offset).column, column + 1);
        }
    }
}

}  // namespace
