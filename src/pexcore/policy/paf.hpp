// SPDX-License-Identifier: BSD-3-Clause
// Reading PAF text into policies.
#pragma once

#include <memory>
#include <string>

#include "policy/policy.hpp"
#include "policy/policy_file.hpp"

namespace pex::policy {

// A PAF file as a policy, its includes unresolved.
// Errors: IoError, ParserError, TypeError (a name repeated with another type), InvalidParameterError (a name below
// a plain value), BadNameError and NotFoundError (URN includes). Each names file, line and column.
std::shared_ptr<Policy> parse_paf_file(const std::string& path, const LoadOptions& options = {});

// The same from text; `name` stands for the file name in messages.
std::shared_ptr<Policy> parse_paf_string(std::string text, std::string name = "<string>",
                                         const LoadOptions& options = {});

// Adds the parameters of the source to a node: the parser itself.
void parse_paf(const std::shared_ptr<const Source>& source, const NodePtr& into, const LoadOptions& options);

}  // namespace pex::policy
