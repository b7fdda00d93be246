// SPDX-License-Identifier: BSD-3-Clause
// What the compiled crossing is made of, as Cython and this module's C++ share it: nothing of pybind11.
#pragma once

#include <Python.h>

#include <cstddef>
#include <cstdint>

namespace pex::bindings {

class Run;

// A plain array in a block: numbers and nothing else, in at most MAX_DIMENSIONS dimensions. Sizes and offsets in bytes.
struct PlainItem {
    static constexpr int MAX_DIMENSIONS = 8;

    std::uint64_t block = 0;   // packed shm::BlockRef; 0: it is private, and is copied when it is published
    std::uint64_t offset = 0;  // of the first byte, within the block
    std::uint64_t length = 0;  // from the first byte to the last
    std::uint64_t first = 0;   // of element [0, 0, ...], from the first byte
    std::uint64_t copied = 0;  // byte counts of its publication
    std::uint64_t shared = 0;
    std::int64_t shape[MAX_DIMENSIONS];
    std::int64_t strides[MAX_DIMENSIONS];
    std::uint8_t dimensions = 0;
    std::uint8_t flags = 0;  // of clipboard::EntryFlag
    char dtype[8] = {};      // NumPy's short name, ended by a zero
};

// The block that a rank's manifests stand in, one after the other.
struct ManifestRoom {
    std::uint64_t block = 0;  // held; 0: none
    std::uint64_t bytes = 0;
};

// Takes the entry of a manifest; the key is borrowed. Returns -1 with an exception set, else 0.
using AcceptItem = int (*)(void* context, PyObject* key, const PlainItem* item);

// Functions of the core for Cython, without a detour through Python calls. All are called with the interpreter's lock.
// Those that return an int return -1 with a Python exception set, 0 where the general way has to be gone, with nothing
// done, and 1. All work on the visit in the slot that the run looks at.
struct CrossingApi {
    // The run behind a _core.Run, borrowed; null with an exception set.
    Run* (*run_of)(PyObject* run);
    // Describes a plain array that is large enough for a descriptor of its own, and no small part of its block; one in
    // private memory, if its elements follow each other without gaps. `arrived` is a dict whose keys are blocks that
    // came from elsewhere.
    int (*describe)(Run* run, PyObject* array, PyObject* arrived, PlainItem* item);
    // Publishes described arrays: copies the private ones, whose items then name the copies, writes the manifest, roots
    // their blocks, counts their bytes, makes them read-only. The
    // manifest goes into `room`, which grows if need be, or without one into a block that the visit alone keeps.
    // `keys` are of type str. 0: there is no shared memory for a copy or the manifest.
    int (*publish)(Run* run, std::size_t count, PyObject* const* keys, PyObject* const* arrays,
                   PlainItem* const* items, ManifestRoom* room, std::uint64_t* block, std::uint64_t* bytes);
    // Lets go of the room: all have read what stands in it.
    void (*leave_room)(Run* run, ManifestRoom* room);
    // Reads a manifest: calls accept(context, key, item) for each entry, whose own -1 ends it. 0: it has an entry of
    // something else than a plain array, or of a canvas; what was accepted before it is to be forgotten.
    int (*read)(Run* run, std::uint64_t block, std::uint64_t bytes, void* context, AcceptItem accept);
    // A new read-only array over the block, which it holds; null with an exception set.
    PyObject* (*view)(Run* run, const PlainItem* item);
    void (*set_down)(Run* run, int stage, std::uint64_t block, std::uint64_t bytes);
    void (*down)(Run* run, int stage, std::uint64_t* block, std::uint64_t* bytes);
    void (*set_up)(Run* run, int rank, std::uint64_t block, std::uint64_t bytes);
    void (*up)(Run* run, int rank, std::uint64_t* block, std::uint64_t* bytes);
};

inline constexpr const char* CROSSING_API_NAME = "harness._core._crossing_api";

}  // namespace pex::bindings
