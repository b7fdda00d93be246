// SPDX-License-Identifier: BSD-3-Clause
// Numbers of PAF: their shape, and their value without regard to the locale.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "policy/char_class.hpp"

namespace pex::policy {

enum class NumberKind { NONE, INT, DOUBLE };

struct NumberToken {
    NumberKind kind = NumberKind::NONE;
    bool has_exponent = false;
    std::uint32_t count = 0;     // of digits
    std::uint32_t fraction = 0;  // digits behind the point
    const char* begin = nullptr;
    const char* end = nullptr;
    std::uint64_t digits = 0;  // all of them in a row; meaningless from 20 digits up
};

namespace number {

// The longest row of digits that 64 bits certainly hold.
inline constexpr std::uint32_t LONGEST_ROW = 19;

// How many of eight characters are digits before the first that is none.
inline int leading_digits(std::uint64_t characters) noexcept {
    // Digits become 0 to 9. What is more sets the highest bit of its byte; a carry out of it reaches only bytes behind.
    const std::uint64_t values = characters ^ 0x3030'3030'3030'3030;
    const std::uint64_t others = ((values + 0x7676'7676'7676'7676) | values) & 0x8080'8080'8080'8080;
    return std::countr_zero(others) / 8;
}

// The number of eight digits, the first in the lowest byte: pairs are joined, then pairs of pairs, then both halves.
inline std::uint64_t join_eight(std::uint64_t values) noexcept {
    constexpr std::uint64_t EVERY_FOURTH = 0x0000'00FF'0000'00FF;
    values = values * 10 + (values >> 8);
    const std::uint64_t first = (values & EVERY_FOURTH) * (100 + (std::uint64_t{1'000'000} << 32));
    const std::uint64_t second = ((values >> 16) & EVERY_FOURTH) * (1 + (std::uint64_t{10'000} << 32));
    return (first + second) >> 32;
}

// Steps over digits and appends them to those of the token.
[[gnu::always_inline]] inline const char* take_digits(const char* at, const char* end, NumberToken& token) noexcept {
    constexpr std::array<std::uint64_t, 9> POWERS{1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
    const char* const begin = at;
    std::uint64_t digits = token.digits;
    bool more = true;
    if constexpr (std::endian::native == std::endian::little) {
        while (more && end - at >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, at, sizeof word);
            const int count = leading_digits(word);
            more = count == 8;
            // Behind zeros they are a number of eight digits. Two steps, for no digits are a shift by all 64 bits.
            const std::uint64_t values = (word ^ 0x3030'3030'3030'3030) << (4 * (8 - count)) << (4 * (8 - count));
            digits = digits * POWERS[static_cast<std::size_t>(count)] + join_eight(values);
            at += count;
        }
    }
    if (more) {
        for (; at != end && is_digit(*at); ++at) digits = digits * 10 + static_cast<std::uint64_t>(*at - '0');
    }
    token.digits = digits;
    token.count += static_cast<std::uint32_t>(at - begin);
    return at;
}

// The end of the exponent whose 'e' stands here, or `at` where no digits follow.
const char* find_exponent_end(const char* at, const char* end) noexcept;

// The end of an exponent that starts here, or `at` where none does.
inline const char* skip_exponent(const char* at, const char* end) noexcept {
    return at != end && (*at | 0x20) == 'e' ? find_exponent_end(at, end) : at;
}

// The values that the digits of a token alone do not tell.
bool long_int_value(const NumberToken& token, std::int32_t& value) noexcept;
bool rounded_double_value(const NumberToken& token, double& value) noexcept;

// Numbers such as "-12.5": digits that a double holds exactly, divided by a power of ten that it holds exactly. The
// one rounding of the division makes the quotient the nearest double (Clinger 1990, "How to read floating point
// numbers accurately"). False for other numbers.
inline bool exact_quotient(const NumberToken& token, double& value) noexcept {
    constexpr std::array<double, 23> POWERS{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                            1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    constexpr std::uint64_t EXACT = std::uint64_t{1} << 53;
    if (token.has_exponent || token.count > LONGEST_ROW || token.digits > EXACT) return false;
    // Signed, for processors convert signed integers in one step.
    const double quotient = static_cast<double>(static_cast<std::int64_t>(token.digits)) / POWERS[token.fraction];
    value = *token.begin == '-' ? -quotient : quotient;
    return true;
}

}  // namespace number

// The number that starts here, by shape alone: NONE where there is none. Inlined in any case: a token that goes through
// memory is written in small parts and read in large ones, for which the processor waits.
[[gnu::always_inline]] inline NumberToken scan_number(const char* at, const char* end) noexcept {
    NumberToken token;
    token.begin = at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    at = number::take_digits(at, end, token);
    const bool has_point = at != end && *at == '.';
    if (has_point) {
        const std::uint32_t before = token.count;
        at = number::take_digits(at + 1, end, token);
        token.fraction = token.count - before;
    }
    if (token.count == 0) return {};
    token.end = number::skip_exponent(at, end);
    token.has_exponent = token.end != at;
    token.kind = has_point || token.has_exponent ? NumberKind::DOUBLE : NumberKind::INT;
    return token;
}

// The value of a scanned token; false where 32 bits, or the range of a double, do not hold it.
// A double too small for its range is zero.
inline bool int_value(const NumberToken& token, std::int32_t& value) noexcept {
    if (token.count > number::LONGEST_ROW) return number::long_int_value(token, value);
    const bool negative = *token.begin == '-';
    const std::uint64_t largest = negative ? std::uint64_t{1} << 31 : (std::uint64_t{1} << 31) - 1;
    if (token.digits > largest) return false;
    const auto magnitude = static_cast<std::int64_t>(token.digits);
    value = static_cast<std::int32_t>(negative ? -magnitude : magnitude);
    return true;
}

inline bool double_value(const NumberToken& token, double& value) noexcept {
    return number::exact_quotient(token, value) || number::rounded_double_value(token, value);
}

}  // namespace pex::policy
