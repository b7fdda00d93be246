// SPDX-License-Identifier: BSD-3-Clause
// Names of the value types, in the spellings dictionaries use.
#include "policy/value_type.hpp"

#include <array>
#include <string>
#include <vector>

#include "policy/error.hpp"
#include "policy/suggest.hpp"

namespace pex::policy {

namespace {

struct Spelling {
    std::string_view name;
    ValueType type;
};

constexpr std::array<Spelling, 14> SPELLINGS{{
    {"undefined", ValueType::UNDEF},
    {"undef", ValueType::UNDEF},
    {"bool", ValueType::BOOL},
    {"boolean", ValueType::BOOL},
    {"int", ValueType::INT},
    {"integer", ValueType::INT},
    {"double", ValueType::DOUBLE},
    {"string", ValueType::STRING},
    {"Policy", ValueType::POLICY},
    {"policy", ValueType::POLICY},
    {"PolicyFile", ValueType::FILE},
    {"Policyfile", ValueType::FILE},
    {"policyfile", ValueType::FILE},
    {"file", ValueType::FILE},
}};

// What other languages call the types.
constexpr std::array<Spelling, 9> FOREIGN{{
    {"float", ValueType::DOUBLE},
    {"real", ValueType::DOUBLE},
    {"long", ValueType::INT},
    {"str", ValueType::STRING},
    {"text", ValueType::STRING},
    {"char", ValueType::STRING},
    {"dict", ValueType::POLICY},
    {"map", ValueType::POLICY},
    {"object", ValueType::POLICY},
}};

// The name somebody may have meant, "" where none is near.
std::string meant_by(std::string_view name) {
    std::vector<std::string_view> known;
    for (const Spelling& spelling : SPELLINGS) known.push_back(spelling.name);
    for (const Spelling& spelling : FOREIGN) known.push_back(spelling.name);
    const std::string near = nearest(name, known);
    for (const Spelling& spelling : FOREIGN) {
        if (spelling.name == near) return std::string(type_name(spelling.type));
    }
    return near;
}

}  // namespace

std::string_view type_name(ValueType type) noexcept {
    switch (type) {
        case ValueType::BOOL: return "bool";
        case ValueType::INT: return "int";
        case ValueType::DOUBLE: return "double";
        case ValueType::STRING: return "string";
        case ValueType::POLICY: return "Policy";
        case ValueType::FILE: return "PolicyFile";
        case ValueType::UNDEF:
        case ValueType::UNDETERMINED: break;
    }
    return "undefined";
}

ValueType type_by_name(std::string_view name) {
    for (const Spelling& spelling : SPELLINGS) {
        if (spelling.name == name) return spelling.type;
    }
    Report report;
    report.problem = "there is no type called \"" + std::string(name) + "\"";
    report.expected = "bool, int, double, string, Policy, PolicyFile or undefined";
    report.seen = in_quotes(name);
    report.suggestion = meant_by(name);
    throw BadNameError(std::move(report));
}

}  // namespace pex::policy
