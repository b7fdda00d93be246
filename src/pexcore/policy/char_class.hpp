// SPDX-License-Identifier: BSD-3-Clause
// What characters of PAF can be part of.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pex::policy {

// What a character can be part of. A source's text ends with a NUL, which belongs to no class but END_OF_BARE, so that
// a loop over one class needs no other end; a NUL inside the text ends it just as well.
enum CharClass : std::uint8_t {
    NAME_START = 1,   // letters, digits, '_'
    NAME = 2,         // those and '.'
    BLANK = 4,        // space, tab
    LAYOUT = 8,       // those, form feed, vertical tab
    END_OF_BARE = 16,   // what ends a bare string, or may: '#', '}', LF, CR, NUL
    END_OF_VALUE = 32,  // what ends a value in any case: blanks, '#', '}', LF
    NUMBER_START = 64   // digits, '+', '-', '.'
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
    mark(" \t#}\n", END_OF_VALUE);
    mark("0123456789+-.", NUMBER_START);
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

}  // namespace pex::policy
