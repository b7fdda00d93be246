// SPDX-License-Identifier: BSD-3-Clause
// The _core extension module: registers every binding file.
#include "bindings.hpp"
#include "fault_spec.hpp"

PYBIND11_MODULE(_core, module) {
    module.doc() = "Compiled core of the harness: policy, shared memory, rendezvous and the stage loop.";
    module.attr("__version__") = PEX_VERSION;
    pex::bindings::bind_policy(module);
    pex::bindings::bind_blocks(module);
    pex::bindings::bind_plain_arrays(module);
    pex::bindings::bind_births(module);
    pex::bindings::bind_log_ring(module);
    pex::bindings::bind_runtime(module);
    pex::bindings::bind_faults(module);
}
