// SPDX-License-Identifier: BSD-3-Clause
// Reads definitions, and holds values against them.
#include "policy/definition.hpp"

#include <utility>

#include "policy/name_path.hpp"
#include "policy/suggest.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

[[noreturn]] void refuse(const std::string& name, const Entry& entry, std::string problem, std::string expected,
                         std::string suggestion = {}) {
    Report report;
    report.problem = "definition of " + in_quotes(name) + ": " + std::move(problem);
    report.place = entry.place_of(entry.size() - 1);
    report.breadcrumb = name;
    report.expected = std::move(expected);
    report.seen = describe_values(entry);
    report.suggestion = std::move(suggestion);
    throw DictionaryError(std::move(report));
}

[[noreturn]] void refuse_keyword(const std::string& name, const Entry& entry,
                                 const std::vector<std::string_view>& known) {
    Report report;
    report.problem = "definition of " + in_quotes(name) + ": there is no keyword " + in_quotes(entry.name);
    report.place = entry.place();
    report.breadcrumb = name;
    for (const std::string_view keyword : known)
        report.expected.append(report.expected.empty() ? "one of " : ", ").append(keyword);
    report.suggestion = nearest(entry.name, known);
    throw DictionaryError(std::move(report));
}

void warn_about(const WarningSink& warn, const std::string& name, const Entry& entry, std::string problem) {
    if (!warn) return;
    Report report;
    report.problem = "definition of " + in_quotes(name) + ": " + std::move(problem);
    report.place = entry.place();
    warn(report);
}

ValueType read_type(const Entry& entry, const std::string& name) {
    const auto* text = std::get_if<SmallArray<StringValue>>(&entry.values);
    const std::string expected = "int, bool, double, string, Policy or undefined";
    if (text == nullptr) refuse(name, entry, "\"type\" is no string", expected);
    ValueType type = ValueType::UNDEF;
    try {
        type = type_by_name(text->back());
    } catch (const BadNameError& error) {
        refuse(name, entry, "unknown type " + in_quotes(text->back()), expected, error.report().suggestion);
    }
    if (type == ValueType::FILE) {
        refuse(name, entry, "illegal type " + in_quotes(text->back()) + ", for files are loaded first", expected,
               "Policy");
    }
    return type;
}

int read_count(const Entry& entry, const std::string& name) {
    const auto* numbers = std::get_if<SmallArray<std::int32_t>>(&entry.values);
    if (numbers == nullptr) refuse(name, entry, in_quotes(entry.name) + " is no integer", "an int");
    return numbers->back();
}

void require_type(const Rules& rules, const Entry& entry, const std::string& name) {
    const bool any = rules.type == ValueType::UNDEF || rules.type == ValueType::POLICY;
    if (any || entry.type() == rules.type) return;
    refuse(name, entry, in_quotes(entry.name) + " under \"allowed\" has another type than the parameter",
           std::string(type_name(rules.type)));
}

void read_bound(const Entry*& bound, const Entry& entry, const std::string& name) {
    if (bound != nullptr || entry.size() > 1) {
        const Place first = bound != nullptr ? bound->place() : entry.place();
        std::string expected = "at most one in all \"allowed\" blocks together";
        if (first.known())
            expected += "; the first is in line " + std::to_string(first.source->position(first.offset).line);
        refuse(name, entry, "there is a second " + in_quotes(entry.name), std::move(expected));
    }
    bound = &entry;
}

void read_allowed_block(Rules& rules, const Node& block, const std::string& name) {
    block.for_each([&](const Entry& entry) {
        if (entry.name == keyword::DESCRIPTION) return;
        if (entry.name == keyword::VALUE) {
            rules.allowed.push_back(&entry);
        } else if (entry.name == keyword::MIN) {
            read_bound(rules.min, entry, name);
        } else if (entry.name == keyword::MAX) {
            read_bound(rules.max, entry, name);
        } else {
            refuse_keyword(name, entry, {keyword::VALUE, keyword::DESCRIPTION, keyword::MIN, keyword::MAX});
        }
        require_type(rules, entry, name);
    });
}

void read_allowed(Rules& rules, const Entry& entry, const std::string& name, const WarningSink& warn) {
    const auto* blocks = std::get_if<Children>(&entry.values);
    if (blocks == nullptr) {
        if (entry.type() == ValueType::FILE) return;
        return warn_about(warn, name, entry,
                          "\"allowed\" has no effect: it is no policy with \"value\", \"min\" or \"max\"");
    }
    for (const NodePtr& block : *blocks) read_allowed_block(rules, *block, name);
}

const std::vector<std::string_view>& keywords() {
    static const std::vector<std::string_view> KNOWN{
        keyword::TYPE,    keyword::DESCRIPTION, keyword::MIN_OCCURS, keyword::MAX_OCCURS,
        keyword::DEFAULT, keyword::ALLOWED,     keyword::DICTIONARY, keyword::DICTIONARY_FILE,
        keyword::MIN,     keyword::MAX,         keyword::POLICY_FILE};
    return KNOWN;
}

void read_keyword(Rules& rules, const Entry& entry, const std::string& name, const WarningSink& warn) {
    if (entry.name == keyword::MIN_OCCURS) {
        rules.min_occurs = read_count(entry, name);
    } else if (entry.name == keyword::MAX_OCCURS) {
        rules.max_occurs = read_count(entry, name);
    } else if (entry.name == keyword::DEFAULT) {
        rules.default_value = &entry;
    } else if (entry.name == keyword::DICTIONARY) {
        rules.dictionary = &entry;
        if (entry.type() != ValueType::POLICY && entry.type() != ValueType::FILE) {
            refuse(name, entry, "\"dictionary\" is no policy", "a Policy with \"definitions\", or an include");
        }
    } else if (entry.name == keyword::DICTIONARY_FILE) {
        rules.dictionary_file = &entry;
        if (entry.type() != ValueType::STRING && entry.type() != ValueType::FILE) {
            refuse(name, entry, "\"dictionaryFile\" names no file", "a path or an include");
        }
    } else if (entry.name == keyword::ALLOWED) {
        read_allowed(rules, entry, name, warn);
    } else if (entry.name == keyword::MIN || entry.name == keyword::MAX) {
        warn_about(warn, name, entry,
                   in_quotes(entry.name) + " has no effect here; it belongs into an \"allowed\" block");
    } else {
        for (const std::string_view known : keywords()) {
            if (entry.name == known) return;
        }
        refuse_keyword(name, entry, keywords());
    }
}

template <class T>
bool contains_value(const Entry& set, const T& value) {
    const auto* array = std::get_if<SmallArray<T>>(&set.values);
    if (array == nullptr) return false;
    for (const T& candidate : *array) {
        if (candidate == value) return true;
    }
    return false;
}

template <class T>
const T& bound_value(const Entry& bound, const Entry& value, const std::string& name) {
    const auto* array = std::get_if<SmallArray<T>>(&bound.values);
    if (array == nullptr)
        refuse(name, bound, "the bound has another type than the value", std::string(type_name(value.type())));
    return array->back();
}

}  // namespace

Rules read_rules(const Node& definition, const std::string& full_name, const WarningSink& warn) {
    Rules rules;
    // The type comes first: bounds are held against it wherever they stand.
    if (const Entry* type = definition.find(keyword::TYPE)) rules.type = read_type(*type, full_name);
    definition.for_each([&](const Entry& entry) { read_keyword(rules, entry, full_name, warn); });
    return rules;
}

bool is_allowed(const Rules& rules, const Entry& value, std::size_t index) {
    if (rules.allowed.empty()) return true;
    return std::visit(
        [&](const auto& array) {
            using Array = std::decay_t<decltype(array)>;
            if constexpr (std::is_same_v<Array, std::monostate> || std::is_same_v<Array, Children>) {
                return false;
            } else {
                for (const Entry* set : rules.allowed) {
                    if (contains_value(*set, array[index])) return true;
                }
                return false;
            }
        },
        value.values);
}

bool is_in_range(const Rules& rules, const Entry& value, std::size_t index, const std::string& full_name) {
    if (rules.min == nullptr && rules.max == nullptr) return true;
    return std::visit(
        [&](const auto& array) {
            using Array = std::decay_t<decltype(array)>;
            constexpr bool UNORDERED = std::is_same_v<Array, std::monostate> || std::is_same_v<Array, Children> ||
                                       std::is_same_v<Array, SmallArray<FilePtr>>;
            if constexpr (UNORDERED) {
                return false;
            } else {
                using T = std::decay_t<decltype(array[index])>;
                // Negated, so that NaN is out of every range.
                if (rules.min != nullptr && !(array[index] >= bound_value<T>(*rules.min, value, full_name)))
                    return false;
                if (rules.max != nullptr && !(array[index] <= bound_value<T>(*rules.max, value, full_name)))
                    return false;
                return true;
            }
        },
        value.values);
}

ValueType Definition::type() const {
    const Entry* type = m_data->node()->find(keyword::TYPE);
    return type == nullptr ? ValueType::UNDEF : read_type(*type, full_name());
}

std::string Definition::description() const {
    const Entry* entry = m_data->node()->find(keyword::DESCRIPTION);
    if (entry == nullptr) return {};
    const auto* text = std::get_if<SmallArray<StringValue>>(&entry->values);
    if (text == nullptr) refuse(full_name(), *entry, "\"description\" is no string", "a string");
    return text->back().str();
}

}  // namespace pex::policy
