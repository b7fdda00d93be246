// SPDX-License-Identifier: BSD-3-Clause
// Edit distance with swaps, bounded to names of a sensible length.
#include "policy/suggest.hpp"

#include <algorithm>
#include <cstddef>

namespace pex::policy {

namespace {

// Names beyond this are not compared: the table is quadratic.
constexpr std::size_t LONGEST = 100;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Optimal string alignment distance: insert, delete, replace, swap neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
    const std::size_t width = b.size() + 1;
    std::vector<std::size_t> table((a.size() + 1) * width);
    for (std::size_t j = 0; j < width; ++j) table[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        table[i * width] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            std::size_t best = table[(i - 1) * width + j - 1] + (same ? 0 : 1);
            best = std::min({best, table[(i - 1) * width + j] + 1, table[i * width + j - 1] + 1});
            const bool swapped =
                i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
            if (swapped) best = std::min(best, table[(i - 2) * width + j - 2] + 1);
            table[i * width + j] = best;
        }
    }
    return table.back();
}

}  // namespace

std::string nearest(std::string_view name, const std::vector<std::string_view>& candidates) {
    if (name.size() > LONGEST) return {};
    std::string_view best;
    // Of a single letter nothing is left once it is replaced: there only the case may differ.
    const std::size_t farthest = name.size() <= 1 ? 0 : std::max<std::size_t>(1, name.size() / 3);
    std::size_t best_distance = farthest + 1;
    for (const std::string_view candidate : candidates) {
        const std::size_t gap =
            candidate.size() > name.size() ? candidate.size() - name.size() : name.size() - candidate.size();
        if (gap >= best_distance || candidate.size() > LONGEST) continue;
        const std::size_t found = distance(name, candidate);
        if (found < best_distance) {
            best = candidate;
            best_distance = found;
        }
    }
    return std::string(best);
}

}  // namespace pex::policy
