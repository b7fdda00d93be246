// SPDX-License-Identifier: BSD-3-Clause
// Forks made by stage code: the child may read and write what it inherited, and can harm nobody.
#pragma once

#include <memory>

#include "shm/arena.hpp"

namespace pex::bindings {

//   this process                               the child of a fork in it
//   before: holds its blocks once more         pixels mapped privately: its writes stay its own
//   after:  keeps the pipe's read end          keeps the pipe's write end, until it ends or executes
//   the write end is gone: drops those holds   never attached: allocates, holds and frees nothing in the arena
//
//
// Blocks that may hold pointers to objects are copied by the child before the parent goes on: a pointer that the
// parent stores later would lead nowhere in the child. All else is copied by whoever writes, page by page, as after
// any fork; but what the parent changes in place before the child wrote to that page, the child sees.
//
// While a child lives, the blocks it inherited are held, so that nobody else's pixels appear in its arrays.
// The kernel closes the write end however the child ends; its own children have it too.

// Makes children of later forks guests of the arena, if this process is attached to it then.
// Thread safety: any thread.
void make_forks_guests(const std::shared_ptr<shm::Arena>& arena);

// Drops what is held for children that have ended. Cheap when there are none. Thread safety: any thread.
void release_ended_guests() noexcept;

// Arena::try_drop for callers that can't pass an error on: C code that frees memory, handlers of fork.
void drop_quietly(shm::Arena& arena, shm::BlockRef ref) noexcept;

}  // namespace pex::bindings
