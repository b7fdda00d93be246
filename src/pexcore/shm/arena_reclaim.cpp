// SPDX-License-Identifier: BSD-3-Clause
// How blocks come back: reclaimed, retired with their visit, swept after a death, trimmed.
#include "os/error.hpp"
#include "os/fault_point.hpp"
#include "shm/arena.hpp"
#include "shm/arena_private.hpp"

namespace pex::shm {

void Arena::release_warm_locked(std::uint32_t index, unsigned size_class, Generation generation) {
    BlockHeaderShm& header = m_shared->view.headers[index];
    // ORDER relaxed: we are the BUSY owner. Read before the release, after which it is another's to change.
    const std::uint8_t home = header.home.load(std::memory_order_relaxed);
    os::expects(
        change_state(header, {BlockState::busy, m_self, generation}, {BlockState::free_warm, {}, generation}),
        "Arena: this process's block was swept although the process lives");
    if (home == m_self.value && m_private->blocks[index].owned) {
        m_private->classes[size_class].warm.push_back(index);
    } else {
        // ORDER seq_cst: pairs with the load in search_owned_locked(); follows the FREE_WARM state, so that
        // the home process's search finds the block if it sees the count.
        m_shared->view.processes[home].returns.fetch_add(1, std::memory_order_seq_cst);
    }
}

int Arena::make_cold(std::uint32_t index, unsigned size_class, Generation generation) {
    BlockHeaderShm& header = m_shared->view.headers[index];
    // ORDER relaxed: we are the BUSY owner.
    const std::uint32_t pages = header.committed_pages.load(std::memory_order_relaxed);
    if (pages != 0) {
        const int error =
            m_pixels.punch(m_classes.offset_of({index}), std::uint64_t{pages} * os::page_bytes());
        if (error != 0) return error;
    }
    os::fault_point("arena: punched");
    const std::lock_guard lock(m_private->mutex);
    if (pages != 0) ++m_private->blocks_trimmed;
    // Given back to the machine first and to the account afterwards: the account never promises pages twice.
    m_shared->account.record(m_self, {index}, 0);
    os::expects(
        change_state(header, {BlockState::busy, m_self, generation}, {BlockState::free_cold, {}, generation}),
        "Arena: this process's block was swept although the process lives");
    // ORDER relaxed: a hint.
    m_shared->view.classes[size_class].cold_hint.fetch_add(1, std::memory_order_relaxed);
    return 0;
}

std::uint64_t Arena::trim_block(std::uint32_t index, unsigned size_class) {
    BlockHeaderShm& header = m_shared->view.headers[index];
    const StateWord seen = load_state(header);
    if (seen.state != BlockState::free_warm) return 0;
    if (!change_state(header, seen, {BlockState::busy, m_self, seen.generation})) return 0;
    // ORDER relaxed: we are the BUSY owner.
    const std::uint64_t bytes =
        std::uint64_t{header.committed_pages.load(std::memory_order_relaxed)} * os::page_bytes();
    if (make_cold(index, size_class, seen.generation) == 0) return bytes;
    const std::lock_guard lock(m_private->mutex);
    release_warm_locked(index, size_class, seen.generation);
    return 0;
}

void Arena::reclaim(std::uint32_t index, unsigned size_class) {
    const auto generation = try_reclaim(m_shared->view.headers[index], m_self);
    if (!generation) return;
    const std::lock_guard lock(m_private->mutex);
    release_warm_locked(index, size_class, *generation);
}

void Arena::retire_visit(unsigned visit_slot) {
    check_attached("Arena::retire_visit: this process is not attached");
    os::expects(visit_slot < MAX_VISITS, "Arena::retire_visit: visit slots are 0..63");
    for_each_used([&](std::uint32_t index, unsigned size_class) {
        BlockHeaderShm& header = m_shared->view.headers[index];
        // ORDER seq_cst: pairs with set_root(). Every publication of the visit came before an arrival that
        // the caller has seen, so a plain look can't miss one; it spares the other headers a write.
        if ((header.roots.load(std::memory_order_seq_cst) >> visit_slot & 1) == 0) return;
        clear_root(header, visit_slot);
        os::fault_point("arena: unrooted");
        reclaim(index, size_class);
    });
}

void Arena::sweep(ProcessSlot dead) {
    check_attached("Arena::sweep: this process is not attached");
    os::expects(dead != m_self, "Arena::sweep: a process can't sweep itself");
    m_shared->account.heal(dead);
    // ORDER seq_cst: pairs with the look in attach(), which may come as soon as the sweep is over.
    m_shared->view.processes[dead.value].quarantined.store(0, std::memory_order_seq_cst);
    std::vector<std::uint32_t> cold(m_classes.count());
    int error = 0;
    for_each_used([&](std::uint32_t index, unsigned size_class) {
        BlockHeaderShm& header = m_shared->view.headers[index];
        const bool held = has_holder(header, dead);
        if (held) clear_holder(header, dead);
        const StateWord seen = load_state(header);
        if (seen.state == BlockState::busy && seen.owner == dead) {
            if (!change_state(header, seen, {BlockState::busy, m_self, seen.generation})) return;
            // Its pages may be half there, so it can't become warm; if they can't be given back it stays
            // ours.
            const int failed = make_cold(index, size_class, seen.generation);
            if (failed != 0) error = failed;
        } else if (seen.state == BlockState::live && (held || os::defended("sweep: every live block"))) {
            // Also where the dead process had no bit: it may have died between its last drop and the
            // reclaiming.
            reclaim(index, size_class);
        }
        if (load_state(header).state == BlockState::free_cold) ++cold[size_class];
    });
    for (unsigned c = 0; c < m_classes.count(); ++c) {
        // ORDER relaxed: a hint. Recounted because the dead may have raised the mark without taking the
        // block.
        m_shared->view.classes[c].cold_hint.store(cold[c], std::memory_order_relaxed);
    }
    if (error != 0)
        throw os::Error({"sweeping a dead process's blocks", "fallocate(PUNCH_HOLE)", "pixels"}, error);
}

HolderInfo Arena::quarantine(ProcessSlot undead) {
    check_attached("Arena::quarantine: this process is not attached");
    os::expects(undead != m_self, "Arena::quarantine: a process can't put itself in quarantine");
    // ORDER seq_cst: pairs with the look in attach().
    m_shared->view.processes[undead.value].quarantined.store(1, std::memory_order_seq_cst);
    HolderInfo kept{HolderInfo::Kind::process, undead.value, 0, 0};
    for_each_used([&](std::uint32_t index, unsigned) {
        const BlockHeaderShm& header = m_shared->view.headers[index];
        const StateWord state = load_state(header);
        const bool is_changing = state.state == BlockState::busy && state.owner == undead;
        if (!is_changing && (state.state != BlockState::live || !has_holder(header, undead))) return;
        ++kept.blocks;
        // ORDER relaxed: a figure for a report.
        kept.bytes +=
            std::uint64_t{header.committed_pages.load(std::memory_order_relaxed)} * os::page_bytes();
    });
    return kept;
}

std::uint64_t Arena::warm_bytes() const {
    std::uint64_t pages = 0;
    for_each_used([&](std::uint32_t index, unsigned) {
        const BlockHeaderShm& header = m_shared->view.headers[index];
        if (load_state(header).state != BlockState::free_warm) return;
        pages +=
            header.committed_pages.load(std::memory_order_relaxed);  // ORDER relaxed: a sum for orientation
    });
    return pages * os::page_bytes();
}

std::uint64_t Arena::trim_warm(std::uint64_t wanted_bytes) {
    std::uint64_t given_back = 0;
    for_each_used([&](std::uint32_t index, unsigned size_class) {
        if (given_back < wanted_bytes) given_back += trim_block(index, size_class);
    });
    return given_back;
}

std::uint64_t Arena::trim(std::uint64_t keep_bytes) {
    check_attached("Arena::trim: this process is not attached");
    const std::uint64_t warm = warm_bytes();
    return trim_warm(warm > keep_bytes ? warm - keep_bytes : 0);
}

std::uint64_t Arena::trim_to_limit() {
    check_attached("Arena::trim_to_limit: this process is not attached");
    const std::uint64_t total = m_shared->account.total_pages() * os::page_bytes();
    const std::uint64_t limit = limit_bytes();
    return total > limit ? trim_warm(total - limit) : 0;
}

}  // namespace pex::shm
