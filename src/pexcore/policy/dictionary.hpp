// SPDX-License-Identifier: BSD-3-Clause
// A policy that defines other policies.
#pragma once

#include "policy/policy.hpp"

namespace pex::policy {

class Dictionary : public Policy {
 public:
    using Policy::Policy;
    ~Dictionary() override;

    // The dictionary of a policy-typed parameter; null where it has none.
    DictionaryPtr dictionary_below(std::string_view name) const;
    // Errors: what a change of the policy would violate.
    void check_change(const Policy& policy, std::string_view name, const Values& values, bool appending) const;
};

}  // namespace pex::policy
