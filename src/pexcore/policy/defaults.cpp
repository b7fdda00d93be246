// SPDX-License-Identifier: BSD-3-Clause
// Extracting the defaults of a dictionary, and merging defaults into a policy. Levels are kept on lists.
#include "policy/defaults.hpp"

#include <utility>
#include <vector>

#include "policy/name_path.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

NodePtr last_block(const Entry& entry) {
    const auto* blocks = std::get_if<Children>(&entry.values);
    return blocks == nullptr ? nullptr : blocks->back();
}

// Values and places of an entry under a name of its own, sub-policies copied. They are copied first, for the target
// may stand in one of them.
void copy_deeply(const Entry& from, Node& target, std::string_view name) {
    const auto* blocks = std::get_if<Children>(&from.values);
    Children copies;
    if (blocks != nullptr) {
        copies.reserve(blocks->size());
        for (const NodePtr& block : *blocks) copies.push_back(deep_copy(*block));
    }
    Entry& entry = target.copy_entry(from, name);
    if (blocks != nullptr) entry.values = std::move(copies);
}

class Extraction {
 public:
    explicit Extraction(Issues& issues) : m_issues(issues) {}

    NodePtr run(const Dictionary& dictionary) {
        auto root = std::make_shared<Node>();
        m_pending.push_back({dictionary.node(), dictionary.prefix(), root});
        while (!m_pending.empty()) {
            const Pending next = std::move(m_pending.back());
            m_pending.pop_back();
            const NodePtr& definitions = definitions_of(*next.dictionary, next.prefix);
            definitions->for_each([&](const Entry& entry) { visit(dictionary, next, entry); });
        }
        drop_empty_blocks();
        return root;
    }

 private:
    struct Pending {
        NodePtr dictionary;
        std::string prefix;
        NodePtr target;
    };
    struct Block {
        NodePtr parent;
        StringValue name;
        NodePtr node;
    };

    void visit(const Dictionary& dictionary, const Pending& level, const Entry& entry) {
        const NodePtr definition_node = last_block(entry);
        if (definition_node == nullptr || entry.name == keyword::CHILD_DEFINITION) return;
        const Definition definition(level.prefix, entry.name.str(), std::make_shared<Policy>(definition_node), false);
        const Rules rules = definition.rules();
        if (rules.default_value != nullptr && is_good(dictionary, definition, *rules.default_value)) {
            copy_deeply(*rules.default_value, *level.target, entry.name);
        }
        const bool holds_policies = rules.type == ValueType::POLICY || rules.type == ValueType::UNDEF;
        if (!holds_policies || rules.max_occurs == 0) return;
        const NodePtr* below = loaded_dictionary(rules, definition.full_name());
        if (below != nullptr) add_block(level, entry.name, *below);
    }

    bool is_good(const Dictionary& dictionary, const Definition& definition, const Entry& value) {
        Issues found;
        dictionary.validate_values(definition, value, found, true);
        for (const auto& [name, list] : found.by_name()) {
            for (const Issue& issue : list) m_issues.add(name, issue);
        }
        return found.empty();
    }

    // The block of a policy-typed parameter: that of its default, or a new one.
    void add_block(const Pending& level, const StringValue& name, const NodePtr& dictionary) {
        Entry& entry = level.target->find_or_create(name);
        if (entry.type() == ValueType::UNDEF) {
            Children children;
            children.push_back(std::make_shared<Node>());
            m_made.push_back({level.target, name, children.back()});
            entry.values = std::move(children);
        }
        if (NodePtr block = last_block(entry))
            m_pending.push_back({dictionary, level.prefix + name + ".", std::move(block)});
    }

    // Innermost first: a block that holds nothing but empty blocks goes, too.
    void drop_empty_blocks() {
        for (auto made = m_made.rbegin(); made != m_made.rend(); ++made) {
            if (made->node->size() == 0) made->parent->remove(made->name);
        }
    }

    Issues& m_issues;
    std::vector<Pending> m_pending;
    std::vector<Block> m_made;
};

class Merger {
 public:
    std::size_t run(const NodePtr& target, const NodePtr& defaults) {
        m_pending.emplace_back(target, defaults);
        while (!m_pending.empty()) {
            const auto [into, from] = std::move(m_pending.back());
            m_pending.pop_back();
            from->for_each([&, node = into](const Entry& entry) { merge(*node, entry); });
        }
        return m_count;
    }

 private:
    void merge(Node& target, const Entry& entry) {
        Entry* existing = target.find(entry.name);
        const NodePtr block = last_block(entry);
        if (existing != nullptr) {
            NodePtr own = last_block(*existing);
            if (block != nullptr && own != nullptr) m_pending.emplace_back(std::move(own), block);
            return;
        }
        if (block != nullptr && entry.size() == 1 && block->size() == 0) return;
        m_count += block == nullptr ? 1 : leaf_count(block);
        copy_deeply(entry, target, entry.name);
    }

    static std::size_t leaf_count(const NodePtr& block) {
        const Policy policy(block);
        return policy.names(Policy::Names::PARAMETERS, false).size() +
               policy.names(Policy::Names::FILES, false).size();
    }

    std::size_t m_count = 0;
    std::vector<std::pair<NodePtr, NodePtr>> m_pending;
};

DictionaryPtr as_dictionary(const PolicyPtr& policy, const WarningSink& warn) {
    if (auto dictionary = std::dynamic_pointer_cast<Dictionary>(policy)) return dictionary;
    return policy->is_dictionary() ? std::make_shared<Dictionary>(policy->node(), "", warn) : nullptr;
}

}  // namespace

PolicyPtr defaults_of(const DictionaryPtr& dictionary, Issues& issues, const DefaultOptions& options) {
    dictionary->load_files(options.repository, options.load, options.warn);
    return std::make_shared<Policy>(Extraction(issues).run(*dictionary));
}

PolicyPtr default_policy(const DictionaryPtr& dictionary, bool attach, const DefaultOptions& options) {
    Issues issues;
    PolicyPtr policy = defaults_of(dictionary, issues, options);
    if (!issues.empty())
        throw ValidationError("the dictionary has defaults that break their own definitions", std::move(issues));
    if (attach) policy->set_dictionary(dictionary);
    return policy;
}

std::size_t merge_defaults(Policy& policy, const PolicyPtr& defaults, bool keep_dictionary, Issues& issues,
                           const DefaultOptions& options) {
    const DictionaryPtr own = as_dictionary(defaults, options.warn);
    const PolicyPtr values = own == nullptr ? defaults : defaults_of(own, issues, options);
    const std::size_t count = Merger().run(policy.node(), values->node());
    const DictionaryPtr& dictionary = own != nullptr ? own : defaults->dictionary();
    if (keep_dictionary && dictionary != nullptr) policy.set_dictionary(dictionary);
    const DictionaryPtr& judge = keep_dictionary ? policy.dictionary() : own;
    if (judge != nullptr) judge->validate(policy, issues);
    return count;
}

}  // namespace pex::policy
