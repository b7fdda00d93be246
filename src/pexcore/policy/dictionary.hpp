// SPDX-License-Identifier: BSD-3-Clause
// A policy that defines other policies: types, defaults, allowed values, counts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/definition.hpp"
#include "policy/policy.hpp"
#include "policy/policy_file.hpp"
#include "policy/validation.hpp"

namespace pex::policy {

class Dictionary : public Policy {
 public:
    // Without definitions: nothing but an empty tree to fill.
    Dictionary() = default;
    // Shares the node; a top-level policy "dictionary" is used in its place. Runs check() unless told not to.
    explicit Dictionary(const NodePtr& node, std::string prefix = {}, const WarningSink& warn = {},
                        bool checked = true);
    ~Dictionary() override;

    // Dotted, with its last dot: what the names of a sub-dictionary start with in errors.
    const std::string& prefix() const noexcept { return m_prefix; }

    // Structure, keywords, types, counts and bounds, in all sub-dictionaries that are loaded. Errors:
    // DictionaryError.
    void check(const WarningSink& warn = {}) const;

    // Errors: DictionaryError where there is not exactly one policy of that name.
    PolicyPtr definitions() const;
    // The definition of a hierarchical name. Errors: NameNotFound; DictionaryError where a parameter on the way has
    // no dictionary; LogicError where it has one that was not loaded.
    Definition get_definition(std::string_view name) const;

    bool has_sub_dictionary(std::string_view top_level_name) const;
    // Errors: LogicError where there is none, DictionaryError where it is no policy.
    DictionaryPtr sub_dictionary(std::string_view top_level_name) const;
    // The dictionary of a policy-typed parameter of any depth; null where it has none.
    DictionaryPtr dictionary_below(std::string_view name) const;

    // Resolves dictionary files and includes, and those in what they bring in; then runs check(). Returns the
    // number of files. Errors: those of load_policy_files(), DictionaryError.
    std::size_t load_files(const std::string& repository, const LoadOptions& options, const WarningSink& warn = {});

    // Adds every violation to the issues. Errors: LogicError where a dictionary file has not been loaded,
    // DictionaryError for a malformed definition. `path` starts the breadcrumbs.
    void validate(const Policy& policy, Issues& issues) const;
    // What the definition of `name` says against values as they are; minimum counts count only if `complete`.
    void validate_values(const Definition& definition, const Entry& values, Issues& issues, bool complete) const;

    // Errors: ValidationError for a change of `policy` that this dictionary forbids; DictionaryError below a policy
    // without dictionary.
    void check_change(const Policy& policy, std::string_view name, const Values& values, bool appending) const;

 private:
    std::string m_prefix;
};

// The definition of a name in a `definitions` policy: its own, or the childDefinition. Null where there is neither.
struct FoundDefinition {
    const NodePtr* node = nullptr;
    bool is_wildcard = false;
};
FoundDefinition find_definition(const Node& definitions, std::string_view name);

// The only policy called "definitions". Errors: DictionaryError.
const NodePtr& definitions_of(const Node& dictionary, const std::string& prefix);

// The dictionary in the rules of a parameter; null where there is none. Errors: LogicError where it was not loaded.
const NodePtr* loaded_dictionary(const Rules& rules, const std::string& full_name);

}  // namespace pex::policy
