// SPDX-License-Identifier: BSD-3-Clause
// NumPy's allocation handler (NEP 49): arrays of code that never heard of the arena are born in it.
#include "numpy_api.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "bindings.hpp"
#include "births.hpp"

namespace py = pybind11;

namespace pex::bindings {

namespace {

constexpr const char* CAPSULE_NAME = "mem_handler";  // NumPy's, for every handler

// What NumPy used before, and what still serves everything that is no birth. Set before the first redirection.
PyDataMemAllocator g_original;

// Called with the GIL held. Whether to go to the arena is decided here alone: who frees or resizes asks the
// address, so that it does not matter when, where and with which settings it is done.
void* allocate(void*, std::size_t bytes) {
    if (void* const birth = births::allocate(bytes)) return birth;
    return g_original.malloc(g_original.ctx, bytes);
}

void* allocate_zeroed(void*, std::size_t count, std::size_t each) {
    if (each != 0 && count <= SIZE_MAX / each) {
        if (void* const birth = births::allocate_zeroed(count * each)) return birth;
    }
    return g_original.calloc(g_original.ctx, count, each);
}

void release(void*, void* address, std::size_t bytes) {
    if (births::owns(address))
        births::release(address);
    else
        g_original.free(g_original.ctx, address, bytes);
}

void* resize(void*, void* address, std::size_t bytes) {
    if (!births::owns(address)) return g_original.realloc(g_original.ctx, address, bytes);
    const std::size_t room = births::capacity(address);
    // A block most of which would be idle is given back.
    if (bytes <= room && bytes >= room / 2) return address;
    if (room == 0) return nullptr;
    void* const moved = allocate(nullptr, bytes);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, address, std::min(room, bytes));
    births::release(address);
    return moved;
}

PyDataMem_Handler g_handler = {
    "pex_arena", 1, {nullptr, &allocate, &allocate_zeroed, &resize, &release}};

PyDataMem_Handler* handler_in(PyObject* capsule) {
    auto* const handler = static_cast<PyDataMem_Handler*>(PyCapsule_GetPointer(capsule, CAPSULE_NAME));
    if (handler == nullptr) throw py::error_already_set();
    return handler;
}

// All arrays in all threads and contexts that no other handler was set for share one capsule. Its content is
// exchanged here, for those that exist too: their memory is freed by the original, as the address tells.
void redirect_default() {
    need_numpy();
    PyDataMem_Handler* const present = handler_in(PyDataMem_DefaultHandler);
    if (present == &g_handler) return;
    g_original = present->allocator;
    if (PyCapsule_SetPointer(PyDataMem_DefaultHandler, &g_handler) != 0) throw py::error_already_set();
}

// The documented way, which covers the calling thread's context and no other.
void redirect_context() {
    need_numpy();
    const auto present = py::reinterpret_steal<py::object>(PyDataMem_GetHandler());
    if (!present) throw py::error_already_set();
    if (handler_in(present.ptr()) == &g_handler) return;
    g_original = handler_in(present.ptr())->allocator;
    const auto ours = py::reinterpret_steal<py::object>(PyCapsule_New(&g_handler, CAPSULE_NAME, nullptr));
    if (!ours) throw py::error_already_set();
    const auto before = py::reinterpret_steal<py::object>(PyDataMem_SetHandler(ours.ptr()));
    if (!before) throw py::error_already_set();
}

py::tuple counts() {
    const births::Counts now = births::counts();
    return py::make_tuple(now.shared, now.refused, now.refused_bytes, now.alive);
}

}  // namespace

void bind_births(py::module_& module) {
    module.def("use_births",
               [](const std::shared_ptr<shm::Arena>& arena, std::uint64_t threshold) { births::use(arena, threshold); },
               py::arg("arena").none(true), py::arg("threshold_bytes"),
               "Makes an arena the home of arrays that NumPy allocates; None: of none.");
    module.def("can_bear", &births::can_bear, "Whether NumPy's allocations can go to an arena now.");
    module.def("set_birth_threshold", &births::set_threshold, py::arg("bytes"), "Returns the earlier one.");
    module.def("redirect_numpy", &redirect_default, "Puts the arena behind NumPy's default handler, on all threads.");
    module.def("redirect_numpy_here", &redirect_context, "Puts the arena behind NumPy's handler of this context.");
    module.def("enter_births", &births::enter, "Births happen until the matching leave_births().");
    module.def("leave_births", &births::leave);
    module.def("birth_counts", &counts, "(shared, refused, refused_bytes, alive) of this process.");
    module.def("is_birth", [](std::uintptr_t address) { return births::owns(reinterpret_cast<const void*>(address)); },
               py::arg("address"), "Whether an address lies in an arena that NumPy allocates in.");
}

}  // namespace pex::bindings
