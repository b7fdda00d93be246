// SPDX-License-Identifier: BSD-3-Clause
// Structure of dictionaries and look-up in them.
#include "policy/dictionary.hpp"

#include <utility>

#include "policy/name_path.hpp"
#include "policy/suggest.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

template <class E>
[[noreturn]] void fail(const Place& place, const std::string& name, std::string problem, std::string expected = {},
                       std::string suggestion = {}) {
    Report report;
    report.problem = std::move(problem);
    report.place = place;
    report.breadcrumb = name;
    report.expected = std::move(expected);
    report.suggestion = std::move(suggestion);
    throw E(std::move(report));
}

// What stands for the dictionary: the node, or the policy "dictionary" in it.
const NodePtr& root_of(const NodePtr& node) {
    if (node->find(keyword::DEFINITIONS) != nullptr) return node;
    const Entry* inner = node->find(keyword::DICTIONARY);
    const auto* blocks = inner == nullptr ? nullptr : std::get_if<Children>(&inner->values);
    return blocks == nullptr ? node : blocks->back();
}

void warn_repeated(const WarningSink& warn, const Entry& entry, const std::string& name) {
    if (!warn || entry.size() == 1) return;
    Report report;
    report.problem = "parameter " + in_quotes(name) + " is defined more than once; the last definition counts";
    report.place = entry.place();
    warn(report);
}

void check_child_definition(const Entry& entry, const std::string& name) {
    if (entry.name != keyword::CHILD_DEFINITION || entry.size() == 1) return;
    fail<DictionaryError>(entry.place_of(1), name, "there is more than one childDefinition", "one at most");
}

std::vector<std::string_view> names_of(const Node& node) {
    std::vector<std::string_view> names;
    node.for_each([&](const Entry& entry) { names.push_back(entry.name); });
    return names;
}

}  // namespace

Dictionary::Dictionary(const NodePtr& node, std::string prefix, const WarningSink& warn, bool checked)
    : Policy(root_of(node)), m_prefix(std::move(prefix)) {
    if (checked) check(warn);
}

Dictionary::~Dictionary() = default;

const NodePtr& definitions_of(const Node& dictionary, const std::string& prefix) {
    const Entry* entry = dictionary.find(keyword::DEFINITIONS);
    const std::string name = prefix + std::string(keyword::DEFINITIONS);
    if (entry == nullptr) {
        fail<DictionaryError>(dictionary.opened(), name, "this is no dictionary: it has no \"definitions\"",
                              "exactly one policy called definitions");
    }
    const auto* blocks = std::get_if<Children>(&entry->values);
    if (blocks == nullptr) {
        fail<DictionaryError>(entry->place(), name, "\"definitions\" is no policy, but " + describe_values(*entry),
                              "exactly one policy called definitions; includes have to be loaded first");
    }
    if (blocks->size() != 1) {
        fail<DictionaryError>(entry->place_of(1), name, "there is more than one \"definitions\"", "exactly one");
    }
    return blocks->back();
}

FoundDefinition find_definition(const Node& definitions, std::string_view name) {
    for (const std::string_view candidate : {name, keyword::CHILD_DEFINITION}) {
        const Entry* entry = definitions.find(candidate);
        const auto* blocks = entry == nullptr ? nullptr : std::get_if<Children>(&entry->values);
        if (blocks != nullptr) return {&blocks->back(), candidate == keyword::CHILD_DEFINITION};
    }
    return {};
}

const NodePtr* loaded_dictionary(const Rules& rules, const std::string& full_name) {
    if (rules.dictionary != nullptr) {
        if (const auto* blocks = std::get_if<Children>(&rules.dictionary->values)) return &root_of(blocks->back());
    } else if (rules.dictionary_file == nullptr) {
        return nullptr;
    }
    const Entry& unloaded = rules.dictionary != nullptr ? *rules.dictionary : *rules.dictionary_file;
    fail<LogicError>(
        unloaded.place(), full_name,
        "the dictionary of " + in_quotes(full_name) + " has not been loaded: " + describe_values(unloaded),
        "a call of loadPolicyFiles() on the dictionary before it is used");
}

void Dictionary::check(const WarningSink& warn) const {
    struct Level {
        const Node* dictionary;
        std::string prefix;
    };
    std::vector<Level> levels{{node().get(), m_prefix}};
    while (!levels.empty()) {
        const Level level = std::move(levels.back());
        levels.pop_back();
        const Entry* includes = level.dictionary->find(keyword::DEFINITIONS);
        // An include is looked into when it has been loaded.
        if (includes != nullptr && includes->type() == ValueType::FILE) continue;
        definitions_of(*level.dictionary, level.prefix)->for_each([&](const Entry& entry) {
            const std::string name = level.prefix + entry.name;
            if (entry.type() == ValueType::FILE) return;
            const auto* blocks = std::get_if<Children>(&entry.values);
            if (blocks == nullptr) {
                fail<DictionaryError>(
                    entry.place(), name,
                    "the definition of " + in_quotes(name) + " is no policy, but " + describe_values(entry),
                    "a Policy, such as { type: int }");
            }
            check_child_definition(entry, name);
            warn_repeated(warn, entry, name);
            const Rules rules = read_rules(*blocks->back(), name, warn);
            const bool loaded = rules.dictionary != nullptr && rules.dictionary->type() == ValueType::POLICY;
            if (loaded) levels.push_back({loaded_dictionary(rules, name)->get(), name + "."});
        });
    }
}

PolicyPtr Dictionary::definitions() const {
    return std::make_shared<Policy>(definitions_of(*node(), m_prefix),
                                    m_prefix + std::string(keyword::DEFINITIONS));
}

Definition Dictionary::get_definition(std::string_view name) const {
    check_name(name);
    const Node* dictionary = node().get();
    FieldWalk walk(name);
    while (walk.next()) {
        const Node& definitions = *definitions_of(*dictionary, m_prefix);
        const FoundDefinition found = find_definition(definitions, walk.field());
        const std::string full = m_prefix + std::string(walk.up_to_here());
        if (found.node == nullptr) {
            const std::string near = nearest(walk.field(), names_of(definitions));
            fail<NameNotFound>(definitions.opened(), full, "parameter " + in_quotes(full) + " is not defined", "",
                               near.empty() ? near : join_names(walk.before(), near));
        }
        if (walk.is_last()) {
            std::string prefix = m_prefix + std::string(walk.before());
            if (!walk.before().empty()) prefix += '.';
            return {std::move(prefix), std::string(walk.field()), std::make_shared<Policy>(*found.node, full),
                    found.is_wildcard};
        }
        const NodePtr* below = loaded_dictionary(read_rules(**found.node, full), full);
        if (below == nullptr) {
            fail<DictionaryError>(
                (*found.node)->opened(), full,
                "parameter " + in_quotes(name) + " cannot be looked up: " + in_quotes(full) + " has no dictionary");
        }
        dictionary = below->get();
    }
    return {};
}

bool Dictionary::has_sub_dictionary(std::string_view top_level_name) const {
    const FoundDefinition found = find_definition(*definitions_of(*node(), m_prefix), top_level_name);
    return found.node != nullptr && (*found.node)->find(keyword::DICTIONARY) != nullptr;
}

DictionaryPtr Dictionary::sub_dictionary(std::string_view top_level_name) const {
    const std::string full = m_prefix + std::string(top_level_name);
    const Node& definitions = *definitions_of(*node(), m_prefix);
    const FoundDefinition found = find_definition(definitions, top_level_name);
    const NodePtr* below =
        found.node == nullptr ? nullptr : loaded_dictionary(read_rules(**found.node, full), full);
    if (below == nullptr) {
        const Place& place = found.node == nullptr ? definitions.opened() : (*found.node)->opened();
        fail<LogicError>(place, full, "parameter " + in_quotes(full) + " has no sub-dictionary");
    }
    return std::make_shared<Dictionary>(*below, full + ".", WarningSink{}, false);
}

DictionaryPtr Dictionary::dictionary_below(std::string_view name) const {
    const NodePtr* below = &node();
    std::string prefix = m_prefix;
    FieldWalk walk(name);
    while (walk.next()) {
        const FoundDefinition found = find_definition(*definitions_of(*root_of(*below), prefix), walk.field());
        if (found.node == nullptr) return nullptr;
        const Entry* dictionary = (*found.node)->find(keyword::DICTIONARY);
        const auto* blocks = dictionary == nullptr ? nullptr : std::get_if<Children>(&dictionary->values);
        if (blocks == nullptr) return nullptr;
        below = &blocks->back();
        prefix.append(walk.field()).append(".");
    }
    return std::make_shared<Dictionary>(*below, std::move(prefix), WarningSink{}, false);
}

}  // namespace pex::policy
