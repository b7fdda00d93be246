// SPDX-License-Identifier: BSD-3-Clause
// Computes the places of the parts of the control segment.
#include "shm/layout.hpp"

namespace pex::shm {

namespace {

constexpr std::uint64_t CACHE_LINE_BYTES = 64;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

}  // namespace

ControlLayout::ControlLayout(const SizeClasses& size_classes, std::uint64_t application_bytes,
                             std::uint64_t page_bytes) {
    processes_offset = round_up(sizeof(ControlShm), CACHE_LINE_BYTES);
    classes_offset = processes_offset + MAX_PROCESSES * sizeof(ProcessShm);
    application_offset = classes_offset + size_classes.count() * sizeof(ClassShm);
    headers_offset = round_up(application_offset + application_bytes, page_bytes);
    total_bytes = round_up(
        headers_offset + std::uint64_t{size_classes.header_count()} * sizeof(BlockHeaderShm), page_bytes);
}

ControlView::ControlView(std::byte* base, const ControlLayout& layout, const SizeClasses& size_classes,
                         std::uint64_t application_bytes)
    : control(reinterpret_cast<ControlShm*>(base)),
      processes(reinterpret_cast<ProcessShm*>(base + layout.processes_offset), MAX_PROCESSES),
      classes(reinterpret_cast<ClassShm*>(base + layout.classes_offset), size_classes.count()),
      application(base + layout.application_offset, application_bytes),
      headers(reinterpret_cast<BlockHeaderShm*>(base + layout.headers_offset), size_classes.header_count()) {}

}  // namespace pex::shm
