// SPDX-License-Identifier: BSD-3-Clause
// Python face of the arena, the rendezvous and the loop.
#include "bindings.hpp"

namespace pex::bindings {

void bind_runtime(pybind11::module_&) {}

}  // namespace pex::bindings
