// SPDX-License-Identifier: BSD-3-Clause
// Where names and strings end, sixteen characters at a time where the processor has instructions for it.
#pragma once

#include <bit>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "policy/char_class.hpp"

namespace pex::policy {

#if defined(__SSE2__)
namespace sixteen {

// Characters of a text. The comparisons give 0xFF where they hold, 0 elsewhere.
using Characters = __m128i;

inline Characters load(const char* at) noexcept {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
inline Characters equal(Characters characters, char wanted) noexcept {
    return _mm_cmpeq_epi8(characters, _mm_set1_epi8(wanted));
}
// Whether they lie in a range of `count` characters that begins with `first`.
inline Characters within(Characters characters, char first, int count) noexcept {
    // Bytes are compared as signed numbers: the range is moved to the lowest of those.
    const Characters moved = _mm_sub_epi8(characters, _mm_set1_epi8(static_cast<char>(first - 128)));
    return _mm_cmplt_epi8(moved, _mm_set1_epi8(static_cast<char>(count - 128)));
}
inline Characters either(Characters a, Characters b) noexcept { return _mm_or_si128(a, b); }
// One bit for each character.
inline std::uint32_t bits(Characters holds) noexcept {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(holds));
}

inline std::uint32_t name_starts(Characters characters) noexcept {
    const Characters letters = within(_mm_or_si128(characters, _mm_set1_epi8(0x20)), 'a', 26);
    return bits(either(either(letters, within(characters, '0', 10)), equal(characters, '_')));
}
inline std::uint32_t ends_of_bare(Characters characters) noexcept {
    const Characters marks = either(equal(characters, '#'), equal(characters, '}'));
    const Characters lines = either(equal(characters, '\n'), equal(characters, '\r'));
    return bits(either(either(marks, lines), equal(characters, '\0')));
}

inline std::uint32_t ends_in_quotes(Characters characters, char quote) noexcept {
    return bits(either(equal(characters, quote), equal(characters, '\n')));
}

}  // namespace sixteen
#endif

// The first character that is not of the class NAME_START. The text ends with a NUL at `end`.
inline const char* skip_name(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        const std::uint32_t others = sixteen::name_starts(sixteen::load(at)) ^ 0xFFFFU;
        if (others != 0) return at + std::countr_zero(others);
    }
#else
    (void)end;
#endif
    return skip(at, NAME_START);
}

// The first character of the class END_OF_BARE, likewise.
inline const char* find_end_of_bare(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        const std::uint32_t found = sixteen::ends_of_bare(sixteen::load(at));
        if (found != 0) return at + std::countr_zero(found);
    }
#else
    (void)end;
#endif
    while (!is_a(*at, END_OF_BARE)) ++at;
    return at;
}

// The first quote or LF; `end` where neither comes.
inline const char* find_quote_or_newline(const char* at, const char* end, char quote) noexcept {
#if defined(__SSE2__)
    for (; end - at >= 16; at += 16) {
        const std::uint32_t found = sixteen::ends_in_quotes(sixteen::load(at), quote);
        if (found != 0) return at + std::countr_zero(found);
    }
#endif
    while (at != end && *at != quote && *at != '\n') ++at;
    return at;
}

}  // namespace pex::policy
