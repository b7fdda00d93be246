// SPDX-License-Identifier: BSD-3-Clause
// A block of shared memory as Python holds it.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "shm/arena.hpp"

namespace pex::bindings {

using ArenaPtr = std::shared_ptr<shm::Arena>;

// One hold of this process on a block. NumPy arrays keep it as their base; the last one to go drops the hold.
class HeldBlock {
public:
    // Takes over a hold that the caller has.
    HeldBlock(ArenaPtr arena, shm::BlockRef ref, std::uint64_t bytes, bool writeable)
        : m_arena(std::move(arena)), m_ref(ref), m_bytes(bytes), m_writeable(writeable) {}
    HeldBlock(const HeldBlock&) = delete;
    HeldBlock& operator=(const HeldBlock&) = delete;
    ~HeldBlock() { m_arena->drop(m_ref); }

    std::uint64_t ref() const { return m_ref.packed(); }
    std::uint64_t bytes() const { return m_bytes; }
    bool writeable() const { return m_writeable; }
    std::byte* data() const { return m_arena->data(m_ref); }

    // Copies `content` to the start of the block. Errors: ValueError if it is read-only, or too small.
    void write(std::string_view content) {
        if (!m_writeable || content.size() > m_bytes)
            throw pybind11::value_error("writing " + std::to_string(content.size()) + " bytes into a " +
                                        (m_writeable ? "writeable" : "read-only") + " block of " +
                                        std::to_string(m_bytes));
        std::memcpy(data(), content.data(), content.size());
    }

    pybind11::buffer_info buffer() const {
        return pybind11::buffer_info(data(), 1, pybind11::format_descriptor<std::uint8_t>::format(), 1,
                                     {static_cast<pybind11::ssize_t>(m_bytes)}, {1}, !m_writeable);
    }

private:
    ArenaPtr m_arena;
    shm::BlockRef m_ref;
    std::uint64_t m_bytes;
    bool m_writeable;
};

}  // namespace pex::bindings
