// SPDX-License-Identifier: BSD-3-Clause
// The handlers that pthread_atfork calls around every fork of this process.
#include "fork_guests.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>
#include <vector>

namespace pex::bindings {

namespace {

using Holds = std::vector<std::pair<std::shared_ptr<shm::Arena>, shm::HeldBlocks>>;

struct Guest {
    int read_fd = -1;  // -1: no pipe could be made, so that the holds last as long as this process
    Holds holds;
};

// Guarded by `mutex`. Never destroyed: forks may happen during the exit of the process.
struct Guests {
    std::mutex mutex;
    std::vector<std::weak_ptr<shm::Arena>> arenas;
    std::vector<Guest> guests;
    // ORDER relaxed throughout: a hint whether it pays to take the mutex, under which the truth is read.
    std::atomic<bool> any{false};
    bool installed = false;
    // From the prepare handler to the other two: the fork in progress, on the thread that has the mutex.
    Guest coming;
    int coming_write_fd = -1;
};

Guests& all() {
    static Guests* const guests = new Guests;
    return *guests;
}

void drop_all(const Holds& holds) noexcept {
    for (const auto& [arena, held] : holds)
        for (const shm::BlockRef ref : held.refs) drop_quietly(*arena, ref);
}

bool holds_anything(const Holds& holds) noexcept {
    return std::any_of(holds.begin(), holds.end(), [](const auto& entry) { return !entry.second.refs.empty(); });
}

bool copies_anything(const Holds& holds) noexcept {
    return std::any_of(holds.begin(), holds.end(),
                       [](const auto& entry) { return !entry.second.copied_at_fork.empty(); });
}

bool has_ended(const Guest& guest) noexcept {
    if (guest.read_fd < 0) return false;
    pollfd end{guest.read_fd, 0, 0};
    return ::poll(&end, 1, 0) > 0 && (end.revents & (POLLHUP | POLLERR)) != 0;
}

void release_ended_locked(Guests& self) noexcept {
    std::erase_if(self.guests, [](const Guest& guest) {
        if (!has_ended(guest)) return false;
        drop_all(guest.holds);
        ::close(guest.read_fd);
        return true;
    });
    self.any.store(!self.guests.empty(), std::memory_order_relaxed);
}

Holds hold_everything(Guests& self) {
    Holds holds;
    for (const auto& known : self.arenas) {
        auto arena = known.lock();
        if (!arena || !arena->is_attached()) continue;
        shm::HeldBlocks held = arena->hold_all();
        holds.emplace_back(std::move(arena), std::move(held));
    }
    return holds;
}

void before_fork() noexcept {
    Guests& self = all();
    self.mutex.lock();
    release_ended_locked(self);
    self.coming = {};
    self.coming_write_fd = -1;
    try {
        self.guests.reserve(self.guests.size() + 1);  // so that the parent's handler needs no memory
        self.coming.holds = hold_everything(self);
    } catch (const std::exception&) {
        // Without memory for a list of them, nothing is held: the child reads what the parent leaves it.
        return;
    }
    int ends[2];
    if (holds_anything(self.coming.holds) && ::pipe2(ends, O_CLOEXEC) == 0) {
        self.coming.read_fd = ends[0];
        self.coming_write_fd = ends[1];
    }
}

void after_fork_in_parent() noexcept {
    Guests& self = all();
    if (self.coming_write_fd >= 0) ::close(self.coming_write_fd);
    if (self.coming.read_fd >= 0 && copies_anything(self.coming.holds)) {
        // What the child copies must not change before it has. It writes one byte, or ends.
        char done;
        while (::read(self.coming.read_fd, &done, 1) < 0 && errno == EINTR) {
        }
    }
    if (holds_anything(self.coming.holds)) {
        self.guests.push_back(std::move(self.coming));
        self.any.store(true, std::memory_order_relaxed);
    }
    self.coming = {};
    self.mutex.unlock();
}

void after_fork_in_child() noexcept {
    Guests& self = all();
    // The write end stays open for as long as this process lives. The parent's read ends are not ours.
    for (const Guest& guest : self.guests)
        if (guest.read_fd >= 0) ::close(guest.read_fd);
    if (self.coming.read_fd >= 0) ::close(self.coming.read_fd);
    for (const auto& [arena, held] : self.coming.holds) arena->become_guest(held.copied_at_fork);
    if (self.coming_write_fd >= 0 && copies_anything(self.coming.holds)) {
        while (::write(self.coming_write_fd, "", 1) < 0 && errno == EINTR) {
        }
    }
    // The holds are the parent's: forgotten here, not dropped.
    self.guests.clear();
    self.coming = {};
    self.any.store(false, std::memory_order_relaxed);
    self.mutex.unlock();
}

}  // namespace

void drop_quietly(shm::Arena& arena, shm::BlockRef ref) noexcept {
    try {
        arena.try_drop(ref);
    } catch (const std::exception&) {
        // This process was swept although it lives: the block is another's by now, and there is nobody to tell.
    }
}

void make_forks_guests(const std::shared_ptr<shm::Arena>& arena) {
    Guests& self = all();
    const std::lock_guard lock(self.mutex);
    std::erase_if(self.arenas, [&](const auto& known) { return known.expired() || known.lock() == arena; });
    self.arenas.push_back(arena);
    if (self.installed) return;
    if (::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0) throw std::bad_alloc();
    self.installed = true;
}

void release_ended_guests() noexcept {
    Guests& self = all();
    if (!self.any.load(std::memory_order_relaxed)) return;
    const std::lock_guard lock(self.mutex);
    release_ended_locked(self);
}

}  // namespace pex::bindings
