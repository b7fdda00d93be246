// SPDX-License-Identifier: BSD-3-Clause
// Segments without names: sparse, sealed, committed, punched, shared with children, and gone when unmapped.
#include "os/memory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <string>

#include "check.hpp"
#include "mappings.hpp"
#include "os/error.hpp"

using namespace pex::os;
using support::vm_flags;

namespace {

constexpr std::uint64_t MIB = 1 << 20;
constexpr Backing BACKINGS[] = {Backing::memfd, Backing::posix_shm};

int count_entries(const char* directory) {
    int count = 0;
    DIR* open = ::opendir(directory);
    while (open != nullptr && ::readdir(open) != nullptr) ++count;
    if (open != nullptr) ::closedir(open);
    return count;
}

int status_of_child(int (*body)(void*), void* argument) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(body(argument));
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

PEX_TEST(a_segment_is_sparse_and_zero_until_written) {
    for (const Backing backing : BACKINGS) {
        const Segment sut = Segment::create({"test", 1024 * MIB, backing});
        PEX_CHECK_EQ(sut.bytes(), 1024 * MIB);
        PEX_CHECK(sut.backing() == backing);
        PEX_CHECK_EQ(sut.resident_bytes(), 0U);
        PEX_CHECK(sut.data()[512 * MIB] == std::byte{0});
        PEX_CHECK(sut.resident_bytes() <= 2 * MIB);
    }
}

PEX_TEST(a_size_is_rounded_up_to_pages) {
    PEX_CHECK_EQ(Segment::create({"test", 1}).bytes(), page_bytes());
    PEX_CHECK_EQ(Segment::create({"test", page_bytes() + 1}).bytes(), 2 * page_bytes());
}

PEX_TEST(a_memfd_segment_cannot_change_its_length) {
    const Segment sut = Segment::create({"test", 4 * MIB, Backing::memfd});
    PEX_CHECK(sut.sealed());
    PEX_CHECK_EQ(::ftruncate(sut.fd(), MIB), -1);
    PEX_CHECK_EQ(::ftruncate(sut.fd(), 8 * MIB), -1);
    PEX_CHECK_EQ(sut.commit(0, MIB), 0);
    PEX_CHECK_EQ(sut.punch(0, MIB), 0);
}

PEX_TEST(segments_leave_no_name_descriptor_or_mapping) {
    const int names = count_entries("/dev/shm");
    const int descriptors = count_entries("/proc/self/fd");
    const void* address = nullptr;
    for (const Backing backing : BACKINGS) {
        Segment sut = Segment::create({"test", 4 * MIB, backing});
        address = sut.data();
        PEX_CHECK_EQ(count_entries("/dev/shm"), names);
        Segment moved = std::move(sut);
        PEX_CHECK(moved.data() == address && sut.data() == nullptr);
        moved = Segment::create({"other", MIB, backing});
    }
    PEX_CHECK_EQ(count_entries("/dev/shm"), names);
    PEX_CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
    PEX_CHECK_EQ(vm_flags(address), "");
}

PEX_TEST(descriptors_do_not_leak_into_programs_that_are_started) {
    for (const Backing backing : BACKINGS) {
        const Segment sut = Segment::create({"test", MIB, backing});
        PEX_CHECK((::fcntl(sut.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    }
}

PEX_TEST(a_reserve_stays_out_of_core_dumps) {
    const Segment in = Segment::create({"test", MIB, Backing::automatic, true});
    const Segment out = Segment::create({"test", MIB, Backing::automatic, false});
    PEX_CHECK(vm_flags(in.data()).find(" dd ") == std::string::npos);
    PEX_CHECK(vm_flags(out.data()).find(" dd ") != std::string::npos);
}

PEX_TEST(commit_backs_exactly_the_range_and_punch_gives_it_back_as_zeroes) {
    for (const Backing backing : BACKINGS) {
        const Segment sut = Segment::create({"test", 256 * MIB, backing});
        PEX_CHECK_EQ(sut.commit(8 * MIB, 80 * MIB), 0);  // more than one piece
        PEX_CHECK_EQ(sut.resident_bytes(), 80 * MIB);
        std::memset(sut.data() + 8 * MIB, 1, 80 * MIB);
        PEX_CHECK_EQ(sut.resident_bytes(), 80 * MIB);
        PEX_CHECK_EQ(sut.punch(8 * MIB, 79 * MIB), 0);
        PEX_CHECK_EQ(sut.resident_bytes(), MIB);
        PEX_CHECK(sut.data()[8 * MIB] == std::byte{0});
        PEX_CHECK(sut.data()[87 * MIB] == std::byte{1});
    }
}

PEX_TEST(commit_past_the_end_is_an_errno) {
    const Segment sut = Segment::create({"test", MIB, Backing::memfd});
    PEX_CHECK_EQ(sut.commit(0, 2 * MIB), EPERM);  // sealed against growth
}

PEX_TEST(commit_ends_although_a_timer_interrupts_it_all_the_time) {
    const Segment sut = Segment::create({"test", 256 * MIB});
    static volatile std::sig_atomic_t ticks = 0;
    ticks = 0;
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = [](int) { ticks = ticks + 1; };
    ::sigaction(SIGALRM, &action, &before);
    const itimerval often{{0, 500}, {0, 500}};
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    const int error = sut.commit(0, 128 * MIB);
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    PEX_CHECK_EQ(error, 0);
    PEX_CHECK_EQ(sut.resident_bytes(), 128 * MIB);
    PEX_CHECK(ticks > 0);
}

PEX_TEST(populate_enters_pages_without_changing_them) {
    const Segment sut = Segment::create({"test", 4 * MIB});
    PEX_CHECK_EQ(sut.commit(0, MIB), 0);
    std::memset(sut.data(), 5, MIB);
    sut.populate_read(0, MIB);
    sut.populate_write(0, MIB);
    for (std::uint64_t i = 0; i < MIB; i += 4096) PEX_CHECK(sut.data()[i] == std::byte{5});
    PEX_CHECK_EQ(sut.resident_bytes(), MIB);
}

PEX_TEST(huge_pages_are_asked_for_only_where_the_machine_grants_them) {
    PEX_CHECK(grants_huge_pages("always within_size [advise] never deny force\n"));
    PEX_CHECK(grants_huge_pages("[always] within_size advise never deny force\n"));
    PEX_CHECK(!grants_huge_pages("always within_size advise [never] deny force\n"));
    PEX_CHECK(!grants_huge_pages("always within_size advise never [deny] force\n"));
    PEX_CHECK(!grants_huge_pages(""));
    std::string setting;
    std::getline(std::ifstream("/sys/kernel/mm/transparent_hugepage/shmem_enabled"), setting);
    const Segment sut = Segment::create({.name = "test", .bytes = 64 * MIB, .huge_from = 32 * MIB});
    PEX_CHECK_EQ(sut.commit_unit(0), page_bytes());
    PEX_CHECK_EQ(sut.commit_unit(32 * MIB), grants_huge_pages(setting) ? HUGE_PAGE_BYTES : page_bytes());
    PEX_CHECK_EQ(sut.commit(32 * MIB, 8 * MIB), 0);
    PEX_CHECK_EQ(sut.resident_bytes(), 8 * MIB);
    PEX_CHECK_EQ(sut.punch(32 * MIB, 8 * MIB), 0);
    PEX_CHECK_EQ(sut.resident_bytes(), 0U);
    PEX_CHECK_EQ(Segment::create({.name = "test", .bytes = 64 * MIB}).commit_unit(63 * MIB), page_bytes());
}

PEX_TEST(a_child_writes_into_the_same_pages) {
    Segment sut = Segment::create({"test", MIB});
    PEX_CHECK_EQ(status_of_child(
                     [](void* data) {
                         std::memset(data, 42, 10);
                         return 0;
                     },
                     sut.data()),
                 0);
    PEX_CHECK(sut.data()[9] == std::byte{42});
}

PEX_TEST(a_segment_is_mapped_again_from_its_descriptor) {
    const Segment original = Segment::create({"test", MIB});
    original.data()[7] = std::byte{9};
    const Segment sut = Segment::map(::fcntl(original.fd(), F_DUPFD_CLOEXEC, 0), {"again", 0});
    PEX_CHECK(sut.data() != original.data());
    PEX_CHECK_EQ(sut.bytes(), MIB);
    PEX_CHECK(sut.sealed());
    PEX_CHECK(sut.data()[7] == std::byte{9});
}

PEX_TEST(a_truncated_segment_is_refused_and_its_descriptor_closed) {
    const Segment original = Segment::create({"test", MIB});
    const int descriptors = count_entries("/proc/self/fd");
    PEX_CHECK_THROWS(Segment::map(::fcntl(original.fd(), F_DUPFD_CLOEXEC, 0), {"again", 2 * MIB}), Error);
    PEX_CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
}

PEX_TEST(failures_name_the_call_the_size_and_the_cure_and_leave_nothing) {
    const int descriptors = count_entries("/proc/self/fd");
    PEX_CHECK_THROWS(Segment::create({"test", 0}), Error);
    try {
        Segment::create({"pixels", std::uint64_t{1} << 48});
        PEX_CHECK(false);
    } catch (const Error& error) {
        const std::string text = error.what();
        PEX_CHECK_EQ(error.call(), "mmap");
        PEX_CHECK_EQ(error.errno_value(), ENOMEM);
        PEX_CHECK(text.find("pixels, 281474976710656 bytes") != std::string::npos);
        PEX_CHECK(text.find("ulimit -v") != std::string::npos);
    }
    PEX_CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
}

PEX_TEST(a_file_size_limit_is_an_error_and_not_a_signal) {
    const auto body = [](void*) {
        const rlimit limit{MIB, MIB};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        try {
            Segment::create({"test", 2 * MIB});
        } catch (const Error& error) {
            return error.errno_value() == EFBIG ? 0 : 2;
        }
        return 3;
    };
    PEX_CHECK_EQ(status_of_child(body, nullptr), 0);
}

PEX_TEST(a_dev_shm_that_is_too_small_is_refused) {
    SegmentConfig config{"test", MIB, Backing::posix_shm};
    config.expected_bytes = std::uint64_t{1} << 60;
    try {
        Segment::create(config);
        PEX_CHECK(false);
    } catch (const Error& error) {
        PEX_CHECK_EQ(error.errno_value(), ENOSPC);
        PEX_CHECK(std::string(error.what()).find("--shm-size") != std::string::npos);
    }
}

PEX_TEST(a_fork_mark_is_not_inherited) {
    static ForkMark sut;
    PEX_CHECK(!sut.is_mine());
    sut.set();
    PEX_CHECK(sut.is_mine());
    const auto body = [](void*) {
        if (sut.is_mine()) return 1;
        sut.set();
        return sut.is_mine() ? 0 : 2;
    };
    PEX_CHECK_EQ(status_of_child(body, nullptr), 0);
    PEX_CHECK(sut.is_mine());
}

PEX_TEST(an_error_says_what_was_done_to_what_and_why_it_failed) {
    const Error sut({"creating the arena", "ftruncate", "pixels"}, EFBIG, "raise ulimit -f");
    PEX_CHECK_EQ(std::string(sut.what()),
                 "creating the arena: ftruncate(pixels): File too large; raise ulimit -f");
    PEX_CHECK_EQ(sut.doing(), "creating the arena");
    PEX_CHECK_EQ(sut.object(), "pixels");
    PEX_CHECK_EQ(std::string(Error({"a", "b", "c"}, 0, "d").what()), "a: b(c): d");
    PEX_CHECK_THROWS(expects(false, "contract"), InternalError);
    expects(true, "contract");
}
