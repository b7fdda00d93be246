// SPDX-License-Identifier: BSD-3-Clause
// What the kernel's texts say about memory limits, on made-up machines in a temporary directory and on this
// one.
#include "os/limits.hpp"

#include <string>

#include "check.hpp"
#include "machine.hpp"
#include "os/error.hpp"

using namespace pex::os;
using support::Machine;

namespace {

constexpr std::uint64_t MIB = 1 << 20;

}  // namespace

PEX_TEST(meminfo_gives_total_and_available) {
    const auto sut =
        parse_meminfo("MemTotal:       24684092 kB\nMemFree:  1 kB\nMemAvailable:   24000000 kB\n");
    PEX_CHECK(sut.has_value());
    PEX_CHECK_EQ(sut->total_bytes, 24684092ULL * 1024);
    PEX_CHECK_EQ(sut->available_bytes, 24000000ULL * 1024);
}

PEX_TEST(old_meminfo_counts_free_memory_and_cache_that_is_not_shared_memory) {
    const auto sut = parse_meminfo("MemTotal: 1000 kB\nMemFree: 100 kB\nCached: 300 kB\nShmem: 50 kB\n");
    PEX_CHECK_EQ(sut->available_bytes, 350U * 1024);
    PEX_CHECK(!parse_meminfo("MemFree: 1 kB\n"));
    PEX_CHECK(!parse_meminfo(""));
}

PEX_TEST(cgroup_lines_give_the_memory_path_of_each_version) {
    const CgroupMembership hybrid =
        parse_cgroup("9:name=systemd:/\n4:cpuset,memory:/a/b\n1:cpu:/x\n0::/c:d\n");
    PEX_CHECK_EQ(hybrid.v1_memory.value(), "/a/b");
    PEX_CHECK_EQ(hybrid.v2.value(), "/c:d");
    const CgroupMembership unified = parse_cgroup("0::/user.slice/job\n");
    PEX_CHECK(!unified.v1_memory);
    PEX_CHECK_EQ(unified.v2.value(), "/user.slice/job");
    PEX_CHECK(!parse_cgroup("rubbish\n3:memory\n").v1_memory);
}

PEX_TEST(mountinfo_lines_give_the_mounts_that_limit_memory) {
    const auto sut = parse_mountinfo(
        "24 1 0:22 / /proc rw - proc proc rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
        "35 31 0:32 /docker/1 /sys/fs/cgroup/my\\040memory rw shared:7 master:2 - cgroup cgroup rw,memory\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
        "short line\n");
    PEX_CHECK_EQ(sut.size(), 2U);
    PEX_CHECK_EQ(sut[0].version, 1);
    PEX_CHECK_EQ(sut[0].root, "/docker/1");
    PEX_CHECK_EQ(sut[0].point, "/sys/fs/cgroup/my memory");
    PEX_CHECK_EQ(sut[1].version, 2);
    PEX_CHECK_EQ(sut[1].point, "/sys/fs/cgroup/unified");
}

PEX_TEST(directories_go_from_our_cgroup_up_to_the_mount) {
    const std::vector<CgroupMount> mounts{{2, "/", "/cg"}, {1, "/docker/1", "/mem"}};
    const auto sut = cgroup_directories({"/docker/1/job", "/a/b"}, mounts);
    std::string all;
    for (const CgroupDirectory& directory : sut)
        all += std::to_string(directory.version) + directory.path + " ";
    PEX_CHECK_EQ(all, "1/mem/job 1/mem 2/cg/a/b 2/cg/a 2/cg ");
}

PEX_TEST(a_path_outside_of_the_mount_yields_the_mount_point) {
    for (const char* path : {"/elsewhere", "/docker/10", "/../../outside"}) {
        const auto sut = cgroup_directories({std::nullopt, path}, {{2, "/docker/1", "/cg"}});
        PEX_CHECK_EQ(sut.size(), 1U);
        PEX_CHECK_EQ(sut[0].path, "/cg");
    }
    const auto root = cgroup_directories({std::nullopt, "/"}, {{2, "/", "/cg"}});
    PEX_CHECK_EQ(root.size(), 1U);
}

PEX_TEST(without_cgroups_available_memory_decides) {
    Machine machine;
    const Headroom sut = machine.read();
    PEX_CHECK_EQ(sut.total_bytes, 8192 * MIB);
    PEX_CHECK_EQ(sut.available_bytes, 4096 * MIB);
    PEX_CHECK_EQ(sut.limited_by, "MemAvailable");
}

PEX_TEST(the_tightest_ancestor_decides) {
    Machine machine;
    machine.in_v2("/slice/job");
    machine.v2_group("/slice/job", "max", 100 * MIB);
    machine.v2_group("/slice", std::to_string(1024 * MIB), 1000 * MIB);
    machine.v2_group("", std::to_string(2048 * MIB), 1000 * MIB);
    const Headroom sut = machine.read();
    PEX_CHECK_EQ(sut.available_bytes, 24 * MIB);
    PEX_CHECK_EQ(sut.total_bytes, 1024 * MIB);
    PEX_CHECK_EQ(sut.limited_by, "/sys/fs/cgroup/slice");
}

PEX_TEST(file_cache_that_can_be_dropped_is_no_use) {
    Machine machine;
    machine.in_v2("/job");
    const std::string stat = "anon 1\ninactive_file " + std::to_string(200 * MIB) + "\nactive_file " +
                             std::to_string(100 * MIB) + "\nshmem " + std::to_string(500 * MIB) + "\n";
    machine.v2_group("/job", std::to_string(1024 * MIB), 900 * MIB, stat);
    PEX_CHECK_EQ(machine.read().available_bytes, (1024 - 900 + 200 + 50) * MIB);
}

PEX_TEST(the_throttling_limit_counts_too) {
    Machine machine;
    machine.in_v2("/job");
    machine.v2_group("/job", std::to_string(1024 * MIB), 100 * MIB);
    machine.write("/sys/fs/cgroup/job/memory.high", std::to_string(300 * MIB));
    PEX_CHECK_EQ(machine.read().available_bytes, 200 * MIB);
}

PEX_TEST(use_above_the_limit_leaves_nothing) {
    Machine machine;
    machine.in_v2("/job");
    machine.v2_group("/job", std::to_string(100 * MIB), 200 * MIB);
    PEX_CHECK_EQ(machine.read().available_bytes, 0U);
}

PEX_TEST(v1_limits_are_read_with_hierarchical_cache_figures) {
    Machine machine;
    machine.write("/proc/self/cgroup", "4:memory:/job\n0::/\n");
    machine.write("/proc/self/mountinfo",
                  "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
                  "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    machine.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    machine.write("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", std::to_string(512 * MIB) + "\n");
    machine.write("/sys/fs/cgroup/memory/job/memory.usage_in_bytes", std::to_string(500 * MIB) + "\n");
    machine.write("/sys/fs/cgroup/memory/job/memory.stat",
                  "inactive_file 1\ntotal_inactive_file " + std::to_string(10 * MIB) + "\n");
    const Headroom sut = machine.read();
    PEX_CHECK_EQ(sut.available_bytes, 22 * MIB);
    PEX_CHECK_EQ(sut.limited_by, "/sys/fs/cgroup/memory/job");
}

PEX_TEST(limits_are_read_anew_each_time) {
    Machine machine;
    machine.in_v2("/job");
    machine.v2_group("/job", "max", 0);
    const MemoryProbe sut(machine.root());
    PEX_CHECK_EQ(sut.read().limited_by, "MemAvailable");
    machine.v2_group("/job", std::to_string(10 * MIB), 4 * MIB);
    PEX_CHECK_EQ(sut.read().available_bytes, 6 * MIB);
}

PEX_TEST(a_machine_without_meminfo_is_an_error) {
    Machine machine;
    machine.remove("/proc/meminfo");
    PEX_CHECK_THROWS(machine.read(), Error);
    machine.write("/proc/meminfo", "nothing of use\n");
    PEX_CHECK_THROWS(machine.read(), Error);
}

PEX_TEST(this_machine_has_memory) {
    const Headroom sut = MemoryProbe{}.read();
    PEX_CHECK(sut.available_bytes > 0 && sut.available_bytes <= sut.total_bytes);
    PEX_CHECK(memory_headroom() > 0);
}
