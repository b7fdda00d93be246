// SPDX-License-Identifier: BSD-3-Clause
// The types a parameter can have, and their names.
#pragma once

#include <string_view>

namespace pex::policy {

// The numbers are part of the DC3b API (Policy.BOOL == 1 and so on).
enum class ValueType : int { UNDETERMINED = -1, UNDEF = 0, BOOL, INT, DOUBLE, STRING, POLICY, FILE };

// "undefined", "bool", "int", "double", "string", "Policy", "PolicyFile".
std::string_view type_name(ValueType type) noexcept;

// Errors: BadNameError where no type is called so. Case counts; "Policy", "PolicyFile" and the
// short and long spellings of the plain types are known.
ValueType type_by_name(std::string_view name);

}  // namespace pex::policy
