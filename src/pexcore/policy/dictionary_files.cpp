// SPDX-License-Identifier: BSD-3-Clause
// Loads the files a dictionary refers to, and those they refer to in turn.
#include <filesystem>
#include <utility>

#include "policy/dictionary.hpp"
#include "policy/loading.hpp"
#include "policy/name_path.hpp"
#include "policy/text.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;

class DictionaryFiles {
 public:
    DictionaryFiles(const std::string& repository, const LoadOptions& options)
        : m_repository(repository), m_options(options) {}

    std::size_t run(const NodePtr& root, const std::string& prefix) {
        m_count = load_policy_files_of(root, prefix);
        m_pending.push_back({root, prefix});
        while (!m_pending.empty()) {
            const Pending next = std::move(m_pending.back());
            m_pending.pop_back();
            const Entry* definitions = next.dictionary->find(keyword::DEFINITIONS);
            const auto* blocks = definitions == nullptr ? nullptr : std::get_if<Children>(&definitions->values);
            // What is no dictionary is left to check(), which says so.
            if (blocks == nullptr) continue;
            blocks->back()->for_each([&](const Entry& entry) { visit(entry, next.prefix + entry.name); });
        }
        return m_count;
    }

 private:
    struct Pending {
        NodePtr dictionary;
        std::string prefix;
    };

    // Includes inside a dictionary text; its dictionary files, too, where they are written as includes.
    std::size_t load_policy_files_of(const NodePtr& node, const std::string& prefix) {
        LoadOptions options = m_options;
        options.breadcrumb = prefix.substr(0, prefix.find_last_not_of('.') + 1);
        try {
            return load_policy_files(node, m_repository, options);
        } catch (const CircularIncludeError& error) {
            throw DictionaryError(error.report());
        }
    }

    void visit(const Entry& entry, const std::string& name) {
        const auto* blocks = std::get_if<Children>(&entry.values);
        if (blocks == nullptr) return;
        Node& definition = *blocks->back();
        if (const Entry* file = definition.find(keyword::DICTIONARY_FILE)) load(definition, *file, name);
        const Entry* dictionary = definition.find(keyword::DICTIONARY);
        const auto* loaded = dictionary == nullptr ? nullptr : std::get_if<Children>(&dictionary->values);
        if (loaded != nullptr) m_pending.push_back({loaded->back(), name + "."});
    }

    // Puts what the file holds in the place of "dictionaryFile", as "dictionary".
    void load(Node& definition, const Entry& file, const std::string& name) {
        if (definition.find(keyword::DICTIONARY) != nullptr) {
            Report report;
            report.problem =
                "definition of " + in_quotes(name) + ": there are both \"dictionary\" and \"dictionaryFile\"";
            report.place = file.place();
            report.breadcrumb = name;
            report.expected = "one of them";
            throw DictionaryError(std::move(report));
        }
        Entry loaded;
        loaded.source = file.source;
        loaded.name_offset = file.name_offset;
        loaded.offsets = file.offsets;
        if (file.type() == ValueType::POLICY) {
            loaded.values = file.values;
        } else {
            NodePtr node = read(file, name);
            if (node == nullptr) return;
            Children children;
            children.push_back(std::move(node));
            loaded.values = std::move(children);
        }
        definition.remove(keyword::DICTIONARY_FILE);
        loaded.name = keyword::DICTIONARY;
        definition.find_or_create(keyword::DICTIONARY) = std::move(loaded);
    }

    // Null where the file cannot be read and nobody insists: the reference then stays as it is.
    NodePtr read(const Entry& file, const std::string& name) {
        const auto* paths = std::get_if<SmallArray<StringValue>>(&file.values);
        if (paths == nullptr) {
            Report report;
            report.problem = "definition of " + in_quotes(name) + ": \"dictionaryFile\" names no file";
            report.place = file.place();
            report.breadcrumb = name;
            report.expected = "a path or an include";
            report.seen = describe_values(file);
            throw DictionaryError(std::move(report));
        }
        LoadOptions options = m_options;
        options.included_from = file.place_of(paths->size() - 1);
        options.breadcrumb = name;
        auto node = std::make_shared<Node>();
        if (!load_path(paths->back().str(), node, options)) return nullptr;
        ++m_count;
        m_count += load_policy_files_of(node, name);
        return node;
    }

    bool load_path(const std::string& path, const NodePtr& node, const LoadOptions& options) {
        try {
            if (has_urn_prefix(path)) {
                UrnPolicyFile(path, false, true, options).load(node, options);
            } else {
                PolicyFile((std::filesystem::path(m_repository) / path).string()).load(node, options);
            }
            return true;
        } catch (const CircularIncludeError& error) {
            throw DictionaryError(error.report());
        } catch (const ParserError&) {
            if (options.strict) throw;
        } catch (const IoError& error) {
            const bool own = error.report().place.source == options.included_from.source && !has_urn_prefix(path);
            if (options.strict && own) throw IoError(with_folder(error.report(), path, m_repository));
            if (options.strict) throw;
        }
        return false;
    }

    const std::string& m_repository;
    const LoadOptions& m_options;
    std::size_t m_count = 0;
    std::vector<Pending> m_pending;
};

}  // namespace

std::size_t Dictionary::load_files(const std::string& repository, const LoadOptions& options,
                                   const WarningSink& warn) {
    const std::size_t count = DictionaryFiles(repository, options).run(node(), m_prefix);
    check(warn);
    return count;
}

}  // namespace pex::policy
