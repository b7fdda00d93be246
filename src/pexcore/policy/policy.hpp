// SPDX-License-Identifier: BSD-3-Clause
// A policy: names to non-empty arrays of one type each, hierarchical by dotted names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/error.hpp"
#include "policy/node.hpp"

namespace pex::policy {

class Dictionary;
class Policy;
using PolicyPtr = std::shared_ptr<Policy>;
using DictionaryPtr = std::shared_ptr<Dictionary>;

// A view of a tree that may be shared: copies of a Policy, and the sub-policies it hands out, show each other's
// changes. A dotted name goes through the last element of an array of policies. Every call that takes a name raises
// BadNameError for one with empty fields. Thread safety: none while somebody writes.
class Policy {
 public:
    Policy();
    // `path` is what messages call this policy's place in a larger one.
    explicit Policy(NodePtr node, std::string path = {}, DictionaryPtr dictionary = {});
    Policy(const Policy&) = default;
    Policy& operator=(const Policy&) = default;
    virtual ~Policy();

    PolicyPtr deep_copy() const;
    const NodePtr& node() const noexcept { return m_node; }
    const std::string& path() const noexcept { return m_path; }

    // --- asking ---
    bool exists(std::string_view name) const { return find(name) != nullptr; }
    std::size_t count(std::string_view name) const;
    ValueType type(std::string_view name) const;
    bool is_dictionary() const { return find("definitions") != nullptr; }

    // T is bool, int32_t, double or StringValue; `get` gives the last value.
    // Errors: NameNotFound, TypeError. The reference and the span end with the next change.
    template <class T>
    const T& get(std::string_view name) const {
        return get_array<T>(name).back();
    }
    template <class T>
    T get(std::string_view name, const T& fallback) const {
        return exists(name) ? get<T>(name) : fallback;
    }
    template <class T>
    std::span<const T> get_array(std::string_view name) const;

    // These share data with this policy; with a dictionary attached they carry their part of it.
    PolicyPtr get_policy(std::string_view name) const;
    std::vector<PolicyPtr> get_policy_array(std::string_view name) const;
    FilePtr get_file(std::string_view name) const { return get_file_array(name).back(); }
    std::span<const FilePtr> get_file_array(std::string_view name) const;

    // The entry of a name; nullptr, or an error, where there is none.
    const Entry* find(std::string_view name) const;
    const Entry& require(std::string_view name) const;
    // Where the name stands in its file; the policy's own place where it is absent.
    Place place(std::string_view name) const;

    enum class Names { ALL, PARAMETERS, POLICIES, FILES };
    // In order of first insertion; nested names dotted, each after the policy that holds it.
    std::vector<std::string> names(Names which, bool top_level_only) const;

    // --- changing ---
    // T as above, PolicyPtr or FilePtr. Errors: ValidationError (attached dictionary), TypeError (add),
    // InvalidParameterError (a field on the way is no policy, or a policy would hold itself).
    template <class T>
    void set(std::string_view name, T value);
    template <class T>
    void add(std::string_view name, T value);
    // Whole arrays; empty ones raise RuntimeError.
    void set_values(std::string_view name, Values values);
    void add_values(std::string_view name, Values values);
    void remove(std::string_view name);

    // --- the attached dictionary ---
    const DictionaryPtr& dictionary() const noexcept { return m_dictionary; }
    void set_dictionary(DictionaryPtr dictionary) { m_dictionary = std::move(dictionary); }

 private:
    void check_change(std::string_view name, const Values& values, bool appending) const;
    DictionaryPtr dictionary_below(std::string_view name) const;

    NodePtr m_node;
    std::string m_path;
    DictionaryPtr m_dictionary;
};

Values values_of(bool value);
Values values_of(std::int32_t value);
Values values_of(double value);
Values values_of(std::string_view value);
// Without this a literal would be taken for a bool.
Values values_of(const char* value);
Values values_of(const PolicyPtr& value);
Values values_of(FilePtr value);

template <class T>
void Policy::set(std::string_view name, T value) {
    set_values(name, values_of(std::move(value)));
}

template <class T>
void Policy::add(std::string_view name, T value) {
    add_values(name, values_of(std::move(value)));
}

extern template std::span<const bool> Policy::get_array<bool>(std::string_view) const;
extern template std::span<const std::int32_t> Policy::get_array<std::int32_t>(std::string_view) const;
extern template std::span<const double> Policy::get_array<double>(std::string_view) const;
extern template std::span<const StringValue> Policy::get_array<StringValue>(std::string_view) const;

}  // namespace pex::policy
