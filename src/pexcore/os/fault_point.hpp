// SPDX-License-Identifier: BSD-3-Clause
// Named points at which a test lets a process die. Nothing of them is left in a build without PEX_FAULT_POINTS.
#pragma once

namespace pex::os {

#ifdef PEX_FAULT_POINTS
// Called with the name of every point that is passed. Set by tests, before other threads exist.
inline void (*fault_hook)(const char* name) = nullptr;

inline void fault_point(const char* name) {
    if (fault_hook != nullptr) fault_hook(name);
}
#else
constexpr void fault_point(const char*) {}
#endif

}  // namespace pex::os
