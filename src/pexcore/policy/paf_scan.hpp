// SPDX-License-Identifier: BSD-3-Clause
// The smallest pieces of PAF: character classes and numbers.
#pragma once

#include <cstdint>

namespace pex::policy {

inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
inline bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
// Letters, digits and '_' start a name; dots may follow.
inline bool is_name_start(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}
inline bool is_name_char(char c) noexcept { return is_name_start(c) || c == '.'; }

inline const char* skip_blanks(const char* at, const char* end) noexcept {
    while (at != end && is_blank(*at)) ++at;
    return at;
}

// Whether the line ends here: LF, CRLF or the end of the input.
inline bool at_line_end(const char* at, const char* end) noexcept {
    return at == end || *at == '\n' || (*at == '\r' && at + 1 != end && at[1] == '\n');
}

// Whether a value ends here: blank, comment, closing brace or the end of the line.
inline bool at_value_end(const char* at, const char* end) noexcept {
    return at_line_end(at, end) || is_blank(*at) || *at == '#' || *at == '}';
}

enum class NumberKind { NONE, INT, DOUBLE };

struct NumberToken {
    NumberKind kind = NumberKind::NONE;
    const char* end = nullptr;
};

// The number that starts here, by shape alone: NONE where there is none.
NumberToken scan_number(const char* at, const char* end) noexcept;

// The value of a scanned token; false where 32 bits, or the range of a double, do not hold it.
// A double too small for its range is zero.
bool int_value(const char* at, const char* end, std::int32_t& value) noexcept;
bool double_value(const char* at, const char* end, double& value) noexcept;

}  // namespace pex::policy
