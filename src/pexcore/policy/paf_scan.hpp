// SPDX-License-Identifier: BSD-3-Clause
// The smallest pieces of PAF: character classes and numbers.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace pex::policy {

// What a character can be part of. A source's text ends with a NUL, which belongs to no class but END_OF_BARE, so that
// a loop over one class needs no other end; a NUL inside the text ends it just as well.
enum CharClass : std::uint8_t {
    NAME_START = 1,   // letters, digits, '_'
    NAME = 2,         // those and '.'
    BLANK = 4,        // space, tab
    LAYOUT = 8,       // those, form feed, vertical tab
    END_OF_BARE = 16  // what ends a bare string, or may: '#', '}', LF, CR, NUL
};

inline constexpr std::array<std::uint8_t, 256> CHAR_CLASSES = [] {
    std::array<std::uint8_t, 256> table{};
    const auto mark = [&table](std::string_view characters, int classes) {
        for (const char c : characters) table[static_cast<std::uint8_t>(c)] |= static_cast<std::uint8_t>(classes);
    };
    mark("0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", NAME_START | NAME);
    mark(".", NAME);
    mark(" \t", BLANK | LAYOUT);
    mark("\f\v", LAYOUT);
    mark(std::string_view("#}\n\r\0", 5), END_OF_BARE);
    return table;
}();

inline bool is_a(char c, CharClass wanted) noexcept {
    return (CHAR_CLASSES[static_cast<std::uint8_t>(c)] & wanted) != 0;
}
inline bool is_digit(char c) noexcept { return static_cast<unsigned char>(c - '0') < 10; }
inline bool is_blank(char c) noexcept { return is_a(c, BLANK); }
inline bool is_name_start(char c) noexcept { return is_a(c, NAME_START); }
inline bool is_name_char(char c) noexcept { return is_a(c, NAME); }

// The first character that is not of the class. The text must end with a NUL.
inline const char* skip(const char* at, CharClass unwanted) noexcept {
    while (is_a(*at, unwanted)) ++at;
    return at;
}

// The same for LAYOUT, which is spaces for the most part: those go by eights.
inline const char* skip_layout(const char* at, const char* end) noexcept {
    constexpr std::uint64_t EIGHT_SPACES = 0x2020'2020'2020'2020;
    if constexpr (std::endian::native == std::endian::little) {
        while (end - at >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, at, sizeof word);
            if (word != EIGHT_SPACES) {
                at += std::countr_zero(word ^ EIGHT_SPACES) / 8;
                break;
            }
            at += 8;
        }
    }
    return skip(at, LAYOUT);
}

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
    const char* begin = nullptr;
    const char* end = nullptr;
    std::uint64_t digits = 0;     // all of them in a row; meaningless from 20 digits up
    std::uint32_t count = 0;      // of digits
    std::uint32_t fraction = 0;   // digits behind the point
    bool has_exponent = false;
};

// The number that starts here, by shape alone: NONE where there is none.
NumberToken scan_number(const char* at, const char* end) noexcept;

// The value of a scanned token; false where 32 bits, or the range of a double, do not hold it.
// A double too small for its range is zero.
bool int_value(const NumberToken& token, std::int32_t& value) noexcept;
bool double_value(const NumberToken& token, double& value) noexcept;

}  // namespace pex::policy
