// SPDX-License-Identifier: BSD-3-Clause
// Python face of the policy room.
#include "bindings.hpp"
#include "policy_bind.hpp"
#include "policy_errors.hpp"
#include "policy_pickle.hpp"

namespace pex::bindings {

void bind_policy(pybind11::module_& module) {
    register_policy_errors();
    PolicyClass policy_class(
        module, "Policy",
        "Names to non-empty arrays of bool, int (32 bits), float, str, Policy or PolicyFile.\n\n"
        "Names are hierarchical, with dots; a dotted name goes through the last element of an\n"
        "array of policies. Reading converts nothing. Sub-policies share their data with the\n"
        "policy they came from. All errors are those of harness.policy.errors.");
    bind_value_types(policy_class);
    bind_policy_sources(module);
    bind_policy_making(policy_class);
    bind_policy_reading(policy_class);
    bind_policy_changing(policy_class);
    bind_policy_comforts(policy_class);
    bind_policy_validation(policy_class);
    bind_dictionary(module);
    bind_policy_writer(module);
    bind_policy_pickling(module);
}

}  // namespace pex::bindings
