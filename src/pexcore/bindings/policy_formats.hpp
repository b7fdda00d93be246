// SPDX-License-Identifier: BSD-3-Clause
// Policy texts in formats that Python reads: JSON, TOML and what users register.
#pragma once

#include <memory>
#include <string>

#include "policy/policy_file.hpp"

namespace pex::bindings {

// The ForeignLoader of Python: asks harness.policy.formats, and builds the tree from what it answers.
bool load_registered_format(const std::shared_ptr<const policy::Source>& source, const policy::NodePtr& into,
                            const policy::LoadOptions& options);

// The name of the format that load() reads a source as, "" where there is none. Errors: IoError.
std::string format_name(const policy::PolicySource& source);

}  // namespace pex::bindings
