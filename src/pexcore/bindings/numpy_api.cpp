// SPDX-License-Identifier: BSD-3-Clause
// The one table of NumPy's C API in this module.
#define PEX_HOLDS_NUMPY_API
#include "numpy_api.hpp"

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
