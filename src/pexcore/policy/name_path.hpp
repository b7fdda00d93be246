// SPDX-License-Identifier: BSD-3-Clause
// Dotted names, field by field.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pex::policy {

// Errors: BadNameError for an empty name, a leading, trailing or doubled dot, and more than MAX_DEPTH fields.
void check_name(std::string_view name);

// How many fields a name has, the empty ones too.
inline std::uint32_t field_count(std::string_view name) noexcept {
    return static_cast<std::uint32_t>(std::count(name.begin(), name.end(), '.')) + 1;
}

// Walks the fields of a checked name. After next(), field() is the current one.
class FieldWalk {
 public:
    explicit FieldWalk(std::string_view name) noexcept : m_name(name) {}
    bool next() noexcept {
        if (m_after > m_name.size()) return false;
        m_begin = m_after;
        const std::size_t dot = m_name.find('.', m_begin);
        m_end = dot == std::string_view::npos ? m_name.size() : dot;
        m_after = m_end + 1;
        return true;
    }
    std::string_view field() const noexcept { return m_name.substr(m_begin, m_end - m_begin); }
    bool is_last() const noexcept { return m_end == m_name.size(); }
    // Everything up to and with the current field.
    std::string_view up_to_here() const noexcept { return m_name.substr(0, m_end); }
    // Everything before the current field, without the dot.
    std::string_view before() const noexcept { return m_name.substr(0, m_begin == 0 ? 0 : m_begin - 1); }
    // Everything behind the current field, without the dot.
    std::string_view rest() const noexcept { return is_last() ? std::string_view{} : m_name.substr(m_after); }

 private:
    std::string_view m_name;
    std::size_t m_begin = 0;
    std::size_t m_end = 0;
    std::size_t m_after = 0;
};

// "outer" and "name" as "outer.name"; just "name" where there is no outer.
std::string join_names(std::string_view outer, std::string_view name);
// "name[2]"; just "name" for the only element.
std::string with_subscript(std::string_view name, std::size_t index, std::size_t count);

}  // namespace pex::policy
