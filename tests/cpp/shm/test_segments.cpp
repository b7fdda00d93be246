// SPDX-License-Identifier: BSD-3-Clause
// How the arena uses its segments: sealed, out of core dumps, entered before use.
#include <sys/mman.h>
#include <sys/resource.h>

#include "mappings.hpp"
#include "support.hpp"

using namespace support;

namespace {

// The page faults that a write to every page of a block takes.
long faults_of_touching(const Block& block) {
    struct rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    for (std::uint64_t at = 0; at < block.bytes; at += 4096)
        *reinterpret_cast<volatile std::byte*>(block.data + at) = std::byte{1};
    ::getrusage(RUSAGE_SELF, &after);
    return after.ru_minflt - before.ru_minflt;
}

// Linux 5.14 and later.
bool kernel_populates() {
    constexpr int POPULATE_READ = 22;
    void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool does = ::madvise(page, 4096, POPULATE_READ) == 0;
    ::munmap(page, 4096);
    return does;
}

}  // namespace

PEX_TEST(the_pixels_are_sealed_and_stay_out_of_core_dumps_and_the_control_segment_is_in_them) {
    auto sut = attached_arena(4 * MIB);
    PEX_CHECK(sut->pixel_segment().sealed() && sut->control_segment().sealed());
    PEX_CHECK(vm_flags(sut->pixel_segment().data()).find(" dd ") != std::string::npos);
    PEX_CHECK(vm_flags(sut->control_segment().data()).find(" dd ") == std::string::npos);
}

PEX_TEST(a_fresh_block_and_another_process_s_are_entered_before_they_are_used) {
    if (skip_under_thread_sanitizer("its own pages fault too")) return;
    if (!kernel_populates()) {
        std::cout << "skip  this kernel enters pages one by one" << std::endl;
        return;
    }
    auto sut = attached_arena(4 * MIB);
    const Block fresh = sut->alloc(4 * MIB).block;
    PEX_CHECK(faults_of_touching(fresh) < 512);  // of 1024 pages; a sanitizer has its own
    sut->drop(fresh.ref);
    reap_and_check(fork_child([&] {
        sut->attach(ProcessSlot{1});
        const Block stolen = sut->alloc(4 * MIB).block;
        PEX_CHECK_EQ(sut->stats().allocs_stolen, 1U);
        PEX_CHECK(faults_of_touching(stolen) < 512);
    }));
    sut->sweep(ProcessSlot{1});
    check_all_free(*sut);
}
