// SPDX-License-Identifier: BSD-3-Clause
// A kernel that refuses pages: an outcome with its errno, never a signal, and whole accounts afterwards.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>

#include "machine.hpp"
#include "os/error.hpp"
#include "support.hpp"

using namespace support;

namespace {

constexpr int NOT_PERMITTED = 77;

// In a child: /dev/shm becomes a file system of `bytes` that only this child sees. False if that is not
// permitted.
bool shrink_dev_shm(const char* option) {
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", "/dev/shm", "tmpfs", 0, option) == 0;
}

// Takes pages of /dev/shm away, until it goes out of scope.
class Hog {
  public:
    explicit Hog(std::uint64_t bytes)
        : m_fd(::shm_open("/pex-test-hog", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
        ::shm_unlink("/pex-test-hog");
        PEX_CHECK(::posix_fallocate(m_fd, 0, static_cast<off_t>(bytes)) == 0);
    }
    ~Hog() { ::close(m_fd); }
    Hog(const Hog&) = delete;
    Hog& operator=(const Hog&) = delete;

  private:
    int m_fd;
};

void run_out_of_pages() {
    ArenaConfig config = config_of(6 * MIB);
    config.backing = pex::os::Backing::posix_shm;
    auto sut = Arena::create(config);
    sut->attach(MASTER);
    const Block held = sut->alloc(1 * MIB).block;
    const Block warm = sut->alloc(512 * KIB).block;
    sut->drop(warm.ref);
    {
        const Hog hog(6 * MIB);
        const AllocResult got =
            sut->alloc(2 * MIB);  // the arena has room, /dev/shm has not, even after trimming
        PEX_CHECK(got.outcome == Outcome::system_error);
        PEX_CHECK_EQ(got.errno_value, ENOSPC);
        PEX_CHECK(sut->explain(got).find("No space left on device") != std::string::npos);
        const ArenaStats stats = sut->stats();
        PEX_CHECK_EQ(stats.committed_bytes, stats.counted_bytes);
        PEX_CHECK_EQ(stats.committed_bytes, stats.live_bytes + stats.warm_bytes);
        PEX_CHECK_EQ(stats.busy_blocks, 0U);
        PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), stats.committed_bytes);
    }
    const AllocResult again = sut->alloc(2 * MIB);
    PEX_CHECK(again.outcome == Outcome::ok);
    std::memset(again.block.data, 1, again.block.bytes);
    sut->drop(again.block.ref);
    sut->drop(held.ref);
    check_all_free(*sut);
}

// A small group that this process is in, as a container or a batch system makes it.
class SmallGroup : public Machine {
  public:
    SmallGroup() {
        in_v2("/batch/job");
        v2_group("", "max", 0);
        v2_group("/batch", "16777216", 0);
        v2_group("/batch/job", "max", 0);
    }
    // What the group above us is charged with.
    void use(std::uint64_t bytes) { v2_group("/batch", "16777216", bytes); }
    ArenaConfig config(std::uint64_t arena_bytes) const {
        ArenaConfig config = config_of(arena_bytes);
        config.headroom_margin_bytes = 1 * MIB;
        config.headroom = [probe = pex::os::MemoryProbe(root())] { return probe.read(); };
        return config;
    }
};

void refuse_what_does_not_fit() {
    ArenaConfig config = config_of(6 * MIB);
    PEX_CHECK(Arena::create(config)->pixel_segment().backing() == pex::os::Backing::memfd);
    config.backing = pex::os::Backing::posix_shm;
    PEX_CHECK_THROWS(Arena::create(config), pex::os::Error);
}

void run_with_small_dev_shm(const char* option, void (*body)()) {
    const int status = reap(fork_child([&] {
        if (!shrink_dev_shm(option)) ::_exit(NOT_PERMITTED);
        body();
    }));
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_PERMITTED) {
        std::cout << "skip  mounting a small /dev/shm is not permitted here" << std::endl;
        return;
    }
    PEX_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace

PEX_TEST(a_kernel_without_pages_is_an_outcome_and_leaves_the_accounts_whole) {
    run_with_small_dev_shm("size=8m", run_out_of_pages);
}

PEX_TEST(a_dev_shm_smaller_than_the_arena_is_refused_at_once) {
    run_with_small_dev_shm("size=4m", refuse_what_does_not_fit);
}

PEX_TEST(an_arena_larger_than_the_group_above_ours_is_refused_with_the_group_s_size) {
    const SmallGroup group;
    try {
        Arena::create(group.config(32 * MIB));
        PEX_CHECK(false);
    } catch (const pex::os::Error& error) {
        PEX_CHECK(std::string(error.what()).find("16777216 bytes in all (RAM and cgroup limits)") !=
                  std::string::npos);
    }
}

PEX_TEST(a_group_used_up_by_others_is_an_outcome_that_names_it_and_not_the_out_of_memory_killer) {
    SmallGroup group;
    auto sut = Arena::create(group.config(8 * MIB));
    sut->attach(MASTER);
    group.use(12 * MIB);
    const AllocResult refused = sut->alloc(4 * MIB);
    PEX_CHECK(refused.outcome == Outcome::headroom);
    PEX_CHECK_EQ(refused.missing_bytes, 1 * MIB);
    const std::string text = sut->explain(refused);
    PEX_CHECK(text.find("available memory is the limit: 4.0 MiB by /sys/fs/cgroup/batch") != std::string::npos);
    PEX_CHECK_EQ(sut->stats().committed_bytes, 0U);
    PEX_CHECK_EQ(sut->pixel_segment().resident_bytes(), 0U);
    PEX_CHECK(sut->alloc(2 * MIB).outcome == Outcome::ok);
    group.use(0);
    PEX_CHECK(sut->alloc(4 * MIB).outcome == Outcome::ok);
}
