// SPDX-License-Identifier: BSD-3-Clause
// The signals that end a run, held back while a process forks.
#pragma once

namespace pex::os {

// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread, until release_ending_signals was called as often. Never throws.
//
// Around a fork: what is sent to the child before it has handlers of its own waits, and is not taken by those of
// its parent; and no handler runs in the parent between a fork and what must follow it.
void hold_ending_signals() noexcept;

// Restores the mask that hold_ending_signals found in this thread, or in the one that forked this process. Without a hold
// it does nothing.
void release_ending_signals() noexcept;

}  // namespace pex::os
