// SPDX-License-Identifier: BSD-3-Clause
// Numbers of PAF: their shape, and their value without regard to the locale.
#include "policy/paf_scan.hpp"

#include <charconv>
#include <system_error>

namespace pex::policy {

namespace {

constexpr int LONGEST_EXPONENT = 3;

const char* skip_digits(const char* at, const char* end) noexcept {
    while (at != end && is_digit(*at)) ++at;
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

}  // namespace

NumberToken scan_number(const char* at, const char* end) noexcept {
    const char* begin = at;
    if (begin != end && (*begin == '+' || *begin == '-')) ++begin;
    const char* after = skip_digits(begin, end);
    long digits = after - begin;
    const bool has_point = after != end && *after == '.';
    if (has_point) {
        const char* fraction = after + 1;
        after = skip_digits(fraction, end);
        digits += after - fraction;
    }
    if (digits == 0) return {};
    const char* const mantissa_end = after;
    after = skip_exponent(after, end);
    const bool is_double = has_point || after != mantissa_end;
    return {is_double ? NumberKind::DOUBLE : NumberKind::INT, after};
}

bool int_value(const char* at, const char* end, std::int32_t& value) noexcept {
    const auto result = std::from_chars(skip_plus(at), end, value);
    return result.ec == std::errc{};
}

bool double_value(const char* at, const char* end, double& value) noexcept {
    const auto result = std::from_chars(skip_plus(at), end, value);
    if (result.ec == std::errc{}) return true;
    if (is_large(at, end)) return false;
    value = *at == '-' ? -0.0 : 0.0;
    return true;
}

}  // namespace pex::policy
