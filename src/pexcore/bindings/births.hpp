// SPDX-License-Identifier: BSD-3-Clause
// Memory for arrays that code allocates without knowing of the arena: in it where that is possible, by address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "shm/arena.hpp"

namespace pex::bindings::births {

struct Counts {
    std::uint64_t shared = 0;         // born in the arena
    std::uint64_t refused = 0;        // asked for, but the arena was full: private
    std::uint64_t refused_bytes = 0;  // of those
    std::uint64_t alive = 0;          // born in the arena and not freed yet
};

// The arena that allocations of at least `threshold_bytes` go to from now on; nullptr: all stay private. Counts
// start at zero. An arena with living births stays mapped, whatever else forgets it, and finds their end.
// Thread safety: one thread at a time (Python: under the GIL); allocations may go on meanwhile.
void use(std::shared_ptr<shm::Arena> arena, std::uint64_t threshold_bytes);

// Births happen while at least one of these exists in the process, on any thread; allocate() alone looks at it.
class Scope {
public:
    Scope() noexcept;
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
};
void enter() noexcept;
void leave() noexcept;
// For a process just born, which inherited the flag from whoever forked it.
void close_all() noexcept;

// Memory in the arena, or nullptr where it has to be private: births are off, the size is below the threshold or
// above what the arena gives to one birth, or the arena is full. Thread safety: any thread.
void* allocate(std::size_t bytes) noexcept;
// The same, all zero. Very large ones stay private: fresh private memory is zero without being touched.
void* allocate_zeroed(std::size_t bytes) noexcept;

// Whether an address is a birth's, of this process or of the one that forked it.
bool owns(const void* address) noexcept;
// Bytes usable at the birth `address`. 0: its block was given to others since, so nothing about it is known.
std::size_t capacity(const void* address) noexcept;
// Ends a birth. A fork's copy is not a birth of its own: then nothing happens.
void release(void* address) noexcept;

// Sets the smallest size that goes to the arena, and returns the earlier one.
std::uint64_t set_threshold(std::uint64_t bytes) noexcept;

// Whether an arena is in use that this process takes part in, and that would take a birth of threshold size.
bool can_bear() noexcept;

Counts counts() noexcept;

}  // namespace pex::bindings::births
