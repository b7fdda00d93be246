// SPDX-License-Identifier: BSD-3-Clause
// Byte counters of one process, read by the loop around every step.
#pragma once

#include <cstdint>

namespace pex::loop {

// Thread/process safety: written by the thread that runs stage code, read by the same thread.
struct Traffic {
    std::uint64_t copied = 0;     // array bytes copied to make them shared, since the process began
    std::uint64_t shared = 0;     // array bytes published without a copy, since the process began
    std::uint64_t clipboard = 0;  // array bytes on the clipboard after the latest step
};

}  // namespace pex::loop
