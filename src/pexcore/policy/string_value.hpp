// SPDX-License-Identifier: BSD-3-Clause
// A string of 16 bytes that either shows a piece of a source's text or owns its own.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace pex::policy {

// Names and strings of a parsed text are pieces of it: showing them costs neither memory nor time.
// Lifetime: what viewing() gives must not outlive the text. Moving keeps the view, every copy owns its text, so that
// only a node that keeps the source (Node::keep) holds views.
class StringValue {
 public:
    StringValue() noexcept = default;
    // Errors: LengthError of the standard library from 4 GiB up.
    StringValue(std::string_view text) : m_size(checked_size(text)), m_owned(!text.empty()) {
        if (m_owned) m_text = own(text);
    }
    StringValue(const std::string& text) : StringValue(std::string_view(text)) {}
    StringValue(const char* text) : StringValue(std::string_view(text)) {}
    StringValue(const StringValue& other) : StringValue(other.view()) {}
    StringValue(StringValue&& other) noexcept
        : m_text(std::exchange(other.m_text, "")),
          m_size(std::exchange(other.m_size, 0)),
          m_owned(std::exchange(other.m_owned, false)) {}
    StringValue& operator=(StringValue other) noexcept {
        std::swap(m_text, other.m_text);
        std::swap(m_size, other.m_size);
        std::swap(m_owned, other.m_owned);
        return *this;
    }
    ~StringValue() {
        if (m_owned) std::allocator<char>().deallocate(const_cast<char*>(m_text), m_size);
    }

    static StringValue viewing(std::string_view text) {
        StringValue value;
        value.m_size = checked_size(text);
        value.m_text = text.data();
        return value;
    }

    std::string_view view() const noexcept { return {m_text, m_size}; }
    operator std::string_view() const noexcept { return view(); }
    std::string str() const { return std::string(view()); }
    bool empty() const noexcept { return m_size == 0; }

    friend bool operator==(const StringValue& a, const StringValue& b) noexcept { return a.view() == b.view(); }
    friend bool operator==(const StringValue& a, std::string_view b) noexcept { return a.view() == b; }
    friend auto operator<=>(const StringValue& a, const StringValue& b) noexcept { return a.view() <=> b.view(); }
    friend std::string operator+(std::string a, const StringValue& b) { return std::move(a.append(b.view())); }

 private:
    static std::uint32_t checked_size(std::string_view text) {
        if (text.size() > UINT32_MAX) throw std::length_error("a string of 4 GiB or more in a policy");
        return static_cast<std::uint32_t>(text.size());
    }
    static const char* own(std::string_view text) {
        char* copy = std::allocator<char>().allocate(text.size());
        std::memcpy(copy, text.data(), text.size());
        return copy;
    }

    const char* m_text = "";
    std::uint32_t m_size = 0;
    bool m_owned = false;
};

}  // namespace pex::policy
