// SPDX-License-Identifier: BSD-3-Clause
// Python face of the log rings, and of the C library's buffers of what compiled stages print.
#include <pybind11/pybind11.h>

#include <cstdint>
#include <cstdio>
#include <stdio_ext.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "bindings.hpp"
#include "sync/log_ring.hpp"

namespace py = pybind11;

namespace pex::bindings {

namespace {

// ([(rank, importance, flags, text)], position behind them, whether what was behind those made no sense).
py::tuple peek(const sync::LogRing& ring) {
    std::vector<sync::LogFrame> frames;
    bool broken = false;
    const std::uint64_t position = ring.peek(frames, &broken);
    py::list out;
    for (const sync::LogFrame& frame : frames)
        out.append(py::make_tuple(frame.rank, frame.importance, frame.flags, py::bytes(frame.text)));
    return py::make_tuple(out, position, broken);
}

// ([(rank, texts, count)], [(importance, flags, text)], position, broken); the interpreter is not needed meanwhile.
py::tuple batch(const sync::LogRing& ring) {
    const sync::LogBatch found = [&] {
        const py::gil_scoped_release released;
        return ring.batch();
    }();
    py::list texts;
    for (const sync::LogBatch::Texts& of_rank : found.texts)
        texts.append(py::make_tuple(of_rank.rank, py::bytes(of_rank.joined), of_rank.records));
    py::list flagged;
    for (const sync::LogFrame& frame : found.flagged)
        flagged.append(py::make_tuple(frame.importance, frame.flags, py::bytes(frame.text)));
    return py::make_tuple(texts, flagged, found.position, found.broken);
}

}  // namespace

void bind_log_ring(py::module_& module) {
    py::class_<sync::LogRing>(module, "LogRing", "Log records of one process, in shared memory, that wait for their file.")
        .def("try_append",
             // The interpreter lock makes the threads of a process one writer.
             [](sync::LogRing& ring, std::int32_t rank, std::int32_t importance, std::uint32_t flags,
                const py::bytes& text) { return ring.try_append(rank, importance, flags, std::string_view(text)); },
             py::arg("rank"), py::arg("importance"), py::arg("flags"), py::arg("text"))
        .def("peek", &peek, "Every record by itself, for who looks at a ring; they stay there.")
        .def("batch", &batch, "The records of each rank together, for their files, and those with flags; they stay there.")
        .def("commit", &sync::LogRing::commit, py::arg("position"))
        .def("waiting", &sync::LogRing::waiting)
        .def("shm", [](const sync::LogRing& ring) { return py::capsule(ring.shm(), "pex::sync::LogRingShm"); },
             "Its memory, for compiled code; there as long as the run.");
    module.def("line_buffer_stdio", [] { std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); },
               "What C code prints reaches the file line by line, in order with what Python prints.");
    module.def("output_extent", []() -> py::tuple {
        // Asking is cheap, and there is seldom anything to write.
        if (__fpending(stdout) != 0 || __fpending(stderr) != 0) std::fflush(nullptr);
        struct stat status{};
        if (fstat(STDOUT_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) return py::make_tuple(-1, 0);
        const std::int64_t changed = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
        return py::make_tuple(std::int64_t{status.st_size}, changed);
    }, "Writes out what C code has printed. Returns the size of the file that descriptor 1 is, and the time of its last"
       " change in ns: one that was shortened may be as long again as it was; (-1, 0) where it is no file.");
    module.def("flush_stdio", [] { std::fflush(nullptr); }, "Writes out what C code has printed.");
}

}  // namespace pex::bindings
