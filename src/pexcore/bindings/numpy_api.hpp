// SPDX-License-Identifier: BSD-3-Clause
// NumPy's C API, looked up when it is first needed: the core is loaded, and forks, before NumPy is imported.
// Includes NumPy's headers as every file of this module has to. pybind11's come before them.
#pragma once

#include <pybind11/pybind11.h>

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define NPY_TARGET_VERSION NPY_1_23_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL pex_numpy_api
// One file holds the table of functions.
#ifndef PEX_HOLDS_NUMPY_API
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>
#include <numpy/npy_2_compat.h>

namespace pex::bindings {

// Imports NumPy if need be. Errors: py::error_already_set with what the import raised.
void need_numpy();

// Whether the API can be used without importing anything; looks it up if NumPy has been imported since.
bool have_numpy();

}  // namespace pex::bindings
