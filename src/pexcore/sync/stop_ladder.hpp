// SPDX-License-Identifier: BSD-3-Clause
// What a signal asks a run for: the first of a kind for an orderly end, later ones for an ever earlier one.
#pragma once

#include <csignal>

namespace pex::sync {

// A byte in the watcher's signal pipe that is no signal: a stop at once was asked for in another way.
inline constexpr unsigned char STOP_AT_ONCE = 0;

constexpr bool asks_to_stop(int signal) noexcept { return signal == SIGINT || signal == SIGTERM || signal == SIGHUP; }

// The shutdown level (4 after this visit, 2 at the next synchronisation point, 1 at once) that `signal` leads to
// where `level` was asked for before; 0: nothing was. SIGINT walks 4, 2, 1; SIGTERM and SIGHUP walk 2, 1: who sends
// them gives a process seconds.
constexpr int next_stop_level(int level, int signal) noexcept {
    if (level == 0) return signal == SIGINT ? 4 : 2;
    return level > 2 ? 2 : 1;
}

}  // namespace pex::sync
