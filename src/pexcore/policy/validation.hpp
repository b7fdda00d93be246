// SPDX-License-Identifier: BSD-3-Clause
// What can be wrong with a policy in the eyes of its dictionary.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/error.hpp"

namespace pex::policy {

// Kinds of errors, to be OR-ed. The numbers are part of the DC3b API.
namespace issue {
inline constexpr unsigned OK = 0;
inline constexpr unsigned WRONG_TYPE = 1;
inline constexpr unsigned MISSING_REQUIRED = 2;
inline constexpr unsigned NOT_AN_ARRAY = 4;
inline constexpr unsigned ARRAY_TOO_SHORT = 8;
inline constexpr unsigned TOO_FEW_VALUES = 14;
inline constexpr unsigned TOO_MANY_VALUES = 16;
inline constexpr unsigned WRONG_OCCURRENCE_COUNT = 30;
inline constexpr unsigned VALUE_DISALLOWED = 32;
inline constexpr unsigned VALUE_OUT_OF_RANGE = 64;
inline constexpr unsigned BAD_VALUE = 96;
inline constexpr unsigned UNKNOWN_NAME = 128;
inline constexpr unsigned BAD_DEFINITION = 256;
inline constexpr unsigned NOT_LOADED = 512;
inline constexpr unsigned UNKNOWN_ERROR = 1024;
}  // namespace issue

// A sentence for one kind of error; several are joined by "; ". "" for OK.
std::string message_for(unsigned bits);

// One violation: a single bit, and where it is.
struct Issue {
    unsigned bit;
    Report report;
};

// All violations, by full dotted name.
class Issues {
 public:
    void add(const std::string& name, Issue issue) { m_by_name[name].push_back(std::move(issue)); }
    bool empty() const noexcept { return m_by_name.empty(); }
    const std::map<std::string, std::vector<Issue>>& by_name() const noexcept { return m_by_name; }
    unsigned bits(const std::string& name) const;
    unsigned bits() const;

 private:
    std::map<std::string, std::vector<Issue>> m_by_name;
};

class ValidationError : public Error {
 public:
    // `heading` opens the message.
    ValidationError(std::string heading, Issues issues);
    ~ValidationError() override;
    const std::string& heading() const noexcept { return m_heading; }
    const Issues& issues() const noexcept { return m_issues; }

 private:
    std::string m_heading;
    Issues m_issues;
};

}  // namespace pex::policy
