// SPDX-License-Identifier: BSD-3-Clause
// Policies as PAF text that reads back to equal policies.
#pragma once

#include <string>
#include <string_view>

#include "policy/node.hpp"

namespace pex::policy {

// One line per name, array elements separated by one blank, sub-policies in braces and indented, one include per
// line. `declare` puts the content identifier first. Errors: RuntimeError for what PAF cannot express: strings with
// both kinds of quotes or a line feed, doubles that are no numbers, names of other characters than letters, digits
// and
// '_', references a line cannot hold.
std::string paf_text(const Node& node, bool declare = false);

// The lines of one parameter. Errors: as above; RuntimeError also for a name with empty fields.
std::string paf_lines(std::string_view name, const Values& values);

}  // namespace pex::policy
