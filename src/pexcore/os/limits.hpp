// SPDX-License-Identifier: BSD-3-Clause
// How much memory may still be taken before the kernel's out-of-memory killer answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pex::os {

// The two lines of /proc/meminfo that matter, in bytes.
struct MemoryInfo {
    std::uint64_t total_bytes = 0;
    std::uint64_t available_bytes = 0;
};

// Parses the text of /proc/meminfo. Empty if MemTotal is missing. On kernels before 3.14, which have no
// MemAvailable, free memory plus page cache (Cached less Shmem) stands in for it.
std::optional<MemoryInfo> parse_meminfo(std::string_view text);

// Where this process sits in the memory controller of one cgroup version.
struct CgroupMembership {
    std::optional<std::string> v1_memory;  // path in the hierarchy that has the v1 memory controller
    std::optional<std::string> v2;         // path in the unified hierarchy
};

// Parses the text of /proc/<pid>/cgroup.
CgroupMembership parse_cgroup(std::string_view text);

// One mounted cgroup hierarchy that may carry memory limits.
struct CgroupMount {
    int version = 0;    // 1 or 2
    std::string root;   // the path inside the hierarchy that is mounted
    std::string point;  // the directory it is mounted on
};

// Parses the text of /proc/<pid>/mountinfo: the cgroup2 mounts and the v1 mounts with the memory controller.
std::vector<CgroupMount> parse_mountinfo(std::string_view text);

// One directory that limits us: a cgroup, or an ancestor of it up to the mount point.
struct CgroupDirectory {
    int version = 0;
    std::string path;
};

// The directories from this process's cgroup up to the mount point, innermost first, v1 then v2.
// A path outside the mounted part (as a container without a cgroup namespace sees it) yields the mount point
// alone.
std::vector<CgroupDirectory> cgroup_directories(const CgroupMembership& membership,
                                                const std::vector<CgroupMount>& mounts);

struct CgroupUse {
    std::uint64_t limit_bytes = 0;     // memory.max or memory.high, or memory.limit_in_bytes
    std::uint64_t headroom_bytes = 0;  // limit less use; file cache that can be dropped is no use
};

// Reads one directory (below `root`). Empty if it sets no limit or isn't there.
// Droppable cache is all inactive file pages and half of the active ones; shared memory is neither.
std::optional<CgroupUse> read_cgroup(const std::string& root, const CgroupDirectory& directory);

struct Headroom {
    std::uint64_t total_bytes = 0;      // min(RAM, every cgroup limit above us)
    std::uint64_t available_bytes = 0;  // min(MemAvailable, headroom of every cgroup above us)
    std::string limited_by;             // "MemAvailable" or the cgroup directory that is tightest
};

// Remembers which cgroup directories limit this process, so that a reading costs a few small files.
// Lifetime: stays valid in forked children; a process that was moved to another cgroup makes a new one.
// Thread safety: read() may be called from any thread.
class MemoryProbe {
  public:
    // `root` is put in front of /proc and of every mount point; tests give a directory of their own.
    explicit MemoryProbe(std::string root = {});

    // Errors: Error if <root>/proc/meminfo can't be read: without it no promise can be kept.
    Headroom read() const;

    const std::vector<CgroupDirectory>& directories() const noexcept { return m_directories; }

  private:
    std::string m_root;
    std::vector<CgroupDirectory> m_directories;
};

// A fresh probe's available_bytes. Errors: as MemoryProbe::read.
std::uint64_t memory_headroom();

}  // namespace pex::os
