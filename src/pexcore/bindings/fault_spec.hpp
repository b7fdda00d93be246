// SPDX-License-Identifier: BSD-3-Clause
// Faults that a test orders through the environment. Compiled with PEX_FAULT_POINTS only: other builds read nothing.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>

namespace pex::bindings {

// Who a process is in its run: the same point may be passed by several kinds. A fresh worker is one that replaces a dead
// one; an order for workers is for it as well.
enum class Role : std::uint8_t { NONE, MASTER, WORKER, FRESH };

#ifdef PEX_FAULT_POINTS
// Reads what is ordered, and gives the module an attribute FAULT_POINTS.
//
//   PEX_FAULT    orders, separated by ";": ROLE|POINT|N|ACTION|MARK. The N-th time (from 1) that a process of the role
//                (master, worker, fresh) passes the point, it makes the file MARK, and if that was not there, kills
//                (ACTION kill) or stops (ACTION stop) itself.
//   PEX_WITHOUT  the name of a defence that is to be missing.
//
// Throws std::invalid_argument for an order that it can't read.
void bind_faults(pybind11::module_& module);
// Says who this process is from here on.
void play_role(Role role);
#else
inline void bind_faults(pybind11::module_&) {}
constexpr void play_role(Role) {}
#endif

}  // namespace pex::bindings
