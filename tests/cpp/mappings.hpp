// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says of this process's mappings.
#pragma once

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace support {

// The VmFlags of the mapping that contains an address.
inline std::string vm_flags(const void* address) {
    std::ifstream maps("/proc/self/smaps");
    std::string line;
    bool inside = false;
    while (std::getline(maps, line)) {
        unsigned long long from = 0, to = 0;
        if (std::sscanf(line.c_str(), "%llx-%llx ", &from, &to) == 2) {
            const auto wanted = reinterpret_cast<std::uintptr_t>(address);
            inside = from <= wanted && wanted < to;
        } else if (inside && line.rfind("VmFlags:", 0) == 0) {
            return line + " ";
        }
    }
    return "";
}

}  // namespace support
