// SPDX-License-Identifier: BSD-3-Clause
// Python face of the policy room.
#include "bindings.hpp"

namespace pex::bindings {

void bind_policy(pybind11::module_&) {}

}  // namespace pex::bindings
