// SPDX-License-Identifier: BSD-3-Clause
// Policies completed from dictionaries and from other policies.
#pragma once

#include <string>

#include "policy/dictionary.hpp"
#include "policy/loading.hpp"

namespace pex::policy {

struct DefaultOptions {
    std::string repository = {};  // where the dictionary's files are looked up
    LoadOptions load = {};
    WarningSink warn = {};
};

// The defaults of a dictionary; its files are loaded first. Adds to `issues` every default that breaks its own
// definition; such a default is left out. Required parameters without default are no error here.
PolicyPtr defaults_of(const DictionaryPtr& dictionary, Issues& issues, const DefaultOptions& options);

// The same with the dictionary attached if asked. Errors: ValidationError for bad defaults.
PolicyPtr default_policy(const DictionaryPtr& dictionary, bool attach, const DefaultOptions& options);

// Copies every leaf of `defaults` whose name does not exist in `policy`; arrays of policies that are absent as a
// whole. `defaults` may be a dictionary: then its defaults count. `keep_dictionary` attaches the dictionary of
// `defaults` and validates against what is attached; else only a dictionary given as such validates. Violations go
// into `issues`. Returns the number of names copied.
std::size_t merge_defaults(Policy& policy, const PolicyPtr& defaults, bool keep_dictionary, Issues& issues,
                           const DefaultOptions& options);

}  // namespace pex::policy
