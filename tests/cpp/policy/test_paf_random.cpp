// SPDX-License-Identifier: BSD-3-Clause
// Random texts: each parses or raises a located error, and what parses is written and read back unchanged.
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
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

// A value of any bytes but those PAF cannot hold: line feeds, and both kinds of quotes at once.
std::string random_bytes(std::mt19937& random) {
    std::string text;
    const char quote = random() % 2 == 0 ? '"' : '\'';
    for (auto length = random() % 30; length > 0; --length) {
        const char c = static_cast<char>(random() % 256);
        if (c != '\n' && c != quote) text += c;
    }
    return text;
}

double random_double(std::mt19937& random) {
    while (true) {
        const std::uint64_t bits = (std::uint64_t{random()} << 32U) | random();
        const auto value = std::bit_cast<double>(bits);
        if (std::isfinite(value)) return value;
    }
}

Values random_values(std::mt19937& random) {
    constexpr std::array<double, 8> EXTREMES{0.0,  -0.0,   5e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
                                             1e22, 1e-320, -1.0};
    SmallArray<StringValue> texts;
    SmallArray<double> doubles;
    SmallArray<std::int32_t> ints;
    SmallArray<bool> bools;
    for (auto count = 1 + random() % 4; count > 0; --count) {
        texts.push_back(StringValue(random_bytes(random)));
        doubles.push_back(random() % 3 == 0 ? EXTREMES[random() % EXTREMES.size()] : random_double(random));
        ints.push_back(static_cast<std::int32_t>(random()));
        bools.push_back(random() % 2 == 0);
    }
    switch (random() % 4) {
        case 0: return texts;
        case 1: return doubles;
        case 2: return ints;
        default: return bools;
    }
}

// Blocks inside blocks, so that some trees are hundreds of levels deep.
void fill(std::mt19937& random, const NodePtr& root) {
    Policy policy(root);
    const bool deep = random() % 50 == 0;
    const auto names = 1 + random() % 12;
    for (unsigned i = 0; i < names; ++i) {
        std::string name(1, 'n');
        name += std::to_string(random() % 6);
        const auto block = std::make_shared<Policy>();
        switch (policy.exists(name) ? 9 : random() % 4) {
            case 0:
                policy.add(name, block);
                policy.add(name, std::make_shared<Policy>());
                policy = *block;
                break;
            case 1:
                policy.set(name, block);
                policy = *block;
                break;
            case 9: break;
            default: policy.set_values(name, random_values(random));
        }
    }
    for (int level = deep ? 500 : 0; level > 0; --level) {
        const auto block = std::make_shared<Policy>();
        policy.set("deep", block);
        policy = *block;
    }
}

PEX_TEST(random_trees_are_written_and_read_back_to_the_last_bit) {
    constexpr unsigned FIRST_SEED = 1;
    constexpr unsigned TREES = 3000;
    for (unsigned seed = FIRST_SEED; seed < FIRST_SEED + TREES; ++seed) {
        std::mt19937 random(seed);
        Policy policy;
        fill(random, policy.node());
        const std::string written = paf_text(*policy.node(), seed % 2 == 0);
        const PolicyPtr back = parse_paf_string(written, "written");
        const bool same = equal(*policy.node(), *back->node()) && paf_text(*back->node(), seed % 2 == 0) == written;
        PEX_CHECK(same);
        if (!same) std::cerr << "seed " << seed << " wrote:\n" << written << "\n";
    }
}

}  // namespace
