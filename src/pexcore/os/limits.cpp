// SPDX-License-Identifier: BSD-3-Clause
// Reads MemAvailable and the limits of this process's cgroups (v1, v2) and their ancestors.
#include "os/limits.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "os/error.hpp"

namespace pex::os {

namespace {

// A v1 "no limit" is the largest page multiple below 2^63; a limit above any machine's memory is none either.
constexpr std::uint64_t UNLIMITED_BYTES = std::uint64_t{1} << 60;

// Whole content of a small file; empty optional if it can't be opened or read (errno tells why).
std::optional<std::string> read_file(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return std::nullopt;
    std::string text;
    std::array<char, 4096> piece{};
    ssize_t got = 0;
    do {
        got = ::read(fd, piece.data(), piece.size());
        if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
    } while (got > 0 || (got < 0 && errno == EINTR));
    const int error = errno;
    ::close(fd);
    errno = error;
    if (got < 0) return std::nullopt;
    return text;
}

// Calls take(line) for every line.
template <class Take>
void for_each_line(std::string_view text, Take take) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        take(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
}

// The next blank-separated word of `rest`, which is shortened by it.
std::string_view next_word(std::string_view& rest) {
    const std::size_t start = std::min(rest.find_first_not_of(" \t\n"), rest.size());
    rest.remove_prefix(start);
    const std::size_t end = std::min(rest.find_first_of(" \t\n"), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end);
    return word;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    text = next_word(text);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// True if `item` is one of the comma-separated parts of `list`.
bool lists(std::string_view list, std::string_view item) {
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(','), list.size());
        if (list.substr(0, end) == item) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

// mountinfo writes blanks, tabs, newlines and backslashes of a path as \ooo.
std::string unescape(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        if (text[i] == '\\' && i + 3 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ptr == text.data() + i + 4) {
            plain += static_cast<char>(value);
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

// The value of "key value" in a memory.stat text, 0 if absent.
std::uint64_t stat_value(std::string_view text, std::string_view key) {
    std::uint64_t value = 0;
    for_each_line(text, [&](std::string_view line) {
        if (next_word(line) == key) value = number(line).value_or(0);
    });
    return value;
}

// The part of `path` below `root`, or empty optional if it isn't below it. A path that starts with "/.." is
// how a cgroup namespace writes a place outside of it.
std::optional<std::string> below(const std::string& path, const std::string& root) {
    if (path.compare(0, 3, "/..") == 0) return std::nullopt;
    if (root == "/") return path;
    if (path == root) return "/";
    if (path.size() > root.size() && path.compare(0, root.size(), root) == 0 && path[root.size()] == '/') {
        return path.substr(root.size());
    }
    return std::nullopt;
}

void add_ancestors(std::vector<CgroupDirectory>& directories, const CgroupMount& mount, std::string inside) {
    while (inside.size() > 1) {
        directories.push_back({mount.version, mount.point + inside});
        inside.resize(inside.rfind('/'));
    }
    directories.push_back({mount.version, mount.point});
}

// Limit of one directory: v2 also counts memory.high, past which the kernel throttles us nearly to a stop.
std::optional<std::uint64_t> read_limit(const std::string& path, int version) {
    std::optional<std::uint64_t> limit;
    const auto take = [&](const char* name) {
        const auto text = read_file(path + name);
        const auto value = text ? number(*text) : std::nullopt;  // "max" is not a number
        if (value && *value < UNLIMITED_BYTES) limit = std::min(*value, limit.value_or(*value));
    };
    if (version == 1) {
        take("/memory.limit_in_bytes");
    } else {
        take("/memory.max");
        take("/memory.high");
    }
    return limit;
}

}  // namespace

std::optional<MemoryInfo> parse_meminfo(std::string_view text) {
    std::optional<std::uint64_t> total, available;
    std::uint64_t free_kib = 0, cached_kib = 0, shmem_kib = 0;
    for_each_line(text, [&](std::string_view line) {
        const std::string_view key = next_word(line);
        if (key == "MemTotal:") total = number(line);
        if (key == "MemAvailable:") available = number(line);
        if (key == "MemFree:") free_kib = number(line).value_or(0);
        if (key == "Cached:") cached_kib = number(line).value_or(0);
        if (key == "Shmem:") shmem_kib = number(line).value_or(0);
    });
    if (!total) return std::nullopt;
    if (!available) available = free_kib + (cached_kib - std::min(cached_kib, shmem_kib));
    return MemoryInfo{*total * 1024, *available * 1024};
}

CgroupMembership parse_cgroup(std::string_view text) {
    CgroupMembership membership;
    for_each_line(text, [&](std::string_view line) {  // hierarchy:controllers:path
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) return;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string path(line.substr(second + 1));
        if (line.substr(0, first) == "0" && controllers.empty()) membership.v2 = path;
        if (lists(controllers, "memory")) membership.v1_memory = path;
    });
    return membership;
}

std::vector<CgroupMount> parse_mountinfo(std::string_view text) {
    std::vector<CgroupMount> mounts;
    for_each_line(text, [&](std::string_view line) {
        // id parent major:minor root point options [optional fields] - type source superoptions
        for (int skipped = 0; skipped < 3; ++skipped) next_word(line);
        const std::string_view root = next_word(line);
        const std::string_view point = next_word(line);
        const std::size_t dash = line.find(" - ");
        if (dash == std::string_view::npos) return;
        line.remove_prefix(dash + 3);
        const std::string_view type = next_word(line);
        next_word(line);
        const std::string_view options = next_word(line);
        const int version = type == "cgroup2" ? 2 : (type == "cgroup" && lists(options, "memory") ? 1 : 0);
        if (version != 0) mounts.push_back({version, unescape(root), unescape(point)});
    });
    return mounts;
}

std::vector<CgroupDirectory> cgroup_directories(const CgroupMembership& membership,
                                                const std::vector<CgroupMount>& mounts) {
    std::vector<CgroupDirectory> directories;
    for (const int version : {1, 2}) {
        const auto& path = version == 1 ? membership.v1_memory : membership.v2;
        if (!path) continue;
        // The first mount that shows our cgroup; else the first of the version, whose root is all we can see.
        const CgroupMount* chosen = nullptr;
        std::optional<std::string> inside;
        for (const CgroupMount& mount : mounts) {
            if (mount.version != version || inside) continue;
            inside = below(*path, mount.root);
            if (inside || chosen == nullptr) chosen = &mount;
        }
        if (chosen != nullptr) add_ancestors(directories, *chosen, inside.value_or("/"));
    }
    return directories;
}

std::optional<CgroupUse> read_cgroup(const std::string& root, const CgroupDirectory& directory) {
    const std::string path = root + directory.path;
    const bool v1 = directory.version == 1;
    const auto limit = read_limit(path, directory.version);
    if (!limit) return std::nullopt;
    const auto used_text = read_file(path + (v1 ? "/memory.usage_in_bytes" : "/memory.current"));
    const auto used = used_text ? number(*used_text) : std::nullopt;
    if (!used) return std::nullopt;
    const std::string stat = read_file(path + "/memory.stat").value_or("");
    const std::uint64_t inactive = stat_value(stat, v1 ? "total_inactive_file" : "inactive_file");
    const std::uint64_t active = stat_value(stat, v1 ? "total_active_file" : "active_file");
    const std::uint64_t held = *used - std::min(*used, inactive + active / 2);
    return CgroupUse{*limit, *limit - std::min(*limit, held)};
}

MemoryProbe::MemoryProbe(std::string root) : m_root(std::move(root)) {
    // No cgroup file system, or none mounted, is an ordinary machine: MemAvailable alone then decides.
    const auto membership = read_file(m_root + "/proc/self/cgroup");
    const auto mounts = read_file(m_root + "/proc/self/mountinfo");
    if (membership && mounts)
        m_directories = cgroup_directories(parse_cgroup(*membership), parse_mountinfo(*mounts));
}

Headroom MemoryProbe::read() const {
    const std::string path = m_root + "/proc/meminfo";
    const auto text = read_file(path);
    if (!text) throw Error({"reading how much memory is available", "open", path}, errno);
    const auto info = parse_meminfo(*text);
    if (!info)
        throw Error({"reading how much memory is available", "parse", path}, 0, "no MemTotal line in it");
    Headroom headroom{info->total_bytes, info->available_bytes, "MemAvailable"};
    for (const CgroupDirectory& directory : m_directories) {
        const auto use = read_cgroup(m_root, directory);
        if (!use) continue;
        headroom.total_bytes = std::min(headroom.total_bytes, use->limit_bytes);
        if (use->headroom_bytes < headroom.available_bytes) {
            headroom.available_bytes = use->headroom_bytes;
            headroom.limited_by = directory.path;
        }
    }
    return headroom;
}

std::uint64_t memory_headroom() { return MemoryProbe{}.read().available_bytes; }

}  // namespace pex::os
