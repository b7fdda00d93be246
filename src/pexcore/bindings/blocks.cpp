// SPDX-License-Identifier: BSD-3-Clause
// Python face of the arena: blocks that act as buffers, and manifests that describe them.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "clipboard/manifest.hpp"
#include "held_block.hpp"
#include "shm/arena.hpp"

namespace py = pybind11;

namespace pex::bindings {

namespace {

// The slots of a run, in the words of its users.
std::string holder_name(const shm::HolderInfo& holder) {
    if (holder.kind == shm::HolderInfo::Kind::visit) return "the visit in progress";
    return holder.slot == 0 ? "the master" : "worker " + std::to_string(holder.slot - 1);
}

py::object allocate(const ArenaPtr& arena, std::uint64_t bytes) {
    shm::AllocResult result;
    {
        const py::gil_scoped_release unlocked;
        result = arena->alloc(bytes);
    }
    if (result.outcome == shm::Outcome::ok)
        return py::cast(std::make_unique<HeldBlock>(arena, result.block.ref, bytes, true));
    return py::str(arena->explain(result, &holder_name));
}

std::unique_ptr<HeldBlock> hold(const ArenaPtr& arena, std::uint64_t packed, std::uint64_t bytes, bool writeable) {
    const shm::BlockRef ref = shm::BlockRef::from_packed(packed);
    arena->hold(ref);
    return std::make_unique<HeldBlock>(arena, ref, bytes, writeable);
}

py::object find(const shm::Arena& arena, std::uintptr_t address) {
    const auto located = arena.find(reinterpret_cast<const void*>(address));
    if (!located) return py::none();
    return py::make_tuple(located->ref.packed(), located->offset_bytes, arena.capacity(located->ref));
}

clipboard::Entry entry_from(const py::tuple& item) {
    clipboard::Entry entry;
    entry.key = item[0].cast<std::string>();
    entry.kind = static_cast<clipboard::EntryKind>(item[1].cast<int>());
    entry.flags = item[2].cast<std::uint8_t>();
    entry.payload = item[3].cast<std::string>();
    entry.bytes_copied = item[4].cast<std::uint64_t>();
    entry.bytes_shared = item[5].cast<std::uint64_t>();
    for (const py::handle buffer : item[6].cast<py::list>()) {
        const auto parts = buffer.cast<py::tuple>();
        entry.buffers.push_back(
            {parts[0].cast<std::uint64_t>(), parts[1].cast<std::uint64_t>(), parts[2].cast<std::uint64_t>()});
    }
    entry.first_element = item[7].cast<std::uint64_t>();
    entry.shape = item[8].cast<std::vector<std::int64_t>>();
    entry.strides = item[9].cast<std::vector<std::int64_t>>();
    return entry;
}

py::bytes encode_manifest(const py::sequence& items) {
    std::vector<clipboard::Entry> entries;
    for (const py::handle item : items) entries.push_back(entry_from(item.cast<py::tuple>()));
    return py::bytes(clipboard::encode(entries));
}

py::list decode_manifest(const shm::Arena& arena, std::uint64_t packed, std::uint64_t bytes) {
    const shm::BlockRef ref = shm::BlockRef::from_packed(packed);
    py::list out;
    for (const clipboard::Entry& entry : clipboard::decode({arena.data(ref), static_cast<std::size_t>(bytes)}))
        out.append(entry_to(entry));
    return out;
}

py::dict stats_of(const shm::Arena& arena) {
    const shm::ArenaStats stats = arena.stats();
    py::dict out;
    out["arena_bytes"] = stats.arena_bytes;
    out["lent_bytes"] = stats.lent_bytes;
    out["limit_bytes"] = stats.limit_bytes;
    out["committed_bytes"] = stats.committed_bytes;
    out["peak_committed_bytes"] = stats.peak_committed_bytes;
    out["live_bytes"] = stats.live_bytes;
    out["live_blocks"] = stats.live_blocks;
    out["busy_blocks"] = stats.busy_blocks;
    out["warm_bytes"] = stats.warm_bytes;
    out["allocs_warm"] = stats.allocs_warm;
    out["allocs_fresh"] = stats.allocs_fresh;
    out["allocs_stolen"] = stats.allocs_stolen;
    out["allocs_refused"] = stats.allocs_refused;
    out["blocks_trimmed"] = stats.blocks_trimmed;
    return out;
}

}  // namespace

py::tuple entry_to(const clipboard::Entry& entry) {
    py::list buffers;
    for (const clipboard::BufferDescriptor& buffer : entry.buffers)
        buffers.append(py::make_tuple(buffer.block_ref, buffer.offset, buffer.bytes));
    return py::make_tuple(entry.key, static_cast<int>(entry.kind), entry.flags, py::bytes(entry.payload),
                          entry.bytes_copied, entry.bytes_shared, buffers, entry.first_element,
                          py::tuple(py::cast(entry.shape)), py::tuple(py::cast(entry.strides)));
}

void bind_blocks(py::module_& module) {
    py::class_<HeldBlock>(module, "HeldBlock", py::buffer_protocol(), "A block this process holds; a buffer of bytes.")
        .def_property_readonly("ref", &HeldBlock::ref)
        .def_property_readonly("nbytes", &HeldBlock::bytes)
        .def("write", &HeldBlock::write, py::arg("content"), "Copies bytes to the start of the block.")
        .def_buffer(&HeldBlock::buffer);

    py::class_<shm::Arena, ArenaPtr>(module, "Arena", "The shared memory of one run.")
        .def("alloc", &allocate, py::arg("bytes"), "A writeable HeldBlock, or a text that says why there is none.")
        .def("hold", &hold, py::arg("ref"), py::arg("bytes"), py::arg("writeable") = false,
             "Holds a published block.")
        .def("is_live", [](const shm::Arena& arena, std::uint64_t ref) {
                 return arena.is_live(shm::BlockRef::from_packed(ref));
             }, py::arg("ref"))
        .def("hold_count", [](const shm::Arena& arena, std::uint64_t ref) {
                 return arena.hold_count(shm::BlockRef::from_packed(ref));
             }, py::arg("ref"), "How often this process holds the block.")
        .def("holders", [](const shm::Arena& arena, std::uint64_t ref) {
                 return arena.holders(shm::BlockRef::from_packed(ref));
             }, py::arg("ref"), "The processes that hold the block: 0 is the master, 1 + w is worker w.")
        .def("set_root", [](shm::Arena& arena, std::uint64_t ref, unsigned slot) {
                 arena.set_root(shm::BlockRef::from_packed(ref), slot);
             }, py::arg("ref"), py::arg("visit_slot"))
        .def("retire_visit", &shm::Arena::retire_visit, py::arg("visit_slot"))
        .def("trim", &shm::Arena::trim, py::arg("keep_bytes"), py::call_guard<py::gil_scoped_release>(),
             "Gives pages of free blocks back until at most `keep_bytes` of them are left; the bytes given back.")
        .def("lend", &shm::Arena::lend, py::arg("bytes"),
             "Master only: until the next call, `bytes` more than the arena's size may be committed. RuntimeError "
             "above the `lend_bytes` that the run was made with.")
        .def("trim_to_limit", &shm::Arena::trim_to_limit, py::call_guard<py::gil_scoped_release>(),
             "Gives pages of free blocks back until the limit is kept, or only live blocks exceed it; the bytes "
             "given back.")
        .def("reset_peak", &shm::Arena::reset_peak,
             "`peak_committed_bytes` begins again with what is committed at this moment.")
        .def("live_bytes", &shm::Arena::live_bytes,
             "Committed bytes of all blocks but the free ones that are kept warm.")
        .def("find", &find, py::arg("address"), "(ref, offset, capacity) of the live block at an address, or None.")
        .def("stats", &stats_of);

    module.def("default_arena_bytes", &shm::default_arena_bytes,
               "Half of what this process may use: of the machine's memory, or its control group's headroom.");
    module.attr("MAX_ARENA_BYTES") = shm::MAX_ARENA_BYTES;
    module.def("encode_manifest", &encode_manifest, py::arg("entries"));
    module.def("decode_manifest", &decode_manifest, py::arg("arena"), py::arg("ref"), py::arg("bytes"));
    module.attr("ENTRY_ARRAY") = static_cast<int>(clipboard::EntryKind::ARRAY);
    module.attr("ENTRY_PICKLE") = static_cast<int>(clipboard::EntryKind::PICKLE);
    module.attr("ENTRY_NOTE") = static_cast<int>(clipboard::EntryKind::NOTE);
    module.attr("ENTRY_BATCH") = static_cast<int>(clipboard::EntryKind::BATCH);
    module.attr("ENTRY_RELAYED") = static_cast<int>(clipboard::ENTRY_RELAYED);
    module.attr("ENTRY_WRITEABLE") = static_cast<int>(clipboard::ENTRY_WRITEABLE);
}

}  // namespace pex::bindings
