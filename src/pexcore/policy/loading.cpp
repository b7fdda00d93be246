// SPDX-License-Identifier: BSD-3-Clause
// Follows file references through a tree, with a list of its own in place of recursion.
#include "policy/loading.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "policy/defaults.hpp"
#include "policy/dictionary.hpp"
#include "policy/name_path.hpp"

namespace pex::policy {

namespace {

using Children = SmallArray<NodePtr>;
using Files = SmallArray<FilePtr>;

class FileLoader {
 public:
    FileLoader(std::string repository, const LoadOptions& options)
        : m_repository(std::move(repository)), m_options(options) {}

    std::size_t run(const NodePtr& root) {
        m_pending.push_back({root, m_options.breadcrumb});
        while (!m_pending.empty()) {
            const Pending next = std::move(m_pending.back());
            m_pending.pop_back();
            visit(*next.node, next.path);
        }
        return m_count;
    }

 private:
    struct Pending {
        NodePtr node;
        std::string path;
    };

    void visit(Node& node, const std::string& path) {
        const std::size_t before = m_pending.size();
        node.for_each([&](Entry& entry) {
            const std::string full = join_names(path, entry.name);
            if (const auto* files = std::get_if<Files>(&entry.values)) entry.values = loaded(entry, *files, full);
            const auto* children = std::get_if<Children>(&entry.values);
            if (children == nullptr) return;
            for (std::size_t i = 0; i < children->size(); ++i) {
                m_pending.push_back({(*children)[i], with_subscript(full, i, children->size())});
            }
        });
        // The last pushed is visited first: turned round, so that files load in the order of the text.
        std::reverse(m_pending.begin() + static_cast<std::ptrdiff_t>(before), m_pending.end());
    }

    Children loaded(const Entry& entry, const Files& files, const std::string& path) {
        Children children;
        for (std::size_t i = 0; i < files.size(); ++i) {
            LoadOptions options = m_options;
            options.included_from = entry.place_of(i);
            options.breadcrumb = with_subscript(path, i, files.size());
            auto node = std::make_shared<Node>();
            load_one(*files[i], node, options);
            children.push_back(std::move(node));
        }
        return children;
    }

    void load_one(const PolicyFile& file, const NodePtr& node, const LoadOptions& options) {
        count_file(file, options);
        try {
            if (file.is_absolute()) {
                file.load(node, options);
            } else {
                PolicyFile((std::filesystem::path(m_repository) / file.path()).string()).load(node, options);
            }
        } catch (const IoError& error) {
            // An include of this file, not of one that a product file includes in turn.
            const bool own = error.report().place.source == options.included_from.source && !file.is_absolute();
            if (!m_options.strict) return;
            if (!own) throw;
            throw IoError(with_folder(error.report(), file.path(), m_repository));
        } catch (const ParserError&) {
            if (m_options.strict) throw;
        }
    }

    void count_file(const PolicyFile& file, const LoadOptions& options) {
        if (++m_count <= MAX_INCLUDED_FILES) return;
        Report report;
        report.problem = "too many files are included, the last of them " + in_quotes(file.describe());
        report.place = options.included_from;
        report.breadcrumb = options.breadcrumb;
        report.expected = "at most " + std::to_string(MAX_INCLUDED_FILES) + " files";
        throw RuntimeError(std::move(report));
    }

    std::string m_repository;
    const LoadOptions& m_options;
    std::size_t m_count = 0;
    std::vector<Pending> m_pending;
};

}  // namespace

Report with_folder(Report report, const std::string& reference, const std::string& repository) {
    namespace fs = std::filesystem;
    std::error_code unknown;
    const fs::path folder = repository.empty() ? fs::current_path(unknown) : fs::path(repository);
    report.expected = "a file in " + in_quotes(folder.string(), LONGEST_PATH) + ", where all includes are looked up";
    const Source* includer = report.place.source.get();
    if (includer == nullptr || includer->path().empty()) return report;
    const fs::path beside = fs::path(includer->name()).parent_path() / reference;
    if (fs::is_regular_file(beside, unknown)) report.suggestion = fs::proximate(beside, folder, unknown).string();
    return report;
}

std::size_t load_policy_files(const NodePtr& root, const std::string& repository, const LoadOptions& options) {
    return FileLoader(repository, options).run(root);
}

PolicyPtr create_policy(const PolicySource& source, const CreateOptions& options) {
    auto policy = std::make_shared<Policy>();
    source.load(policy->node(), options.load);
    if (policy->is_dictionary()) {
        const auto dictionary = std::make_shared<Dictionary>(policy->node(), "", WarningSink{}, false);
        policy =
            default_policy(dictionary, options.attach_dictionary, {options.repository, options.load, options.warn});
    }
    if (options.resolve_includes) load_policy_files(policy->node(), options.repository, options.load);
    return policy;
}

}  // namespace pex::policy
