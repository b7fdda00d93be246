// SPDX-License-Identifier: BSD-3-Clause
// Random texts: each parses or raises a located error, and what parses is written and read back unchanged.
#include <array>
#include <random>
#include <string>

#include "check.hpp"
#include "policy/loading.hpp"
#include "policy/paf.hpp"
#include "policy/paf_writer.hpp"

namespace {

using namespace pex::policy;

constexpr std::array<std::string_view, 44> PIECES{"a",        "b.c",        ".",           ":",
                                                  ": ",       " ",          "\t",          "\n",
                                                  "\r\n",     "\r",         "\f",          "{",
                                                  "}",        "#",          "\"",          "'",
                                                  "@",        "@@",         "1",           "-2",
                                                  "+3",       "1.5",        ".5",          "5.",
                                                  "1e9",      "1e999",      "true",        "False",
                                                  "text",     "x y",        "1 2",         "-",
                                                  "..",       "e",          "E+",          "9999999999",
                                                  "\xC3\xA9", "\xFF",       "a: 1\n",      "p: {\n",
                                                  "}\n",      "s: \"x\"\n", "definitions", "urn:eupspkg:p:x"};

std::string random_text(std::mt19937& random) {
    std::string text;
    for (auto length = random() % 24; length > 0; --length) text += PIECES[random() % PIECES.size()];
    return text;
}

// Written and read again; what PAF cannot hold is left alone.
void check_round_trip(const Policy& policy, const LoadOptions& options, const std::string& text) {
    std::string written;
    try {
        written = paf_text(*policy.node());
    } catch (const RuntimeError&) {
        return;
    }
    const PolicyPtr back = parse_paf_string(written, "written", options);
    const bool same = equal(*policy.node(), *back->node());
    PEX_CHECK(same);
    if (!same) std::cerr << "text was:\n" << text << "\nwritten:\n" << written << "\n";
}

PEX_TEST(random_texts_parse_or_raise_a_located_error) {
    std::mt19937 random(20090612);
    LoadOptions options;
    options.products = [](std::string_view) { return std::string("/opt"); };
    LoadOptions lenient = options;
    lenient.strict = false;
    std::size_t parsed = 0;
    for (int i = 0; i < 20000; ++i) {
        const std::string text = random_text(random);
        try {
            const PolicyPtr policy = parse_paf_string(text, "random", options);
            ++parsed;
            check_round_trip(*policy, options, text);
        } catch (const Error& error) {
            PEX_CHECK(error.report().place.known());
        }
        check_round_trip(*parse_paf_string(text, "random", lenient), options, text);
    }
    PEX_CHECK(parsed > 100);
}

}  // namespace
