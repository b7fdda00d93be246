// SPDX-License-Identifier: BSD-3-Clause
// Named points at which a test lets a process die, and named defences that a test takes away. Nothing of either is left
// in a build without PEX_FAULT_POINTS.
#pragma once

#ifdef PEX_FAULT_POINTS
#include <cstring>
#endif

namespace pex::os {

#ifdef PEX_FAULT_POINTS
// Called with the name of every point that is passed. Set by tests, before other threads exist.
inline void (*fault_hook)(const char* name) = nullptr;
// The defence that is not there: a test shows that what it guards against then happens. Set as the hook is.
inline const char* removed_defence = nullptr;

inline void fault_point(const char* name) {
    if (fault_hook != nullptr) fault_hook(name);
}
inline bool defended(const char* name) {
    return removed_defence == nullptr || std::strcmp(name, removed_defence) != 0;
}
#else
constexpr void fault_point(const char*) {}
constexpr bool defended(const char*) { return true; }
#endif

}  // namespace pex::os
