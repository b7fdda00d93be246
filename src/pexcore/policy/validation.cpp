// SPDX-License-Identifier: BSD-3-Clause
// Texts of validation errors.
#include "policy/validation.hpp"

#include <array>
#include <utility>

namespace pex::policy {

namespace {

struct Sentence {
    unsigned bit;
    const char* text;
};

constexpr std::array<Sentence, 10> SENTENCES{{
    {issue::WRONG_TYPE, "value has the wrong type"},
    {issue::MISSING_REQUIRED, "no value, but the parameter is required"},
    {issue::NOT_AN_ARRAY, "one value where an array is required"},
    {issue::ARRAY_TOO_SHORT, "too few values in the array"},
    {issue::TOO_MANY_VALUES, "too many values"},
    {issue::VALUE_DISALLOWED, "value is none of those allowed"},
    {issue::VALUE_OUT_OF_RANGE, "value is out of the allowed range"},
    {issue::UNKNOWN_NAME, "parameter is not defined"},
    {issue::BAD_DEFINITION, "the definition of the parameter is malformed"},
    {issue::NOT_LOADED, "value is a file that was not loaded"},
}};

// The messages of all issues, each indented below its parameter.
Report summary(const std::string& heading, const Issues& issues) {
    Report report;
    report.problem = heading;
    for (const auto& [name, list] : issues.by_name()) {
        for (const Issue& issue : list) {
            report.problem += "\n";
            report.problem += render(issue.report);
        }
    }
    return report;
}

}  // namespace

std::string message_for(unsigned bits) {
    std::string text;
    const auto append = [&](const char* sentence) {
        if (!text.empty()) text += "; ";
        text += sentence;
    };
    unsigned known = issue::OK;
    for (const Sentence& sentence : SENTENCES) {
        known |= sentence.bit;
        if ((bits & sentence.bit) != 0) append(sentence.text);
    }
    if ((bits & ~known) != 0) append("unknown error");
    return text;
}

unsigned Issues::bits(const std::string& name) const {
    unsigned all = issue::OK;
    const auto found = m_by_name.find(name);
    if (found == m_by_name.end()) return all;
    for (const Issue& issue : found->second) all |= issue.bit;
    return all;
}

unsigned Issues::bits() const {
    unsigned all = issue::OK;
    for (const auto& [name, list] : m_by_name) {
        for (const Issue& issue : list) all |= issue.bit;
    }
    return all;
}

ValidationError::ValidationError(std::string heading, Issues issues)
    : Error(summary(heading, issues)), m_heading(std::move(heading)), m_issues(std::move(issues)) {}

ValidationError::~ValidationError() = default;

}  // namespace pex::policy
