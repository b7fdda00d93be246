// SPDX-License-Identifier: BSD-3-Clause
// What is looked for many characters at a time is found where a look at each finds it.
#include <string>

#include "check.hpp"
#include "policy/char_class.hpp"
#include "policy/paf_find.hpp"
#include "policy/paf_number.hpp"

namespace {

using namespace pex::policy;

// Every character of all 256, at every place of texts around the length of one look, with more text behind or none.
template <class Find, class Expect>
void compare(char filler, const Find& find, const Expect& expect) {
    for (int code = 0; code < 256; ++code) {
        for (std::size_t at = 0; at < 36; ++at) {
            for (const std::size_t behind : {0U, 1U, 15U, 16U, 40U}) {
                std::string text(at, filler);
                text += static_cast<char>(code);
                text.append(behind, filler);
                const char* const end = text.data() + text.size();
                PEX_CHECK_EQ(find(text.data(), end) - text.data(), expect(text.data(), end) - text.data());
            }
        }
    }
}

PEX_TEST(names_end_where_their_class_ends) {
    compare(
        'x', [](const char* at, const char* end) { return skip_name(at, end); },
        [](const char* at, const char* /*end*/) { return skip(at, NAME_START); });
}

PEX_TEST(bare_strings_end_at_their_marks) {
    compare(
        'x', [](const char* at, const char* end) { return find_end_of_bare(at, end); },
        [](const char* at, const char* /*end*/) {
            while (!is_a(*at, END_OF_BARE)) ++at;
            return at;
        });
}

PEX_TEST(quotes_and_newlines_are_found) {
    for (const char quote : {'"', '\''}) {
        compare(
            'x', [&](const char* at, const char* end) { return find_quote_or_newline(at, end, quote); },
            [&](const char* at, const char* end) {
                while (at != end && *at != quote && *at != '\n') ++at;
                return at;
            });
    }
}

PEX_TEST(digits_end_at_every_other_character) {
    compare(
        '7', [](const char* at, const char* end) {
            NumberToken token;
            return number::take_digits(at, end, token);
        },
        [](const char* at, const char* end) {
            while (at != end && is_digit(*at)) ++at;
            return at;
        });
}

PEX_TEST(digits_are_joined_in_their_order) {
    const std::string all = "1234567890123456789";
    for (std::size_t count = 1; count <= all.size(); ++count) {
        for (const std::string& behind : {std::string(), std::string(" "), std::string(" 99999999999999999999")}) {
            const std::string text = all.substr(0, count) + behind;
            NumberToken token;
            number::take_digits(text.data(), text.data() + text.size(), token);
            PEX_CHECK_EQ(token.digits, std::stoull(text));
            PEX_CHECK_EQ(token.count, count);
        }
    }
}

}  // namespace
