// SPDX-License-Identifier: BSD-3-Clause
// The one table of NumPy's C API in this module.
#include "numpy_api.hpp"

#include <pybind11/pybind11.h>

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define NPY_TARGET_VERSION NPY_1_23_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL pex_numpy_api
#include <numpy/arrayobject.h>

namespace py = pybind11;

namespace pex::bindings {

void need_numpy() {
    if (PyArray_ImportNumPyAPI() < 0) throw py::error_already_set();
}

bool have_numpy() {
    if (PyArray_API != nullptr) return true;
    if (!PyDict_GetItemString(PyImport_GetModuleDict(), "numpy")) return false;
    need_numpy();
    return true;
}

}  // namespace pex::bindings
