// SPDX-License-Identifier: BSD-3-Clause
// The parts of the policy binding, in the order in which they have to be registered.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include "policy/dictionary.hpp"
#include "policy/policy.hpp"

namespace pex::bindings {

using PolicyClass = pybind11::class_<policy::Policy, std::shared_ptr<policy::Policy>>;

void bind_policy_sources(pybind11::module_& module);
// The enumeration Policy.ValueType, and its members as attributes of the class.
void bind_value_types(PolicyClass& cls);
void bind_policy_reading(PolicyClass& cls);
void bind_policy_changing(PolicyClass& cls);
void bind_policy_making(PolicyClass& cls);
void bind_policy_comforts(PolicyClass& cls);
// Policy's calls about its dictionary, then the classes Dictionary and Definition.
void bind_policy_validation(PolicyClass& cls);
void bind_dictionary(pybind11::module_& module);
void bind_policy_writer(pybind11::module_& module);

// The member of Policy.ValueType.
pybind11::object type_to_py(policy::ValueType type);

// The policy itself if it is a Dictionary, else a Dictionary of its contents, checked. Errors: DictionaryError.
policy::DictionaryPtr dictionary_from(const policy::PolicyPtr& policy);

}  // namespace pex::bindings
