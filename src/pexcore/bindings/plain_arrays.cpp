// SPDX-License-Identifier: BSD-3-Clause
// Plain arrays at a crossing: the common case without a detour through the interpreter. Whatever isn't plain, or
// was not born in the arena, is left to the transport room of the Python package.
#include "numpy_api.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "clipboard/manifest.hpp"
#include "held_block.hpp"
#include "plain_item.hpp"
#include "run.hpp"

namespace py = pybind11;

namespace pex::bindings {

namespace {

// The same numbers as in harness/transport/placing.py, which says why.
constexpr std::uint64_t INLINE_BYTES = 64 * 1024;
constexpr std::uint64_t PIN_RATIO = 8;
constexpr std::uint64_t MANIFEST_BYTES = 16 * 1024;

static_assert(PlainItem::MAX_DIMENSIONS == clipboard::ArrayEntry::MAX_DIMENSIONS);

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

bool is_number(const PyArray_Descr* kind) { return kind->type_num <= NPY_CLONGDOUBLE || kind->type_num == NPY_HALF; }

// Numbers and nothing else: their dtype is wholly told by its short name.
bool is_plain(PyArrayObject* array) {
    PyArray_Descr* const kind = PyArray_DESCR(array);
    return is_number(kind) && PyDataType_METADATA(kind) == nullptr;
}

// Writes the short name of a type that is_plain().
void write_short_name(PyArray_Descr* kind, char (&name)[8]) {
    name[0] = kind->byteorder == '=' ? NPY_NATBYTE : kind->byteorder;
    name[1] = kind->kind;
    const auto size = static_cast<unsigned>(PyDataType_ELSIZE(kind));
    char* at = name + 2;
    if (size >= 10) *at++ = static_cast<char>('0' + size / 10);
    *at++ = static_cast<char>('0' + size % 10);
    *at = 0;
}

// A new reference to the type that a short name stands for. Those of plain arrays are few, and are kept.
py::object type_of(std::string_view name) {
    struct Known {
        std::array<char, 8> name{};
        PyArray_Descr* kind = nullptr;
    };
    static std::vector<Known>& known = *new std::vector<Known>;
    std::array<char, 8> wanted{};
    const bool is_short = name.size() < wanted.size();
    if (is_short) std::copy(name.begin(), name.end(), wanted.begin());
    for (const Known& one : known)
        if (is_short && one.name == wanted)
            return py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(one.kind));
    PyArray_Descr* kind = nullptr;
    if (PyArray_DescrConverter(py::str(name.data(), name.size()).ptr(), &kind) != NPY_SUCCEED)
        throw py::error_already_set();
    auto owned = py::reinterpret_steal<py::object>(reinterpret_cast<PyObject*>(kind));
    if (is_short && is_number(kind)) {
        known.push_back({wanted, kind});
        owned.inc_ref();
    }
    return owned;
}

// As CrossingApi::describe, but for the errors: there are none.
bool describe_array(const shm::Arena& arena, PyObject* value, PyObject* arrived, PlainItem& item) {
    if (!have_numpy() || !PyArray_CheckExact(value)) return false;
    auto* const array = reinterpret_cast<PyArrayObject*>(value);
    const auto bytes = static_cast<std::uint64_t>(PyArray_NBYTES(array));
    const int dimensions = PyArray_NDIM(array);
    if (bytes < INLINE_BYTES || dimensions > PlainItem::MAX_DIMENSIONS || !is_plain(array)) return false;
    const Extent extent = extent_of(array);
    const std::uint64_t length = extent.high - extent.low;
    if (const auto located = arena.find(reinterpret_cast<const void*>(extent.low))) {
        const std::uint64_t capacity = arena.capacity(located->ref);
        // Of a view that repeats elements, the memory behind it counts.
        const std::uint64_t size = std::min(bytes, length);
        if (located->offset_bytes + length > capacity || size * PIN_RATIO < capacity) return false;
        // What is read-only has crossed before, or is a view of what has.
        const bool is_relayed = !PyArray_ISWRITEABLE(array) ||
                                PyDict_Contains(arrived, py::int_(located->ref.packed()).ptr()) == 1;
        item.block = located->ref.packed();
        item.offset = located->offset_bytes;
        item.copied = 0;
        item.shared = size;
        item.flags = is_relayed ? clipboard::ENTRY_RELAYED : 0;
    } else {
        if (length != bytes) return false;
        item.block = item.offset = item.shared = 0;
        item.copied = bytes;
        item.flags = 0;
    }
    item.length = length;
    item.first = extent.first - extent.low;
    item.dimensions = static_cast<std::uint8_t>(dimensions);
    std::copy_n(PyArray_DIMS(array), dimensions, item.shape);
    std::copy_n(PyArray_STRIDES(array), dimensions, item.strides);
    write_short_name(PyArray_DESCR(array), item.dtype);
    return true;
}

// Throws ValueError unless all elements lie in the block.
void check_inside(std::uint64_t bytes, std::uint64_t first, std::span<const npy_intp> shape,
                  std::span<const npy_intp> strides, std::uint64_t item_bytes) {
    std::int64_t low = static_cast<std::int64_t>(first), high = low;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        if (shape[axis] == 0) return;
        std::int64_t span = 0;
        if (shape[axis] < 0 || __builtin_mul_overflow(shape[axis] - 1, strides[axis], &span) ||
            __builtin_add_overflow(span < 0 ? low : high, span, span < 0 ? &low : &high))
            throw py::value_error("an array that has arrived has an impossible shape");
    }
    if (low < 0 || high < 0 || static_cast<std::uint64_t>(high) + item_bytes > bytes)
        throw py::value_error("an array that has arrived reaches from byte " + std::to_string(low) + " to byte " +
                              std::to_string(static_cast<std::uint64_t>(high) + item_bytes) + " of a block of which " +
                              std::to_string(bytes) + " bytes are its own");
}

// An array over memory that `owner` keeps.
py::object make_view(std::byte* first, py::object kind, std::span<const npy_intp> shape,
                     std::span<const npy_intp> strides, bool writeable, py::object owner) {
    // Steals the reference to the dtype.
    PyObject* const array = PyArray_NewFromDescr(
        &PyArray_Type, reinterpret_cast<PyArray_Descr*>(kind.release().ptr()), static_cast<int>(shape.size()),
        shape.data(), strides.data(), first, writeable ? NPY_ARRAY_WRITEABLE : 0, nullptr);
    auto view = py::reinterpret_steal<py::object>(array);
    if (!view) throw py::error_already_set();
    auto* const raw = reinterpret_cast<PyArrayObject*>(array);
    PyArray_UpdateFlags(raw, NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_F_CONTIGUOUS | NPY_ARRAY_ALIGNED);
    // Steals the reference to the owner, also when it fails.
    if (PyArray_SetBaseObject(raw, owner.release().ptr()) != 0) throw py::error_already_set();
    return view;
}

// An array over a block, as writeable as the block; it keeps the block. `first` is the offset of element [0, 0, ...].
py::object view_block(const py::object& held, std::uint64_t first, const py::bytes& dtype, const py::tuple& shape,
                      const py::tuple& strides) {
    need_numpy();
    const auto& block = held.cast<const HeldBlock&>();
    py::object kind = type_of(static_cast<std::string_view>(dtype));
    auto* const described = reinterpret_cast<PyArray_Descr*>(kind.ptr());
    std::vector<npy_intp> extents, steps;
    for (const py::handle extent : shape) extents.push_back(extent.cast<npy_intp>());
    for (const py::handle step : strides) steps.push_back(step.cast<npy_intp>());
    if (extents.size() != steps.size() || PyDataType_REFCHK(described))
        throw py::value_error("an array that has arrived has as many strides as dimensions, and no Python objects");
    check_inside(block.bytes(), first, extents, steps, static_cast<std::uint64_t>(PyDataType_ELSIZE(described)));
    return make_view(block.data() + first, std::move(kind), extents, steps, block.writeable(), held);
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

// One hold of this process on a block, as an array's base: what HeldBlock is, without a Python face.
struct Hold {
    PyObject_HEAD
    ArenaPtr arena;
    shm::BlockRef ref;
};

void let_go(PyObject* self) noexcept {
    auto* const hold = reinterpret_cast<Hold*>(self);
    PyTypeObject* const type = Py_TYPE(self);
    if (hold->arena) hold->arena->drop(hold->ref);
    std::destroy_at(&hold->arena);
    type->tp_free(self);
    Py_DECREF(type);
}

PyTypeObject* hold_type() {
    static PyTypeObject* type = nullptr;
    if (type != nullptr) return type;
    PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(&let_go)},
                           {Py_tp_doc, const_cast<char*>("What keeps the memory of an array that has arrived.")},
                           {0, nullptr}};
    PyType_Spec spec = {"harness._core.Hold", sizeof(Hold), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    if (type == nullptr) throw py::error_already_set();
    return type;
}

py::object hold_block(const ArenaPtr& arena, shm::BlockRef ref) {
    PyTypeObject* const type = hold_type();
    auto held = py::reinterpret_steal<py::object>(type->tp_alloc(type, 0));
    if (!held) throw py::error_already_set();
    auto* const hold = reinterpret_cast<Hold*>(held.ptr());
    new (&hold->arena) ArenaPtr();
    hold->ref = ref;
    arena->hold(ref);
    hold->arena = arena;
    return held;
}

// Runs what may throw for a caller that is no C++: what it throws becomes the Python exception, and `failed` the
// result.
template <class Result, class Call>
Result guarded(Result failed, Call&& call) noexcept {
    try {
        return call();
    } catch (py::error_already_set& error) {
        error.restore();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const clipboard::ManifestError& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (const py::value_error& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return failed;
}

std::string_view text_of(PyObject* key) {
    Py_ssize_t bytes = 0;
    const char* const text = PyUnicode_AsUTF8AndSize(key, &bytes);
    if (text == nullptr) throw py::error_already_set();
    return {text, static_cast<std::size_t>(bytes)};
}

clipboard::ArrayEntry entry_of(std::string_view key, const PlainItem& item) {
    clipboard::ArrayEntry entry;
    entry.key = key;
    entry.dtype = item.dtype;
    entry.flags = item.flags;
    entry.bytes_copied = item.copied;
    entry.bytes_shared = item.shared;
    entry.buffer = {item.block, item.offset, item.length};
    entry.first_element = item.first;
    entry.dimensions = item.dimensions;
    std::copy_n(item.shape, item.dimensions, entry.shape);
    std::copy_n(item.strides, item.dimensions, entry.strides);
    return entry;
}

// --- the functions of CrossingApi

Run* run_of(PyObject* run) {
    return guarded<Run*>(nullptr, [&] { return py::handle(run).cast<Run*>(); });
}

int describe(Run* run, PyObject* array, PyObject* arrived, PlainItem* item) {
    return guarded(-1, [&] { return int{describe_array(*run->arena(), array, arrived, *item)}; });
}

void leave_room(Run* run, ManifestRoom* room) {
    if (room->block != 0) run->arena()->drop(shm::BlockRef::from_packed(room->block));
    *room = {};
}

// A block for a manifest, held once and rooted in the visit; false if there is no memory.
bool allocate_room(Run& run, std::uint64_t bytes, ManifestRoom& room) {
    const shm::AllocResult result = run.arena()->alloc(bytes);
    if (result.outcome != shm::Outcome::ok) return false;
    run.arena()->set_root(result.block.ref, run.slot());
    room = {result.block.ref.packed(), bytes};
    return true;
}

// The blocks that private arrays were copied into, held until this ends. Until finish() the items say that they are
// private.
class Copies {
public:
    explicit Copies(shm::Arena& arena) : m_arena(arena) {}
    ~Copies() {
        for (const auto& [item, ref] : m_made) m_arena.drop(ref);
    }
    Copies(const Copies&) = delete;
    Copies& operator=(const Copies&) = delete;

    // False if there is no memory.
    bool make(PyArrayObject* array, PlainItem& item) {
        const shm::AllocResult result = m_arena.alloc(item.length);
        if (result.outcome != shm::Outcome::ok) return false;
        m_made.emplace_back(&item, result.block.ref);
        const void* const low = reinterpret_cast<const void*>(extent_of(array).low);
        const py::gil_scoped_release unlocked;
        std::memcpy(result.block.data, low, item.length);
        return true;
    }
    void finish() {
        for (const auto& [item, ref] : m_made) item->block = ref.packed();
    }

private:
    shm::Arena& m_arena;
    std::vector<std::pair<PlainItem*, shm::BlockRef>> m_made;
};

int publish(Run* run, std::size_t count, PyObject* const* keys, PyObject* const* arrays, PlainItem* const* items,
            ManifestRoom* room, std::uint64_t* block, std::uint64_t* bytes) {
    return guarded(-1, [&] {
        shm::Arena& arena = *run->arena();
        std::size_t wanted = clipboard::ArrayWriter::head_bytes();
        for (std::size_t i = 0; i < count; ++i) {
            // Such keys go nowhere: the general way says so.
            if (PyUnicode_AsUTF8(keys[i]) == nullptr) {
                PyErr_Clear();
                return 0;
            }
            wanted += clipboard::ArrayWriter::bytes_of(entry_of(text_of(keys[i]), *items[i]));
        }
        Copies copies(arena);
        for (std::size_t i = 0; i < count; ++i)
            if (items[i]->block == 0 && !copies.make(reinterpret_cast<PyArrayObject*>(arrays[i]), *items[i])) return 0;
        ManifestRoom alone;
        ManifestRoom& place = room != nullptr ? *room : alone;
        if (place.bytes < wanted) {
            leave_room(run, &place);
            if (!allocate_room(*run, room != nullptr ? std::max(wanted, std::size_t{MANIFEST_BYTES}) : wanted, place))
                return 0;
        }
        copies.finish();
        for (std::size_t i = 0; i < count; ++i)
            arena.set_root(shm::BlockRef::from_packed(items[i]->block), run->slot());
        clipboard::ArrayWriter writer(arena.data(shm::BlockRef::from_packed(place.block)),
                                      static_cast<std::uint32_t>(count));
        for (std::size_t i = 0; i < count; ++i) {
            writer.add(entry_of(text_of(keys[i]), *items[i]));
            run->traffic().shared += items[i]->shared;
            run->traffic().copied += items[i]->copied;
        }
        for (std::size_t i = 0; i < count; ++i)
            PyArray_CLEARFLAGS(reinterpret_cast<PyArrayObject*>(arrays[i]), NPY_ARRAY_WRITEABLE);
        *block = place.block;
        *bytes = wanted;
        // The visit's root keeps it.
        if (room == nullptr) leave_room(run, &alone);
        return 1;
    });
}

// Whether the entry is one that this side knows how to build; fills the item then.
bool item_of(const clipboard::ArrayEntry& entry, PlainItem& item) {
    if ((entry.flags & clipboard::ENTRY_WRITEABLE) != 0 || entry.dtype.size() >= sizeof item.dtype) return false;
    item.block = entry.buffer.block_ref;
    item.offset = entry.buffer.offset;
    item.length = entry.buffer.bytes;
    item.first = entry.first_element;
    item.copied = entry.bytes_copied;
    item.shared = entry.bytes_shared;
    item.dimensions = static_cast<std::uint8_t>(entry.dimensions);
    item.flags = entry.flags;
    std::copy_n(entry.shape, entry.dimensions, item.shape);
    std::copy_n(entry.strides, entry.dimensions, item.strides);
    std::memset(item.dtype, 0, sizeof item.dtype);
    std::copy(entry.dtype.begin(), entry.dtype.end(), item.dtype);
    return true;
}

int read(Run* run, std::uint64_t block, std::uint64_t bytes, void* context, AcceptItem accept) {
    return guarded(-1, [&] {
        const std::byte* const first = run->arena()->data(shm::BlockRef::from_packed(block));
        clipboard::ArrayReader reader({first, static_cast<std::size_t>(bytes)});
        for (std::uint32_t i = 0; i < reader.count(); ++i) {
            clipboard::ArrayEntry entry;
            PlainItem item;
            if (!reader.next(entry) || !item_of(entry, item)) return 0;
            const py::str key(entry.key.data(), entry.key.size());
            if (accept(context, key.ptr(), &item) < 0) return -1;
        }
        return 1;
    });
}

PyObject* view(Run* run, const PlainItem* item) {
    return guarded<PyObject*>(nullptr, [&] {
        need_numpy();
        const shm::BlockRef ref = shm::BlockRef::from_packed(item->block);
        py::object owner = hold_block(run->arena(), ref);
        py::object kind = type_of(item->dtype);
        npy_intp shape[PlainItem::MAX_DIMENSIONS], strides[PlainItem::MAX_DIMENSIONS];
        std::copy_n(item->shape, item->dimensions, shape);
        std::copy_n(item->strides, item->dimensions, strides);
        const std::span extents(shape, item->dimensions), steps(strides, item->dimensions);
        auto* const described = reinterpret_cast<PyArray_Descr*>(kind.ptr());
        if (PyDataType_REFCHK(described)) throw py::value_error("an array that has arrived has Python objects");
        const std::uint64_t first = item->offset + item->first;
        check_inside(item->offset + item->length, first, extents, steps,
                     static_cast<std::uint64_t>(PyDataType_ELSIZE(described)));
        return make_view(run->arena()->data(ref) + first, std::move(kind), extents, steps, false, std::move(owner))
            .release()
            .ptr();
    });
}

void set_down(Run* run, int stage, std::uint64_t block, std::uint64_t bytes) {
    run->set_down_manifest(static_cast<std::uint16_t>(stage), block, bytes);
}

void down(Run* run, int stage, std::uint64_t* block, std::uint64_t* bytes) {
    const sync::ManifestPlaceShm& place = run->state().down(static_cast<std::uint16_t>(stage), run->slot());
    *block = place.ref;
    *bytes = place.bytes;
}

void set_up(Run* run, int rank, std::uint64_t block, std::uint64_t bytes) {
    run->set_up_manifest(static_cast<std::uint32_t>(rank), block, bytes);
}

void up(Run* run, int rank, std::uint64_t* block, std::uint64_t* bytes) {
    const sync::CellShm& cell = run->state().cell(static_cast<std::uint32_t>(rank), run->slot());
    *block = cell.manifest_ref;
    *bytes = cell.manifest_bytes;
}

constexpr CrossingApi CROSSING_API{&run_of, &describe, &publish, &leave_room, &read, &view,
                                   &set_down, &down, &set_up, &up};

}  // namespace

void bind_plain_arrays(py::module_& module) {
    module.attr("_crossing_api") = py::capsule(&CROSSING_API, CROSSING_API_NAME);
    module.def("seal_arrays", &seal_arrays, py::arg("items"),
               "Makes those values of items (key, value, is a canvas) read-only that are arrays, and no canvases.");
    module.def("view_block", &view_block, py::arg("block"), py::arg("first"), py::arg("dtype"), py::arg("shape"),
               py::arg("strides"), "An array over a held block, as writeable as the block.");
}

}  // namespace pex::bindings
