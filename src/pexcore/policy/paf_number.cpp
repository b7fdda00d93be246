// SPDX-License-Identifier: BSD-3-Clause
// The rarer numbers of PAF: with many digits, or with an exponent.
#include "policy/paf_number.hpp"

#include <charconv>
#include <system_error>

namespace pex::policy {

namespace {

constexpr int LONGEST_EXPONENT = 3;

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

namespace number {

const char* find_exponent_end(const char* at, const char* end) noexcept {
    const char* digits = at + 1;
    if (digits != end && (*digits == '+' || *digits == '-')) ++digits;
    const char* after = digits;
    while (after != end && after - digits < LONGEST_EXPONENT && is_digit(*after)) ++after;
    return after == digits ? at : after;
}

bool long_int_value(const NumberToken& token, std::int32_t& value) noexcept {
    const auto result = std::from_chars(skip_plus(token.begin), token.end, value);
    return result.ec == std::errc{};
}

bool rounded_double_value(const NumberToken& token, double& value) noexcept {
    const auto result = std::from_chars(skip_plus(token.begin), token.end, value);
    if (result.ec == std::errc{}) return true;
    if (is_large(token.begin, token.end)) return false;
    value = *token.begin == '-' ? -0.0 : 0.0;
    return true;
}

}  // namespace number

}  // namespace pex::policy
