// SPDX-License-Identifier: BSD-3-Clause
// Resolving file references, and making policies from sources.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "policy/policy.hpp"
#include "policy/error.hpp"
#include "policy/policy_file.hpp"

namespace pex::policy {

// Includes may not bring in more files than this in one go: a few short files that include each other twice
// would otherwise fill any memory.
inline constexpr std::size_t MAX_INCLUDED_FILES = 65536;
// Nor may includes nest deeper than this.
inline constexpr std::size_t MAX_INCLUDE_DEPTH = 200;

// Replaces every file reference below the node, at any depth, by what the file holds; returns the number of files.
// Relative paths are looked up in `repository` at every depth. Without strictness a file that cannot be read or
// parsed leaves an empty or partial policy. Errors: those of PolicySource::load().
std::size_t load_policy_files(const NodePtr& root, const std::string& repository, const LoadOptions& options);

struct CreateOptions {
    bool resolve_includes = true;
    std::string repository = {};  // where includes are looked up
    bool attach_dictionary = true;
    LoadOptions load = {};
    std::function<void(const Report&)> warn = {};  // told of definitions without effect
};

// Loads a source. If it holds a dictionary the result has its defaults, and the dictionary attached if asked.
// Errors: those of PolicySource::load(), and those of extracting defaults.
PolicyPtr create_policy(const PolicySource& source, const CreateOptions& options);

// The report of a file that cannot be read, with the folder where it was looked up; and the reference to write instead
// where it lies beside the file that includes it.
Report with_folder(Report report, const std::string& reference, const std::string& repository);

}  // namespace pex::policy
