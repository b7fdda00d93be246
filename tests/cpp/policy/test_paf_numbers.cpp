// SPDX-License-Identifier: BSD-3-Clause
// Numbers read to the last bit: held against the C library, which rounds correctly.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "check.hpp"
#include "policy/paf_number.hpp"
#include "policy/text.hpp"

using namespace pex::policy;

namespace {

double read_double(const std::string& text) {
    double value = 0;
    const NumberToken token = scan_number(text.data(), text.data() + text.size());
    PEX_CHECK(token.kind == NumberKind::DOUBLE);
    PEX_CHECK(token.end == text.data() + text.size());
    PEX_CHECK(double_value(token, value));
    return value;
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

bool reads_int(const std::string& text, std::int32_t& value) {
    const NumberToken token = scan_number(text.data(), text.data() + text.size());
    return token.kind == NumberKind::INT && int_value(token, value);
}

std::string random_digits(std::mt19937_64& random, std::size_t longest) {
    std::string digits(1 + random() % longest, '0');
    for (char& digit : digits) digit = static_cast<char>('0' + random() % 10);
    return digits;
}

}  // namespace

PEX_TEST(doubles_are_those_of_the_c_library_to_the_last_bit) {
    std::mt19937_64 random(20091209);
    for (int i = 0; i < 200000; ++i) {
        std::string text;
        if (i % 3 == 0) text += '-';
        text.append(random_digits(random, 20)).append(".").append(random_digits(random, 24));
        if (i % 4 == 0) text.append("e").append(std::to_string(static_cast<int>(random() % 640) - 330));
        if (std::isinf(std::strtod(text.c_str(), nullptr))) continue;
        if (!same_bits(read_double(text), std::strtod(text.c_str(), nullptr))) PEX_CHECK_EQ(text, std::string());
    }
}

PEX_TEST(doubles_at_the_edge_of_the_exact_quotient_round_to_even) {
    for (const char* text : {"9007199254740992.", "9007199254740993.", "9007199254740991.5", "0.9007199254740993",
                             "1844674407370955161.5", "18446744073709551615.0", "18446744073709551616.0", "0.3",
                             "123456789012345678901234567890.", "-0.0", "+.5", "5."}) {
        PEX_CHECK(same_bits(read_double(text), std::strtod(text, nullptr)));
    }
}

PEX_TEST(integers_are_read_up_to_their_32_bits_and_no_further) {
    std::int32_t value = 0;
    PEX_CHECK(reads_int("2147483647", value) && value == INT32_MAX);
    PEX_CHECK(reads_int("-2147483648", value) && value == INT32_MIN);
    PEX_CHECK(reads_int("+7", value) && value == 7);
    PEX_CHECK(reads_int("00000000000000000000000000042", value) && value == 42);
    for (const char* text : {"2147483648", "-2147483649", "99999999999", "18446744073709551617",
                             "4294967297", "100000000000000000000000000000"}) {
        PEX_CHECK(!reads_int(text, value));
    }
}
