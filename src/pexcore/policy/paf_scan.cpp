// SPDX-License-Identifier: BSD-3-Clause
// Numbers of PAF: their shape, and their value without regard to the locale.
#include "policy/paf_scan.hpp"

#include <array>
#include <charconv>
#include <system_error>

namespace pex::policy {

namespace {

constexpr int LONGEST_EXPONENT = 3;

// The longest row of digits that 64 bits certainly hold.
constexpr std::uint32_t LONGEST_ROW = 19;

// Steps over digits and appends them to those of the token.
const char* take_digits(const char* at, const char* end, NumberToken& token) noexcept {
    const char* const begin = at;
    std::uint64_t digits = token.digits;
    for (; at != end && is_digit(*at); ++at) digits = digits * 10 + static_cast<std::uint64_t>(*at - '0');
    token.digits = digits;
    token.count += static_cast<std::uint32_t>(at - begin);
    return at;
}

// The end of an exponent that starts here, or `at` where none does.
const char* skip_exponent(const char* at, const char* end) noexcept {
    if (at == end || (*at != 'e' && *at != 'E')) return at;
    const char* digits = at + 1;
    if (digits != end && (*digits == '+' || *digits == '-')) ++digits;
    const char* after = digits;
    while (after != end && after - digits < LONGEST_EXPONENT && is_digit(*after)) ++after;
    return after == digits ? at : after;
}

const char* skip_plus(const char* at) noexcept { return *at == '+' ? at + 1 : at; }

// Whether the decimal number is beyond one rather than below it: decides between overflow and underflow.
bool is_large(const char* at, const char* end) noexcept {
    if (*at == '-' || *at == '+') ++at;
    long before_point = 0;  // power of ten of the first significant digit, plus one
    bool significant = false;
    bool after_point = false;
    for (; at != end && *at != 'e' && *at != 'E'; ++at) {
        if (*at == '.') {
            after_point = true;
        } else if (!significant && *at == '0') {
            before_point -= after_point ? 1 : 0;
        } else {
            significant = true;
            before_point += after_point ? 0 : 1;
        }
    }
    int exponent = 0;
    if (at != end) std::from_chars(skip_plus(at + 1), end, exponent);
    return before_point + exponent > 0;
}

// Numbers such as "-12.5": digits that a double holds exactly, divided by a power of ten that it holds exactly. The
// one rounding of the division makes the quotient the nearest double (Clinger 1990, "How to read floating point
// numbers accurately"). False for other numbers.
bool exact_quotient(const NumberToken& token, double& value) noexcept {
    constexpr std::array<double, 23> POWERS{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                            1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    constexpr std::uint64_t EXACT = std::uint64_t{1} << 53;
    if (token.has_exponent || token.count > LONGEST_ROW || token.digits > EXACT) return false;
    const double quotient = static_cast<double>(token.digits) / POWERS[token.fraction];
    value = *token.begin == '-' ? -quotient : quotient;
    return true;
}

}  // namespace

NumberToken scan_number(const char* at, const char* end) noexcept {
    NumberToken token;
    token.begin = at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    at = take_digits(at, end, token);
    const bool has_point = at != end && *at == '.';
    if (has_point) {
        const std::uint32_t before = token.count;
        at = take_digits(at + 1, end, token);
        token.fraction = token.count - before;
    }
    if (token.count == 0) return {};
    token.end = skip_exponent(at, end);
    token.has_exponent = token.end != at;
    token.kind = has_point || token.has_exponent ? NumberKind::DOUBLE : NumberKind::INT;
    return token;
}

bool int_value(const NumberToken& token, std::int32_t& value) noexcept {
    if (token.count > LONGEST_ROW) {
        const auto result = std::from_chars(skip_plus(token.begin), token.end, value);
        return result.ec == std::errc{};
    }
    const bool negative = *token.begin == '-';
    const std::uint64_t largest = negative ? std::uint64_t{1} << 31 : (std::uint64_t{1} << 31) - 1;
    if (token.digits > largest) return false;
    const auto magnitude = static_cast<std::int64_t>(token.digits);
    value = static_cast<std::int32_t>(negative ? -magnitude : magnitude);
    return true;
}

bool double_value(const NumberToken& token, double& value) noexcept {
    if (exact_quotient(token, value)) return true;
    const auto result = std::from_chars(skip_plus(token.begin), token.end, value);
    if (result.ec == std::errc{}) return true;
    if (is_large(token.begin, token.end)) return false;
    value = *token.begin == '-' ? -0.0 : 0.0;
    return true;
}

}  // namespace pex::policy
