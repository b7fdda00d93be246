// SPDX-License-Identifier: BSD-3-Clause
// Lines and columns of a source.
#include "policy/source.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <stdexcept>

#include "policy/utf8.hpp"

namespace pex::policy {

namespace {

constexpr std::string_view BYTE_ORDER_MARK = "\xEF\xBB\xBF";

// The arrays of a tree take about three times the memory of its text.
constexpr std::size_t TREE_OF_A_BYTE = 3;

}  // namespace

Source::Source(std::string name, std::string text, std::string path, Place included_from)
    : m_name(std::move(name)),
      m_text(std::move(text)),
      m_path(std::move(path)),
      m_included_from(std::move(included_from)),
      m_memory(TREE_OF_A_BYTE * m_text.size()) {
    if (m_text.size() >= NO_OFFSET)
        throw std::length_error(m_name + ": policy texts of 4 GiB and more cannot be read");
}

bool Source::holds(std::string_view piece) const noexcept {
    const std::less_equal<const char*> at_or_before;
    return at_or_before(m_text.data(), piece.data()) &&
           at_or_before(piece.data() + piece.size(), m_text.data() + m_text.size());
}

std::size_t Source::line_index(std::uint32_t offset) const {
    std::call_once(m_indexed, [this] {
        // A byte order mark is nothing that people see.
        m_line_starts.push_back(m_text.starts_with(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK.size() : 0);
        const char* const begin = m_text.data();
        const char* const end = begin + m_text.size();
        for (const char* at = begin; at != end;) {
            const void* newline = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
            if (newline == nullptr) break;
            at = static_cast<const char*>(newline) + 1;
            m_line_starts.push_back(static_cast<std::uint32_t>(at - begin));
        }
    });
    const auto after = std::upper_bound(m_line_starts.begin(), m_line_starts.end(), offset);
    return static_cast<std::size_t>(std::max(after - m_line_starts.begin(), std::ptrdiff_t{1})) - 1;
}

Position Source::position(std::uint32_t offset) const {
    offset = std::min(offset, static_cast<std::uint32_t>(m_text.size()));
    const std::size_t line = line_index(offset);
    std::uint32_t column = 1;
    for (std::size_t at = m_line_starts[line]; at < offset; at += step_length(m_text, at)) ++column;
    return {static_cast<std::uint32_t>(line + 1), column};
}

std::string_view Source::line_at(std::uint32_t offset) const {
    offset = std::min(offset, static_cast<std::uint32_t>(m_text.size()));
    const std::size_t line = line_index(offset);
    const std::size_t begin = m_line_starts[line];
    std::size_t end = line + 1 < m_line_starts.size() ? m_line_starts[line + 1] - 1 : m_text.size();
    if (end > begin && m_text[end - 1] == '\r') --end;
    return std::string_view(m_text).substr(begin, end - begin);
}

}  // namespace pex::policy
