// SPDX-License-Identifier: BSD-3-Clause
// A dictionary is a policy of definitions.
#include "policy/dictionary.hpp"

namespace pex::policy {

Dictionary::~Dictionary() = default;

DictionaryPtr Dictionary::dictionary_below(std::string_view) const { return nullptr; }
void Dictionary::check_change(const Policy&, std::string_view, const Values&, bool) const {}

}  // namespace pex::policy
