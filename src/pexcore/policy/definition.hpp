// SPDX-License-Identifier: BSD-3-Clause
// One parameter as a dictionary defines it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy.hpp"

namespace pex::policy {

// The words of the dictionary schema.
namespace keyword {
inline constexpr std::string_view DEFINITIONS = "definitions";
inline constexpr std::string_view CHILD_DEFINITION = "childDefinition";
inline constexpr std::string_view TYPE = "type";
inline constexpr std::string_view DESCRIPTION = "description";
inline constexpr std::string_view MIN_OCCURS = "minOccurs";
inline constexpr std::string_view MAX_OCCURS = "maxOccurs";
inline constexpr std::string_view DEFAULT = "default";
inline constexpr std::string_view DICTIONARY = "dictionary";
inline constexpr std::string_view DICTIONARY_FILE = "dictionaryFile";
inline constexpr std::string_view ALLOWED = "allowed";
inline constexpr std::string_view VALUE = "value";
inline constexpr std::string_view MIN = "min";
inline constexpr std::string_view MAX = "max";
inline constexpr std::string_view POLICY_FILE = "PolicyFile";
}  // namespace keyword

// Told of definitions that have no effect although their author expects one.
using WarningSink = std::function<void(const Report&)>;

// A definition taken apart. Lifetime: pointers into the definition's node.
struct Rules {
    ValueType type = ValueType::UNDEF;  // UNDEF: any
    int min_occurs = 0;
    int max_occurs = -1;  // 0: forbidden; negative: any number
    const Entry* default_value = nullptr;
    std::vector<const Entry*> allowed = {};  // every `value` of every `allowed` block
    const Entry* min = nullptr;
    const Entry* max = nullptr;
    const Entry* dictionary = nullptr;  // as written: a policy, or a file not yet loaded
    const Entry* dictionary_file = nullptr;
};

// Errors: DictionaryError, with its place, for anything malformed: unknown keywords, unknown or illegal types,
// counts and bounds of the wrong type, a second bound, allowed values of the wrong type.
Rules read_rules(const Node& definition, const std::string& full_name, const WarningSink& warn = {});

// Whether a value lies in the allowed set, and between the bounds. Errors: DictionaryError for bounds of a type
// other than the value's. Policies lie in no set and between no bounds.
bool is_allowed(const Rules& rules, const Entry& value, std::size_t index);
bool is_in_range(const Rules& rules, const Entry& value, std::size_t index, const std::string& full_name);

class Definition {
 public:
    Definition() : Definition("", "", std::make_shared<Policy>(), false) {}
    Definition(std::string prefix, std::string name, PolicyPtr data, bool is_wildcard)
        : m_prefix(std::move(prefix)),
          m_name(std::move(name)),
          m_data(std::move(data)),
          m_is_wildcard(is_wildcard) {}

    const std::string& name() const noexcept { return m_name; }
    void set_name(std::string name) { m_name = std::move(name); }
    // Dotted, with its last dot, so that prefix and name make the full name.
    const std::string& prefix() const noexcept { return m_prefix; }
    void set_prefix(std::string prefix) { m_prefix = std::move(prefix); }
    std::string full_name() const { return m_prefix + m_name; }
    // Whether this is the childDefinition, which applies to every name without a definition of its own.
    bool is_wildcard() const noexcept { return m_is_wildcard; }
    void set_wildcard(bool is_wildcard) noexcept { m_is_wildcard = is_wildcard; }
    const PolicyPtr& data() const noexcept { return m_data; }
    void set_data(PolicyPtr data) { m_data = std::move(data); }

    // Errors of these: DictionaryError, as for read_rules().
    Rules rules(const WarningSink& warn = {}) const { return read_rules(*m_data->node(), full_name(), warn); }
    ValueType type() const;
    std::string description() const;

 private:
    std::string m_prefix;
    std::string m_name;
    PolicyPtr m_data;
    bool m_is_wildcard;
};

}  // namespace pex::policy
