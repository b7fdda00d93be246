// SPDX-License-Identifier: BSD-3-Clause
// The registration function of each file of the _core module.
#pragma once

#include <pybind11/pybind11.h>

namespace pex::clipboard {
struct Entry;
}

namespace pex::bindings {

void bind_policy(pybind11::module_& module);
void bind_blocks(pybind11::module_& module);
void bind_plain_arrays(pybind11::module_& module);
void bind_births(pybind11::module_& module);
void bind_log_ring(pybind11::module_& module);
void bind_runtime(pybind11::module_& module);

// Entries cross the language border as tuples: (key, kind, flags, payload, copied, shared, [(ref, offset, bytes)...],
// first, shape, strides).
pybind11::tuple entry_to(const clipboard::Entry& entry);

}  // namespace pex::bindings
