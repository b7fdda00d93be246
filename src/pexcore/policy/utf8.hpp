// SPDX-License-Identifier: BSD-3-Clause
// Characters of texts that may hold any bytes.
#pragma once

#include <cstddef>
#include <string_view>

namespace pex::policy {

// Bytes of the character of UTF-8 that starts here; 0 where none does, which includes overlong forms and surrogates.
inline std::size_t utf8_length(std::string_view text, std::size_t at) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(at);
    if (first < 0x80) return 1;
    const std::size_t length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    if (length == 0 || text.size() - at < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(at + i) & 0xC0U) != 0x80U) return 0;
    }
    const unsigned char second = byte(at + 1);
    const bool outside = (first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0) ||
                         (first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90);
    return outside ? 0 : length;
}

// The same, where a byte that belongs to no character counts as one.
inline std::size_t step_length(std::string_view text, std::size_t at) noexcept {
    const std::size_t length = utf8_length(text, at);
    return length == 0 ? 1 : length;
}

}  // namespace pex::policy
