// SPDX-License-Identifier: BSD-3-Clause
// Holds whole policies, and single changes of them, against a dictionary. Collects everything it finds.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "policy/dictionary.hpp"
#include "policy/name_path.hpp"
#include "policy/suggest.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

constexpr std::size_t MOST_NAMES_SHOWN = 8;

// What would be right, and how such a value is written where only its spelling is wrong.
std::string type_text(ValueType wanted, ValueType seen) {
    std::string text(type_name(wanted));
    if (wanted == ValueType::DOUBLE && seen == ValueType::INT) text += ", written with a point";
    if (wanted == ValueType::INT && seen == ValueType::DOUBLE) text += ", written without point or exponent";
    if (wanted == ValueType::BOOL) text += ", true or false";
    if (wanted == ValueType::STRING && seen != ValueType::POLICY) text += ", in quotes";
    return text;
}

std::string names_text(const std::vector<std::string_view>& names) {
    if (names.empty()) return "no parameters at all";
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), MOST_NAMES_SHOWN); ++i)
        text.append(i == 0 ? "one of " : ", ").append(names[i]);
    return names.size() > MOST_NAMES_SHOWN ? text + " and others" : text;
}

std::string count_text(int count) { return std::to_string(count) + (count == 1 ? " value" : " values"); }

class Validator {
 public:
    // Not complete: nothing is missing, for the policy is still being put together.
    Validator(Issues& issues, bool complete) : m_issues(issues), m_complete(complete) {}
    void set_complete(bool complete) noexcept { m_complete = complete; }

    void push(const Node* policy, const Node* dictionary, std::string prefix, std::string path) {
        m_levels.push_back({policy, dictionary, std::move(prefix), std::move(path)});
    }

    void run() {
        while (!m_levels.empty()) {
            const Level level = std::move(m_levels.back());
            m_levels.pop_back();
            const Node& definitions = *definitions_of(*level.dictionary, level.prefix);
            level.policy->for_each([&](const Entry& entry) { check_parameter(level, definitions, entry); });
            if (m_complete) check_missing(level, definitions);
        }
    }

    // One parameter against its definition; `count` is how many values it has, or will have.
    void check_values(const Node& definition, const Entry& values, std::size_t count, const std::string& name,
                      const std::string& path) {
        const Rules& rules = rules_of(definition, name);
        const Where where{&definition, &values, name, path};
        check_count(rules, where, count);
        if (values.type() == ValueType::FILE) {
            return add(where, issue::NOT_LOADED, 0, "a policy; files are loaded by loadPolicyFiles()");
        }
        if (rules.type != ValueType::UNDEF && rules.type != values.type()) {
            return add(where, issue::WRONG_TYPE, 0, type_text(rules.type, values.type()));
        }
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (!is_in_range(rules, values, i, name)) add(where, issue::VALUE_OUT_OF_RANGE, i, range_text(rules));
            if (!is_allowed(rules, values, i)) add(where, issue::VALUE_DISALLOWED, i, allowed_text(rules));
        }
        const auto* children = std::get_if<Children>(&values.values);
        if (children != nullptr) push_children(rules, *children, name, path);
    }

 private:
    struct Level {
        const Node* policy;
        const Node* dictionary;
        std::string prefix;  // of the names that key the issues
        std::string path;    // of the breadcrumbs
    };
    struct Where {
        const Node* definition;
        const Entry* values;
        const std::string& name;
        const std::string& path;
    };

    const Rules& rules_of(const Node& definition, const std::string& name) {
        const auto known = m_rules.find(&definition);
        if (known != m_rules.end()) return known->second;
        return m_rules.emplace(&definition, read_rules(definition, name)).first->second;
    }

    void check_parameter(const Level& level, const Node& definitions, const Entry& entry) {
        const std::string name = level.prefix + entry.name;
        const std::string path = join_names(level.path, entry.name);
        const FoundDefinition found = find_definition(definitions, entry.name);
        if (found.node != nullptr) return check_values(**found.node, entry, entry.size(), name, path);
        Report report;
        report.problem = "parameter " + in_quotes(name) + " is not defined";
        report.place = entry.place();
        report.breadcrumb = path;
        std::vector<std::string_view> known;
        definitions.for_each([&](const Entry& definition) { known.push_back(definition.name); });
        report.expected = names_text(known);
        report.suggestion = nearest(entry.name, known);
        m_issues.add(name, {issue::UNKNOWN_NAME, std::move(report)});
    }

    void check_missing(const Level& level, const Node& definitions) {
        definitions.for_each([&](const Entry& entry) {
            const auto* blocks = std::get_if<Children>(&entry.values);
            if (blocks == nullptr || entry.name == keyword::CHILD_DEFINITION) return;
            if (level.policy->find(entry.name) != nullptr) return;
            const std::string name = level.prefix + entry.name;
            const Rules& rules = rules_of(*blocks->back(), name);
            if (rules.min_occurs <= 0) return;
            Report report;
            report.problem = "parameter " + in_quotes(name) + " is missing";
            report.place = level.policy->opened();
            report.breadcrumb = level.path;
            report.expected = "at least " + count_text(rules.min_occurs) + defined_at(*blocks->back());
            m_issues.add(name, {issue::MISSING_REQUIRED, std::move(report)});
        });
    }

    void check_count(const Rules& rules, const Where& where, std::size_t count) {
        if (m_complete && rules.min_occurs > 1 && count < static_cast<std::size_t>(rules.min_occurs)) {
            const unsigned bit = count == 1 ? issue::NOT_AN_ARRAY : issue::ARRAY_TOO_SHORT;
            add(where, bit, 0, "at least " + count_text(rules.min_occurs));
        }
        if (rules.max_occurs >= 0 && count > static_cast<std::size_t>(rules.max_occurs)) {
            const auto first_excess = static_cast<std::size_t>(rules.max_occurs);
            add(where, issue::TOO_MANY_VALUES, std::min(first_excess, where.values->size() - 1),
                rules.max_occurs == 0 ? "no value: the parameter is forbidden"
                                      : "at most " + count_text(rules.max_occurs));
        }
    }

    void push_children(const Rules& rules, const Children& children, const std::string& name,
                       const std::string& path) {
        const NodePtr* dictionary = loaded_dictionary(rules, name);
        if (dictionary == nullptr) return;
        for (std::size_t i = 0; i < children.size(); ++i) {
            push(children[i].get(), dictionary->get(), name + ".", with_subscript(path, i, children.size()));
        }
    }

    void add(const Where& where, unsigned bit, std::size_t index, const std::string& expected) {
        Report report;
        report.problem = "parameter " + in_quotes(where.name) + ": " + message_for(bit);
        report.place = where.values->place_of(index);
        // One element is to blame, or all of them together.
        const bool is_element = (bit & issue::BAD_VALUE) != 0;
        const bool is_excess = bit == issue::TOO_MANY_VALUES;
        report.breadcrumb =
            is_element || is_excess ? with_subscript(where.path, index, where.values->size()) : where.path;
        report.expected = expected + defined_at(*where.definition);
        report.seen = is_element ? describe_value(*where.values, index) : describe_values(*where.values);
        m_issues.add(where.name, {bit, std::move(report)});
    }

    static std::string defined_at(const Node& definition) {
        const Place& place = definition.opened();
        if (!place.known() || place.offset == NO_OFFSET) return {};
        return " (defined in " + place.source->name() + ":" +
               std::to_string(place.source->position(place.offset).line) + ")";
    }

    static std::string range_text(const Rules& rules) {
        std::string text;
        if (rules.min != nullptr) text = "at least " + values_text(*rules.min);
        if (rules.min != nullptr && rules.max != nullptr) text += " and ";
        if (rules.max != nullptr) text += "at most " + values_text(*rules.max);
        return text;
    }

    static std::string allowed_text(const Rules& rules) {
        std::string text = "one of";
        for (const Entry* set : rules.allowed)
            text += (set == rules.allowed.front() ? " " : ", ") + values_text(*set);
        return text;
    }

    Issues& m_issues;
    bool m_complete;
    std::vector<Level> m_levels;
    // By definition: a block that is repeated a thousand times has one set of rules.
    std::unordered_map<const Node*, Rules> m_rules;
};

Issue undefined(const Policy& policy, const std::string& full_name, const NameNotFound& error) {
    Report report = error.report();
    report.place = policy.node()->opened();
    report.breadcrumb = full_name;
    return {issue::UNKNOWN_NAME, std::move(report)};
}

}  // namespace

void Dictionary::validate(const Policy& policy, Issues& issues) const {
    Validator validator(issues, true);
    validator.push(policy.node().get(), node().get(), m_prefix, policy.path());
    validator.run();
}

void Dictionary::validate_values(const Definition& definition, const Entry& values, Issues& issues,
                                 bool complete) const {
    Validator validator(issues, complete);
    const std::string name = definition.full_name();
    validator.check_values(*definition.data()->node(), values, values.size(), name, name);
    // What a block lacks may still come from the defaults of its own dictionary.
    validator.set_complete(false);
    validator.run();
}

void Dictionary::check_change(const Policy& policy, std::string_view name, const Values& values,
                              bool appending) const {
    Entry change;
    change.values = values;
    if (change.type() == ValueType::FILE) return;
    const std::string full_name = m_prefix + std::string(name);
    Issues issues;
    try {
        const Definition definition = get_definition(name);
        const std::size_t count = change.size() + (appending ? policy.count(name) : 0);
        Validator validator(issues, false);
        validator.check_values(*definition.data()->node(), change, count, full_name,
                               join_names(policy.path(), name));
        validator.run();
    } catch (const NameNotFound& error) {
        issues.add(full_name, undefined(policy, full_name, error));
    }
    if (!issues.empty())
        throw ValidationError("the dictionary forbids to change " + in_quotes(full_name), std::move(issues));
}

}  // namespace pex::policy
