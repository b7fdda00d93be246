// SPDX-License-Identifier: BSD-3-Clause
// Values as text, for people and for messages.
#pragma once

#include <string>
#include <string_view>

#include "policy/node.hpp"

namespace pex::policy {

// Deeper levels are no longer indented: the white space of a very deep tree would dwarf its contents.
inline constexpr std::size_t DEEPEST_INDENT = 100;

// The shortest digits that read back to the same double, always with a point or an exponent: "1.0", "1e+22".
std::string double_text(double value);

// Values separated by ", ": strings in double quotes, files as FILE:path, sub-policies in braces with their
// parameters indented two blanks deeper than `indent`.
std::string values_text(const Entry& entry, std::string_view indent = {});

// One line per parameter, in order.
std::string listing(const Node& node, std::string_view indent = {});

// For messages, such as: int 5; 3 strings ("a", "b", "c").
std::string describe_values(const Entry& entry);
// The same of one of the values.
std::string describe_value(const Entry& entry, std::size_t index);

}  // namespace pex::policy
