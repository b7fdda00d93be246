// SPDX-License-Identifier: BSD-3-Clause
// Plain arrays at a crossing: the common case without a detour through the interpreter. Whatever isn't plain, or
// was not born in the arena, is left to the transport room of the Python package.
#include "numpy_api.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "clipboard/manifest.hpp"
#include "held_block.hpp"

namespace py = pybind11;

namespace pex::bindings {

namespace {

// The same numbers as in harness/transport/placing.py, which says why.
struct Limits {
    std::uint64_t inline_bytes;
    std::uint64_t pin_ratio;
    unsigned visit_slot;
};

// The addresses that the elements of an array occupy.
struct Extent {
    std::uintptr_t low;
    std::uintptr_t high;
    std::uintptr_t first;  // element [0, 0, ...]
};

Extent extent_of(PyArrayObject* array) {
    const auto first = reinterpret_cast<std::uintptr_t>(PyArray_DATA(array));
    Extent extent{first, first, first};
    for (int axis = 0; axis < PyArray_NDIM(array); ++axis) {
        const npy_intp span = (PyArray_DIM(array, axis) - 1) * PyArray_STRIDE(array, axis);
        (span < 0 ? extent.low : extent.high) += static_cast<std::uintptr_t>(span);
    }
    extent.high += static_cast<std::uintptr_t>(PyArray_ITEMSIZE(array));
    return extent;
}

// Numbers and nothing else: their dtype is wholly told by its short name.
bool is_plain(PyArrayObject* array) {
    PyArray_Descr* const kind = PyArray_DESCR(array);
    const bool number = kind->type_num <= NPY_CLONGDOUBLE || kind->type_num == NPY_HALF;
    return number && PyDataType_METADATA(kind) == nullptr;
}

std::string short_name(PyArray_Descr* kind) {
    std::string name(1, kind->byteorder == '=' ? NPY_NATBYTE : kind->byteorder);
    name.push_back(kind->kind);
    return name.append(std::to_string(PyDataType_ELSIZE(kind)));
}

// The entry of one item, or nothing if the item needs the general way. Changes nothing.
std::optional<clipboard::Entry> entry_of(const shm::Arena& arena, py::handle key, py::handle value,
                                         const py::dict& arrived, const Limits& limits) {
    if (!PyUnicode_CheckExact(key.ptr()) || !PyArray_CheckExact(value.ptr())) return std::nullopt;
    auto* const array = reinterpret_cast<PyArrayObject*>(value.ptr());
    const auto bytes = static_cast<std::uint64_t>(PyArray_NBYTES(array));
    if (bytes < limits.inline_bytes || bytes == 0 || !is_plain(array)) return std::nullopt;
    const Extent extent = extent_of(array);
    const auto located = arena.find(reinterpret_cast<const void*>(extent.low));
    if (!located) return std::nullopt;
    const std::uint64_t length = extent.high - extent.low, capacity = arena.capacity(located->ref);
    // Of a view that repeats elements, the memory behind it counts.
    const std::uint64_t size = std::min(bytes, length);
    if (located->offset_bytes + length > capacity || size * limits.pin_ratio < capacity) return std::nullopt;
    Py_ssize_t key_bytes = 0;
    const char* const key_text = PyUnicode_AsUTF8AndSize(key.ptr(), &key_bytes);
    if (key_text == nullptr) {
        PyErr_Clear();
        return std::nullopt;
    }
    clipboard::Entry entry;
    entry.key.assign(key_text, static_cast<std::size_t>(key_bytes));
    entry.kind = clipboard::EntryKind::ARRAY;
    // What is read-only has crossed before, or is a view of what has.
    if (!PyArray_ISWRITEABLE(array) || arrived.contains(py::int_(located->ref.packed())))
        entry.flags = clipboard::ENTRY_RELAYED;
    entry.payload = short_name(PyArray_DESCR(array));
    entry.bytes_shared = size;
    entry.buffers.push_back({located->ref.packed(), located->offset_bytes, length});
    entry.first_element = extent.first - extent.low;
    entry.shape.assign(PyArray_DIMS(array), PyArray_DIMS(array) + PyArray_NDIM(array));
    entry.strides.assign(PyArray_STRIDES(array), PyArray_STRIDES(array) + PyArray_NDIM(array));
    return entry;
}

// (manifest, entries) for clipboard items (key, value, is a canvas) that are all plain arrays born in the arena, whose
// blocks are rooted in the visit then; None, with nothing done, if one of them isn't. `arrived` has the references of
// blocks that came from elsewhere as its keys.
py::object place_plain_arrays(shm::Arena& arena, const py::list& items, const py::dict& arrived, const Limits& limits) {
    if (!have_numpy()) return py::none();
    std::vector<clipboard::Entry> entries;
    entries.reserve(items.size());
    for (const py::handle item : items) {
        PyObject* const* const parts = &PyTuple_GET_ITEM(item.ptr(), 0);
        if (parts[2] == Py_True) return py::none();
        auto entry = entry_of(arena, parts[0], parts[1], arrived, limits);
        if (!entry) return py::none();
        entries.push_back(std::move(*entry));
    }
    py::list told;
    for (const clipboard::Entry& entry : entries) {
        arena.set_root(shm::BlockRef::from_packed(entry.buffers.front().block_ref), limits.visit_slot);
        told.append(entry_to(entry));
    }
    return py::make_tuple(py::bytes(clipboard::encode(entries)), told);
}

// Throws ValueError unless all elements lie in the block.
void check_inside(const HeldBlock& block, std::uint64_t first, std::span<const npy_intp> shape,
                  std::span<const npy_intp> strides, std::uint64_t item_bytes) {
    std::int64_t low = static_cast<std::int64_t>(first), high = low;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] == 0) return;
        std::int64_t span = 0;
        if (shape[axis] < 0 || __builtin_mul_overflow(shape[axis] - 1, strides[axis], &span) ||
            __builtin_add_overflow(span < 0 ? low : high, span, span < 0 ? &low : &high))
            throw py::value_error("an array that has arrived has an impossible shape");
    }
    if (low < 0 || high < 0 || static_cast<std::uint64_t>(high) + item_bytes > block.bytes())
        throw py::value_error("an array that has arrived reaches from byte " + std::to_string(low) + " to byte " +
                              std::to_string(static_cast<std::uint64_t>(high) + item_bytes) + " of a block of which " +
                              std::to_string(block.bytes()) + " bytes are its own");
}

// An array over a block, as writeable as the block; it keeps the block. `first` is the offset of element [0, 0, ...].
py::object view_block(const py::object& held, std::uint64_t first, const py::bytes& dtype, const py::tuple& shape,
                      const py::tuple& strides) {
    need_numpy();
    const auto& block = held.cast<const HeldBlock&>();
    PyArray_Descr* kind = nullptr;
    if (PyArray_DescrConverter(py::str(static_cast<std::string>(dtype)).ptr(), &kind) != NPY_SUCCEED)
        throw py::error_already_set();
    const auto owned_kind = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(kind));
    std::vector<npy_intp> extents, steps;
    for (const py::handle extent : shape) extents.push_back(extent.cast<npy_intp>());
    for (const py::handle step : strides) steps.push_back(step.cast<npy_intp>());
    if (extents.size() != steps.size() || PyDataType_REFCHK(kind))
        throw py::value_error("an array that has arrived has as many strides as dimensions, and no Python objects");
    check_inside(block, first, extents, steps, static_cast<std::uint64_t>(PyDataType_ELSIZE(kind)));
    // Steals the reference to the dtype.
    PyObject* const array = PyArray_NewFromDescr(
        &PyArray_Type, reinterpret_cast<PyArray_Descr*>(py::object(owned_kind).release().ptr()),
        static_cast<int>(extents.size()), extents.data(), steps.data(), block.data() + first,
        block.writeable() ? NPY_ARRAY_WRITEABLE : 0, nullptr);
    auto view = py::reinterpret_steal<py::object>(array);
    if (!view) throw py::error_already_set();
    auto* const raw = reinterpret_cast<PyArrayObject*>(array);
    PyArray_UpdateFlags(raw, NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS | NPY_ARRAY_ALIGNED);
    // Steals the reference to the block, also when it fails.
    if (PyArray_SetBaseObject(raw, py::object(held).release().ptr()) != 0) throw py::error_already_set();
    return view;
}

// Items are (key, value, whether it is a canvas).
void seal_arrays(const py::list& items) {
    for (const py::handle item : items) {
        PyObject* const value = PyTuple_GET_ITEM(item.ptr(), 1);
        if (PyArray_Check(value) && PyTuple_GET_ITEM(item.ptr(), 2) != Py_True) {
            PyArray_CLEARFLAGS(reinterpret_cast<PyArrayObject*>(value), NPY_ARRAY_WRITEABLE);
        }
    }
}

}  // namespace

void bind_plain_arrays(py::module_& module) {
    module.def("place_plain_arrays",
               [](shm::Arena& arena, const py::list& items, const py::dict& arrived, std::uint64_t inline_bytes,
                  std::uint64_t pin_ratio, unsigned visit_slot) {
                   return place_plain_arrays(arena, items, arrived, {inline_bytes, pin_ratio, visit_slot});
               },
               py::arg("arena"), py::arg("items"), py::arg("arrived"), py::arg("inline_bytes"), py::arg("pin_ratio"),
               py::arg("visit_slot"),
               "(manifest, entries) of items that are plain arrays born in the arena; None if one is not.");
    module.def("seal_arrays", &seal_arrays, py::arg("items"), 
               "Makes those values of such items read-only that are arrays, and no canvases.");
    module.def("view_block", &view_block, py::arg("block"), py::arg("first"), py::arg("dtype"), py::arg("shape"),
               py::arg("strides"), "An array over a held block, as writeable as the block.");
}

}  // namespace pex::bindings
