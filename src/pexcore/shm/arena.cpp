// SPDX-License-Identifier: BSD-3-Clause
// The arena's life: creation, attachment, holding and dropping, and finding a block by its address.
#include "shm/arena.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <utility>

#include "os/error.hpp"
#include "os/fault_point.hpp"
#include "shm/arena_private.hpp"

namespace pex::shm {

namespace {

HeadroomGate make_gate(const ArenaConfig& config) {
    if (config.headroom) return HeadroomGate(config.headroom, config.headroom_margin_bytes);
    // A probe of this process's own: a worker may have been put into another cgroup than the master.
    return HeadroomGate([probe = os::MemoryProbe{}] { return probe.read(); }, config.headroom_margin_bytes);
}

[[noreturn]] void refuse(const char* doing, const std::string& object, int errno_value,
                         const std::string& advice) {
    throw os::Error({doing, "Arena", object}, errno_value, advice);
}

void check_config(const ArenaConfig& config) {
    const std::string object = "arena_bytes=" + std::to_string(config.arena_bytes);
    if (config.arena_bytes < SMALLEST_BLOCK_BYTES || config.arena_bytes > MAX_ARENA_BYTES) {
        refuse("creating the arena", object, EINVAL,
               "the size must be between " + std::to_string(SMALLEST_BLOCK_BYTES) + " and " +
                   std::to_string(MAX_ARENA_BYTES) + " bytes");
    }
    if (config.lend_bytes > MAX_ARENA_BYTES - config.arena_bytes) {
        refuse("creating the arena", object + ", lend_bytes=" + std::to_string(config.lend_bytes), EINVAL,
               "the two together must be at most " + std::to_string(MAX_ARENA_BYTES) + " bytes: lend less");
    }
    const os::Headroom machine = config.headroom ? config.headroom() : os::MemoryProbe{}.read();
    if (config.arena_bytes > machine.total_bytes) {
        refuse("creating the arena", object, EINVAL,
               "this process may use " + std::to_string(machine.total_bytes) +
                   " bytes in all (RAM and cgroup limits): ask for less, half of it is a good size");
    }
    if (config.application_bytes > (std::uint64_t{1} << 40)) {
        refuse("creating the arena", "application_bytes=" + std::to_string(config.application_bytes), EINVAL,
               "not a sane size");
    }
}

os::SegmentConfig pixel_config(const ArenaConfig& config, const SizeClasses& classes) {
    return {.name = "pex-pixels",
            .bytes = classes.segment_bytes(),
            .backing = config.backing,
            .in_core_dumps = false,
            .expected_bytes = config.arena_bytes,
            .huge_from = classes.huge_from()};
}

}  // namespace

std::uint64_t default_arena_bytes() {
    const os::Headroom machine = os::MemoryProbe{}.read();
    const std::uint64_t half = std::min(machine.total_bytes, machine.available_bytes) / 2;
    return std::clamp(half / os::page_bytes() * os::page_bytes(), SMALLEST_BLOCK_BYTES, MAX_ARENA_BYTES);
}

Arena::Arena(const ArenaConfig& config, os::Segment control, os::Segment pixels)
    : m_config(config),
      m_classes(config.arena_bytes, os::page_bytes(), config.lend_bytes),
      m_control(std::move(control)),
      m_pixels(std::move(pixels)),
      m_shared(std::make_unique<Shared>(m_control.data(),
                                        ControlLayout(m_classes, config.application_bytes, os::page_bytes()),
                                        m_classes, config.application_bytes)) {}

Arena::~Arena() = default;

std::unique_ptr<Arena> Arena::create(const ArenaConfig& config) {
    check_config(config);
    const SizeClasses classes(config.arena_bytes, os::page_bytes(), config.lend_bytes);
    const ControlLayout layout(classes, config.application_bytes, os::page_bytes());
    auto control = os::Segment::create({.name = "pex-control",
                                        .bytes = layout.total_bytes,
                                        .backing = config.backing,
                                        .expected_bytes = layout.headers_offset});
    if (const int error = control.commit(0, layout.headers_offset); error != 0) {
        throw os::Error({"creating the arena", "fallocate",
                         "control segment, " + std::to_string(layout.headers_offset) + " bytes"},
                        error);
    }
    auto pixels = os::Segment::create(pixel_config(config, classes));
    std::unique_ptr<Arena> arena(new Arena(config, std::move(control), std::move(pixels)));
    ControlShm& about = *arena->m_shared->view.control;
    about.version = LAYOUT_VERSION;
    about.page_bytes = static_cast<std::uint32_t>(os::page_bytes());
    about.arena_bytes = config.arena_bytes;
    about.lend_bytes = config.lend_bytes;
    about.application_bytes = config.application_bytes;
    about.control_bytes = arena->m_control.bytes();
    about.pixel_bytes = arena->m_pixels.bytes();
    about.creator_pid = ::getpid();
    about.created_ns = std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
    // ORDER release: pairs with the acquire in open(); all fields above are there once the magic is.
    about.magic.store(LAYOUT_MAGIC, std::memory_order_release);
    return arena;
}

std::unique_ptr<Arena> Arena::open(int control_fd, int pixels_fd, const ArenaConfig& asked) {
    constexpr const char* DOING = "opening an arena made by another process";
    // Both are owned from the first statement on, so that none stays open whichever check fails.
    struct Closer {
        int fd;
        ~Closer() {
            if (fd >= 0) ::close(fd);
        }
    } pixels_owner{pixels_fd};
    os::Segment control = os::Segment::map(control_fd, {.name = "pex-control"});
    if (control.bytes() < sizeof(ControlShm))
        refuse(DOING, "control segment", 0, "truncated: too short for its head");
    const auto& about = *reinterpret_cast<const ControlShm*>(control.data());
    // ORDER acquire: pairs with the release in create(); without it the fields below might still be zero.
    if (about.magic.load(std::memory_order_acquire) != LAYOUT_MAGIC) {
        refuse(DOING, "control segment", 0, "this is no arena, or its creator is not ready yet");
    }
    if (about.version != LAYOUT_VERSION || about.page_bytes != os::page_bytes()) {
        refuse(DOING, "control segment", 0,
               "layout version " + std::to_string(about.version) + " with pages of " +
                   std::to_string(about.page_bytes) + " bytes, expected version " +
                   std::to_string(LAYOUT_VERSION) + " with " + std::to_string(os::page_bytes()) +
                   ": use the same build of the harness on both sides");
    }
    ArenaConfig config = asked;
    config.arena_bytes = about.arena_bytes;
    config.lend_bytes = about.lend_bytes;
    config.application_bytes = about.application_bytes;
    const SizeClasses classes(config.arena_bytes, os::page_bytes(), config.lend_bytes);
    const ControlLayout layout(classes, config.application_bytes, os::page_bytes());
    if (control.bytes() != layout.total_bytes)
        refuse(DOING, "control segment", 0, "truncated, or its head is corrupt");
    const int fd = std::exchange(pixels_owner.fd, -1);
    os::Segment pixels = os::Segment::map(fd, pixel_config(config, classes));
    return std::unique_ptr<Arena>(new Arena(config, std::move(control), std::move(pixels)));
}

void Arena::attach(ProcessSlot self) {
    os::expects(!is_attached(), "Arena::attach: this process is attached already");
    // ORDER seq_cst: pairs with quarantine(); set before anybody is told to take the slot's work over.
    os::expects(m_shared->view.processes[self.value].quarantined.load(std::memory_order_seq_cst) == 0,
                "Arena::attach: the slot is in quarantine: its last process was killed, but has not ended");
    if (m_is_guest) {
        if (const int error = m_pixels.make_shared(); error != 0)
            throw os::Error({"attaching to the arena", "mmap", "pixels"}, error);
        m_is_guest = false;
    }
    // What a parent process left here is abandoned: its mutex may have been locked by a thread that isn't
    // ours.
    (void)m_private.release();
    m_private = std::make_unique<Private>(m_classes, make_gate(m_config));
    m_self = self;
    m_shared->account.enlist(self);
    const ControlView& view = m_shared->view;
    for (unsigned c = 0; c < m_classes.count(); ++c) {
        ClassHints& hints = m_private->classes[c];
        // ORDER seq_cst: pairs with the increment in release_warm_locked(); read before the search below, so
        // that what comes back during it is found by the next one.
        hints.seen_returns = view.processes[self.value].returns.load(std::memory_order_seq_cst);
        const std::uint32_t high =
            view.classes[c].high_water.load(std::memory_order_seq_cst);  // ORDER: see claim_cold()
        for (std::uint32_t i = m_classes[c].first_index; i < m_classes[c].first_index + high; ++i) {
            const StateWord state = load_state(view.headers[i]);
            // ORDER relaxed: a hint; checked again by whoever claims the block.
            if (view.headers[i].home.load(std::memory_order_relaxed) != self.value) continue;
            if (state.state == BlockState::free_cold) continue;
            m_private->blocks[i].owned = true;
            m_private->blocks[i].unmapped = true;
            hints.owned.push_back(i);
            if (state.state == BlockState::free_warm) hints.warm.push_back(i);
        }
    }
    m_mark.set();
}

void Arena::check_attached(const char* what) const { os::expects(is_attached(), what); }

bool Arena::below_high_water(std::uint32_t index, unsigned size_class) const noexcept {
    // ORDER seq_cst: pairs with the raise in claim_cold(), which comes after the header's page was committed.
    return index - m_classes[size_class].first_index <
           m_shared->view.classes[size_class].high_water.load(std::memory_order_seq_cst);
}

std::uint32_t Arena::checked_index(BlockRef ref) const {
    // References arrive from other processes: bounds first, for a header past the mark may have no page.
    const std::uint32_t index = ref.index().value;
    os::expects(
        ref && index < m_classes.header_count() && below_high_water(index, m_classes.class_of({index})),
        "Arena: the BlockRef names no block of this arena");
    return index;
}

void Arena::hold(BlockRef ref) {
    check_attached("Arena::hold: this process is not attached");
    const std::uint32_t index = checked_index(ref);
    BlockHeaderShm& header = m_shared->view.headers[index];
    const std::lock_guard lock(m_private->mutex);
    os::expects(load_state(header).is_live(ref.generation()),
                "Arena::hold: the block is no longer live: it was held by nobody");
    PrivateBlock& mine = m_private->blocks[index];
    if (mine.holds == 0) set_holder(header, m_self);
    ++mine.holds;
}

void Arena::drop(BlockRef ref) {
    // A fork that never attached inherited its parent's arrays, not their holds.
    os::expects(try_drop(ref) || !is_attached(), "Arena::drop: this process does not hold the block");
}

bool Arena::try_drop(BlockRef ref) {
    if (!is_attached() || !is_live(ref)) return false;
    const std::uint32_t index = ref.index().value;
    BlockHeaderShm& header = m_shared->view.headers[index];
    const std::lock_guard lock(m_private->mutex);
    PrivateBlock& mine = m_private->blocks[index];
    // Looked at again under the mutex: another thread of this process may just have dropped it.
    if (mine.holds == 0 || !load_state(header).is_live(ref.generation())) return false;
    if (--mine.holds > 0) return true;
    clear_holder(header, m_self);
    os::fault_point("arena: dropped");
    const unsigned size_class = m_classes.class_of({index});
    if (const auto generation = try_reclaim(header, m_self)) {
        release_warm_locked(index, size_class, *generation);
    }
    return true;
}

HeldBlocks Arena::hold_all() {
    check_attached("Arena::hold_all: this process is not attached");
    HeldBlocks held;
    const std::lock_guard lock(m_private->mutex);
    for_each_used([&](std::uint32_t index, unsigned) {
        const PrivateBlock& mine = m_private->blocks[index];
        if (mine.holds == 0) return;
        const BlockRef ref(BlockIndex{index}, load_state(m_shared->view.headers[index]).generation);
        held.refs.push_back(ref);
        if (mine.copied_at_fork) held.copied_at_fork.push_back(ref);
    });
    for (const BlockRef ref : held.refs) ++m_private->blocks[ref.index().value].holds;
    return held;
}

int Arena::become_guest(std::span<const BlockRef> copied) noexcept {
    m_is_guest = true;
    if (const int error = m_pixels.make_private(); error != 0) return error;
    for (const BlockRef ref : copied) {
        // ORDER relaxed: constant while the block is live.
        const std::uint64_t pages =
            m_shared->view.headers[ref.index().value].committed_pages.load(std::memory_order_relaxed);
        m_pixels.copy_private(m_classes.offset_of(ref.index()), pages * os::page_bytes());
    }
    return 0;
}

std::uint32_t Arena::hold_count(BlockRef ref) const {
    if (!is_attached()) return 0;
    const std::uint32_t index = checked_index(ref);
    const std::lock_guard lock(m_private->mutex);
    if (!load_state(m_shared->view.headers[index]).is_live(ref.generation())) return 0;
    return m_private->blocks[index].holds;
}

void Arena::set_root(BlockRef ref, unsigned visit_slot) {
    check_attached("Arena::set_root: this process is not attached");
    os::expects(visit_slot < MAX_VISITS, "Arena::set_root: visit slots are 0..63");
    const std::uint32_t index = checked_index(ref);
    BlockHeaderShm& header = m_shared->view.headers[index];
    const std::lock_guard lock(m_private->mutex);
    os::expects(m_private->blocks[index].holds > 0 && load_state(header).is_live(ref.generation()),
                "Arena::set_root: this process does not hold the block");
    shm::set_root(header, visit_slot);
}

std::optional<Located> Arena::find(const void* address) const noexcept {
    if (!contains(address)) return std::nullopt;
    const auto offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(address) - m_pixels.data());
    const auto place = m_classes.place_of(offset);
    if (!place || !below_high_water(place->index.value, place->size_class)) return std::nullopt;
    const StateWord state = load_state(m_shared->view.headers[place->index.value]);
    if (state.state != BlockState::live) return std::nullopt;
    return Located{BlockRef(place->index, state.generation), place->offset_in_block};
}

bool Arena::contains(const void* address) const noexcept {
    return std::less_equal<>{}(static_cast<const void*>(m_pixels.data()), address) &&
           std::less<>{}(address, static_cast<const void*>(m_pixels.data() + m_pixels.bytes()));
}

std::byte* Arena::data(BlockRef ref) const {
    return m_pixels.data() + m_classes.offset_of({checked_index(ref)});
}

std::uint64_t Arena::capacity(BlockRef ref) const {
    // ORDER relaxed: constant while the block is live; the reference itself came by way of a seq_cst state.
    const auto pages =
        m_shared->view.headers[checked_index(ref)].committed_pages.load(std::memory_order_relaxed);
    return std::uint64_t{pages} * os::page_bytes();
}

bool Arena::is_live(BlockRef ref) const noexcept {
    const std::uint32_t index = ref.index().value;
    return ref && index < m_classes.header_count() && below_high_water(index, m_classes.class_of({index})) &&
           load_state(m_shared->view.headers[index]).is_live(ref.generation());
}

void Arena::lend(std::uint64_t bytes) {
    check_attached("Arena::lend: this process is not attached");
    if (bytes > m_config.lend_bytes) {
        refuse("lending to the arena", "bytes=" + std::to_string(bytes), EINVAL,
               "this arena was made for at most lend_bytes=" + std::to_string(m_config.lend_bytes) +
                   " above its arena_bytes=" + std::to_string(m_config.arena_bytes));
    }
    // ORDER relaxed: pairs with lent_bytes(). A number by itself; who is to rely on it is told later by
    // whatever starts its work, and an allocation in progress may be the last one under the old limit.
    m_shared->view.control->lent_bytes.store(bytes, std::memory_order_relaxed);
}

std::uint64_t Arena::lent_bytes() const noexcept {
    // ORDER relaxed: pairs with lend().
    return m_shared->view.control->lent_bytes.load(std::memory_order_relaxed);
}

std::span<std::byte> Arena::application() const noexcept { return m_shared->view.application; }

}  // namespace pex::shm
