// SPDX-License-Identifier: BSD-3-Clause
// The smallest pieces of PAF between its values: blanks, and where lines and values end.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "policy/char_class.hpp"

namespace pex::policy {

// The first character that is not LAYOUT, which is spaces for the most part: those go by eights.
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
    return is_a(*at, END_OF_VALUE) || (is_a(*at, END_OF_BARE) && at_line_end(at, end));
}

}  // namespace pex::policy
