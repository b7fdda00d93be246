// SPDX-License-Identifier: BSD-3-Clause
// NumPy's C API, looked up when it is first needed: the core is loaded, and forks, before NumPy is imported.
#pragma once

namespace pex::bindings {

// Imports NumPy if need be. Errors: py::error_already_set with what the import raised.
void need_numpy();

// Whether the API can be used without importing anything; looks it up if NumPy has been imported since.
bool have_numpy();

}  // namespace pex::bindings
