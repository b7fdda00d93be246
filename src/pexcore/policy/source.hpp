// SPDX-License-Identifier: BSD-3-Clause
// Where text came from: a source keeps the text it was parsed from, a place is a byte in it.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "policy/monotonic_buffer.hpp"

namespace pex::policy {

class Source;

inline constexpr std::uint32_t NO_OFFSET = UINT32_MAX;

// A byte of a source, or the source as a whole (NO_OFFSET). Lines and columns are worked out only when somebody
// asks.
struct Place {
    std::shared_ptr<const Source> source;
    std::uint32_t offset = NO_OFFSET;

    bool known() const noexcept { return source != nullptr; }
};

// Both count from 1; columns count characters of UTF-8, and bytes that are none one by one.
struct Position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
};

// Made by std::make_shared. Thread safety: immutable once shared; the line index is built once, by the first who asks.
class Source : public std::enable_shared_from_this<Source> {
 public:
    // `name` is shown to people. `path` identifies a file (links resolved), empty for text that is not one.
    // `included_from` is the include that brought this source in. Errors: LengthError of the standard library
    // for 4 GiB and more, which offsets cannot address.
    Source(std::string name, std::string text, std::string path = {}, Place included_from = {});

    const std::string& name() const noexcept { return m_name; }
    const std::string& text() const noexcept { return m_text; }
    const std::string& path() const noexcept { return m_path; }
    const Place& included_from() const noexcept { return m_included_from; }

    // Memory that lives as long as the text, for what is read from it. Thread safety: none, so that one thread at a time
    // reads a text into a tree.
    MonotonicBuffer& memory() const noexcept { return m_memory; }

    // Whether the characters are a piece of this very text, not merely equal to one.
    bool holds(std::string_view piece) const noexcept;

    Position position(std::uint32_t offset) const;
    // The line that holds the offset, without its end.
    std::string_view line_at(std::uint32_t offset) const;

 private:
    std::size_t line_index(std::uint32_t offset) const;

    std::string m_name;
    std::string m_text;
    std::string m_path;
    Place m_included_from;
    mutable MonotonicBuffer m_memory;
    mutable std::once_flag m_indexed;
    mutable std::vector<std::uint32_t> m_line_starts;
};

}  // namespace pex::policy
