// SPDX-License-Identifier: BSD-3-Clause
// A made-up machine: the files in which a kernel tells memory and its limits, below a temporary directory.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "os/limits.hpp"

namespace support {

// A directory that plays the root of a machine.
class Machine {
  public:
    Machine() {
        std::string pattern = (std::filesystem::temp_directory_path() / "pex-limits-XXXXXX").string();
        if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
        m_root = pattern;
        write("/proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 4194304 kB\n");
    }
    ~Machine() { std::filesystem::remove_all(m_root); }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    void write(const std::string& path, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(m_root + path).parent_path());
        std::ofstream(m_root + path) << text;
    }
    void remove(const std::string& path) { std::filesystem::remove(m_root + path); }
    void v2_group(const std::string& path, const std::string& max, std::uint64_t current,
                  const std::string& stat = "") {
        write("/sys/fs/cgroup" + path + "/memory.max", max + "\n");
        write("/sys/fs/cgroup" + path + "/memory.current", std::to_string(current) + "\n");
        write("/sys/fs/cgroup" + path + "/memory.stat", stat);
    }
    void in_v2(const std::string& path, const std::string& mounted_root = "/") {
        write("/proc/self/cgroup", "0::" + path + "\n");
        write("/proc/self/mountinfo",
              "31 23 0:28 " + mounted_root +
                  " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    }
    const std::string& root() const { return m_root; }
    pex::os::Headroom read() const { return pex::os::MemoryProbe(m_root).read(); }

  private:
    std::string m_root;
};

}  // namespace support
