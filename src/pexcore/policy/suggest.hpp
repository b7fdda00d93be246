// SPDX-License-Identifier: BSD-3-Clause
// Finds the name somebody probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pex::policy {

// The candidate nearest to `name` (case ignored, neighbours swapped count once), or "" where none is near:
// more than a third of the letters would have to change.
std::string nearest(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace pex::policy
