// SPDX-License-Identifier: BSD-3-Clause
// Texts that are no PAF: who is asked, and what an error of the other format does. Places behind a byte order mark.
#include <string>

#include "check.hpp"
#include "policy/error.hpp"
#include "policy/policy.hpp"
#include "policy/policy_file.hpp"
#include "policy/tree_builder.hpp"

namespace {

using namespace pex::policy;

// Knows texts that start with '<', and gives one value at the second byte.
LoadOptions with_marks(int* asked = nullptr) {
    LoadOptions options;
    options.foreign = [asked](const std::shared_ptr<const Source>& source, const NodePtr& into,
                              const LoadOptions& own) {
        if (asked != nullptr) ++*asked;
        if (source->text().front() != '<') return false;
        TreeBuilder tree(source, into, own.breadcrumb);
        SmallArray<std::int32_t> values;
        values.push_back(7);
        SmallArray<std::uint32_t> offsets;
        offsets.push_back(1);
        tree.add({"mark", 0, 1}, std::move(values), std::move(offsets));
        if (source->text().back() != '>') throw FormatSyntaxError({.problem = "no end", .place = {source, 1}});
        return true;
    };
    return options;
}

PEX_TEST(foreign_text_becomes_a_tree_with_places) {
    Policy sut;
    PolicyString("<x>").load(sut.node(), with_marks());
    PEX_CHECK_EQ(sut.get<std::int32_t>("mark"), 7);
    PEX_CHECK_EQ(sut.place("mark").offset, 1U);
}

PEX_TEST(text_that_no_other_format_knows_is_paf) {
    Policy sut;
    int asked = 0;
    PolicyString("a: 1").load(sut.node(), with_marks(&asked));
    PEX_CHECK_EQ(sut.get<std::int32_t>("a"), 1);
    PEX_CHECK_EQ(asked, 1);
    PEX_CHECK_THROWS(PolicyString("{").load(sut.node(), with_marks()), ParserError);
    PEX_CHECK_THROWS(PolicyString("<x>").load(sut.node(), {}), ParserError);
}

PEX_TEST(error_of_another_format_is_raised_only_if_strict) {
    Policy strict;
    PEX_CHECK_THROWS(PolicyString("<x").load(strict.node(), with_marks()), FormatSyntaxError);
    Policy sut;
    LoadOptions lenient = with_marks();
    lenient.strict = false;
    PolicyString("<x").load(sut.node(), lenient);
    PEX_CHECK_EQ(sut.get<std::int32_t>("mark"), 7);
}

PEX_TEST(byte_order_mark_takes_no_column) {
    const Source sut("x", "\xEF\xBB\xBF" "ab\ncd");
    PEX_CHECK_EQ(sut.position(0).column, 1U);
    PEX_CHECK_EQ(sut.position(4).column, 2U);
    PEX_CHECK_EQ(sut.position(4).line, 1U);
    PEX_CHECK_EQ(sut.position(7).line, 2U);
    PEX_CHECK_EQ(sut.line_at(4), std::string_view("ab"));
    PEX_CHECK_EQ(Source("x", "\xEF\xBB\xBF").line_at(3), std::string_view(""));
}

}  // namespace
