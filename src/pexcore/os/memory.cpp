// SPDX-License-Identifier: BSD-3-Clause
// Anonymous shared segments over memfd_create or an unlinked shm_open, and commitment of their pages.
#include "os/memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "os/error.hpp"

// Older C libraries lack these values of the kernel's interface.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace pex::os {

namespace {

std::string sized(const SegmentConfig& config) {
    return config.name + ", " + std::to_string(config.bytes) + " bytes";
}

[[noreturn]] void fail(const char* call, const SegmentConfig& config, int errno_value,
                       const char* advice = "") {
    throw Error({"mapping a shared segment", call, sized(config)}, errno_value, advice);
}

// Owns a descriptor until the segment does, so that a failing step leaves none open.
class FdGuard {
  public:
    explicit FdGuard(int fd) noexcept : m_fd(fd) {}
    ~FdGuard() {
        if (m_fd >= 0) ::close(m_fd);
    }
    FdGuard(const FdGuard&) = delete;
    FdGuard& operator=(const FdGuard&) = delete;
    int get() const noexcept { return m_fd; }
    int release() noexcept { return std::exchange(m_fd, -1); }

  private:
    int m_fd;
};

int open_memfd(const SegmentConfig& config) noexcept {
    // MFD_NOEXEC_SEAL (Linux 6.3) keeps the file from ever being executed; earlier kernels answer EINVAL.
    int fd = ::memfd_create(config.name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) fd = ::memfd_create(config.name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

// A file of /dev/shm whose name exists only inside this call.
int open_posix_shm(const SegmentConfig& config) {
    for (int attempt = 0; attempt < 16; ++attempt) {
        std::array<std::uint64_t, 2> random{};
        if (::getrandom(random.data(), sizeof random, 0) != static_cast<ssize_t>(sizeof random)) {
            fail("getrandom", config, errno);
        }
        std::array<char, 64> name{};
        std::snprintf(name.data(), name.size(), "/pex-%016llx%016llx",
                      static_cast<unsigned long long>(random[0]), static_cast<unsigned long long>(random[1]));
        const int fd = ::shm_open(name.data(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            ::shm_unlink(name.data());
            return fd;
        }
        if (errno != EEXIST) fail("shm_open", config, errno, "neither memfd_create nor /dev/shm can be used");
    }
    fail("shm_open", config, EEXIST);
}

void check_room_in_dev_shm(int fd, const SegmentConfig& config) {
    struct statvfs room{};
    if (::fstatvfs(fd, &room) != 0) return;
    const std::uint64_t free_bytes = std::uint64_t{room.f_bavail} * room.f_frsize;
    if (room.f_blocks != 0 && free_bytes < config.expected_bytes) {
        fail("fstatvfs", config, ENOSPC,
             ("/dev/shm has " + std::to_string(free_bytes) + " bytes free, " +
              std::to_string(config.expected_bytes) +
              " are wanted: enlarge it (docker: --shm-size) or permit memfd_create")
                 .c_str());
    }
}

void check_file_size_limit(const SegmentConfig& config) {
    // Past RLIMIT_FSIZE, ftruncate would kill the process with SIGXFSZ instead of returning.
    struct rlimit limit{};
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < config.bytes) {
        fail("ftruncate", config, EFBIG, "the file size limit (ulimit -f) is smaller: raise it");
    }
}

std::byte* map_shared(int fd, const SegmentConfig& config) {
    void* address = ::mmap(nullptr, config.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (address == MAP_FAILED) {
        fail("mmap", config, errno, "address space is limited (ulimit -v) or the arena is too large for it");
    }
    // Advice, so refusal is not an error: a core dump would otherwise write the whole sparse reserve.
    if (!config.in_core_dumps) ::madvise(address, config.bytes, MADV_DONTDUMP);
    return static_cast<std::byte*>(address);
}

bool huge_pages_are_granted() {
    const FdGuard file(::open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY | O_CLOEXEC));
    std::array<char, 128> text{};
    const ssize_t got = file.get() < 0 ? 0 : ::read(file.get(), text.data(), text.size());
    return got > 0 && grants_huge_pages({text.data(), static_cast<std::size_t>(got)});
}

SegmentConfig rounded(SegmentConfig config) {
    const std::uint64_t page = page_bytes();
    config.bytes = (config.bytes + page - 1) / page * page;
    if (config.bytes == 0 || config.bytes > (std::uint64_t{1} << 56))
        fail("create", config, EINVAL, "not a sane size");
    return config;
}

}  // namespace

std::uint64_t page_bytes() noexcept {
    static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

bool grants_huge_pages(std::string_view setting) noexcept {
    for (const std::string_view granted : {"[advise]", "[within_size]", "[always]", "[force]"}) {
        if (setting.find(granted) != std::string_view::npos) return true;
    }
    return false;
}

Segment::Segment(int fd, const SegmentConfig& config, Backing backing, bool sealed)
    : m_data(map_shared(fd, config)),
      m_bytes(config.bytes),
      m_fd(fd),
      m_backing(backing),
      m_sealed(sealed),
      m_in_core_dumps(config.in_core_dumps) {
    if (config.huge_from >= config.bytes || !huge_pages_are_granted()) return;
    if (::madvise(m_data + config.huge_from, m_bytes - config.huge_from, MADV_HUGEPAGE) == 0)
        m_huge_from = config.huge_from;
}

Segment Segment::create(const SegmentConfig& asked) {
    const SegmentConfig config = rounded(asked);
    check_file_size_limit(config);
    Backing backing = Backing::memfd;
    FdGuard fd(config.backing == Backing::posix_shm ? -1 : open_memfd(config));
    if (fd.get() < 0 && config.backing == Backing::memfd) fail("memfd_create", config, errno);
    FdGuard posix_fd(fd.get() < 0 ? open_posix_shm(config) : -1);
    if (posix_fd.get() >= 0) {
        backing = Backing::posix_shm;
        check_room_in_dev_shm(posix_fd.get(), config);
    }
    FdGuard file(backing == Backing::memfd ? fd.release() : posix_fd.release());
    if (::ftruncate(file.get(), static_cast<off_t>(config.bytes)) != 0) fail("ftruncate", config, errno);
    // A file whose length can change is a SIGBUS waiting in every other process.
    const bool sealed = backing == Backing::memfd &&
                        ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    Segment segment(file.get(), config, backing, sealed);
    file.release();
    return segment;
}

Segment Segment::map(int fd, const SegmentConfig& asked) {
    FdGuard file(fd);
    struct stat about{};
    if (::fstat(fd, &about) != 0) fail("fstat", asked, errno);
    SegmentConfig config = asked;
    if (config.bytes == 0) config.bytes = static_cast<std::uint64_t>(about.st_size);
    config = rounded(config);
    if (static_cast<std::uint64_t>(about.st_size) != config.bytes) {
        fail("fstat", config, 0,
             ("the file has " + std::to_string(about.st_size) + " bytes: truncated, or not the segment")
                 .c_str());
    }
    const int seals = ::fcntl(fd, F_GET_SEALS);
    const bool sealed = seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && (seals & F_SEAL_GROW) != 0;
    const Backing backing = sealed ? Backing::memfd : Backing::posix_shm;
    Segment segment(fd, config, backing, sealed);
    file.release();
    return segment;
}

Segment::Segment(Segment&& other) noexcept
    : m_data(std::exchange(other.m_data, nullptr)),
      m_bytes(std::exchange(other.m_bytes, 0)),
      m_huge_from(other.m_huge_from),
      m_fd(std::exchange(other.m_fd, -1)),
      m_backing(other.m_backing),
      m_sealed(other.m_sealed),
      m_in_core_dumps(other.m_in_core_dumps) {}

Segment& Segment::operator=(Segment&& other) noexcept {
    if (this != &other) {
        release();
        m_data = std::exchange(other.m_data, nullptr);
        m_bytes = std::exchange(other.m_bytes, 0);
        m_huge_from = other.m_huge_from;
        m_fd = std::exchange(other.m_fd, -1);
        m_backing = other.m_backing;
        m_sealed = other.m_sealed;
        m_in_core_dumps = other.m_in_core_dumps;
    }
    return *this;
}

Segment::~Segment() { release(); }

void Segment::release() noexcept {
    if (m_data != nullptr) ::munmap(m_data, m_bytes);
    if (m_fd >= 0) ::close(m_fd);
    m_data = nullptr;
    m_fd = -1;
}

int Segment::commit(std::uint64_t offset, std::uint64_t length) const noexcept {
    // An interrupted fallocate undoes all it did: repeating the same piece under a fast timer may never end.
    std::uint64_t piece = COMMIT_PIECE_BYTES;
    const std::uint64_t end = offset + length;
    while (offset < end) {
        const std::uint64_t now = std::min(piece, end - offset);
        const int error = commit_piece(offset, now);
        if (error == 0) {
            offset += now;
        } else if (error == EINTR) {
            piece = std::max(page_bytes(), now / 2 / page_bytes() * page_bytes());
        } else {
            return error;
        }
    }
    return 0;
}

int Segment::commit_piece(std::uint64_t offset, std::uint64_t length) const noexcept {
    // On request, the kernel gives huge pages to a fault in the mapping only, not to fallocate. Where that
    // fails, fallocate fills the gaps, or says what is wrong.
    if (offset >= m_huge_from && ::madvise(m_data + offset, length, MADV_POPULATE_WRITE) == 0) return 0;
    return ::fallocate(m_fd, 0, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0 ? 0 : errno;
}

int Segment::punch(std::uint64_t offset, std::uint64_t length) const noexcept {
    const std::uint64_t end = offset + length;
    while (offset < end) {
        const std::uint64_t now = std::min(COMMIT_PIECE_BYTES, end - offset);
        if (::fallocate(m_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                        static_cast<off_t>(now)) == 0) {
            offset += now;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

void Segment::populate_read(std::uint64_t offset, std::uint64_t length) const noexcept {
    ::madvise(m_data + offset, length, MADV_POPULATE_READ);
}

void Segment::populate_write(std::uint64_t offset, std::uint64_t length) const noexcept {
    ::madvise(m_data + offset, length, MADV_POPULATE_WRITE);
}

int Segment::map_again(int sharing) noexcept {
    const int flags = sharing | MAP_FIXED | MAP_NORESERVE;
    void* const address = ::mmap(m_data, m_bytes, PROT_READ | PROT_WRITE, flags, m_fd, 0);
    if (address == MAP_FAILED) return errno;
    if (!m_in_core_dumps) ::madvise(m_data, m_bytes, MADV_DONTDUMP);
    if (m_huge_from < m_bytes) ::madvise(m_data + m_huge_from, m_bytes - m_huge_from, MADV_HUGEPAGE);
    return 0;
}

int Segment::make_private() noexcept {
    const int error = map_again(MAP_PRIVATE);
    if (error != 0) ::mprotect(m_data, m_bytes, PROT_READ);
    return error;
}

void Segment::copy_private(std::uint64_t offset, std::uint64_t length) const noexcept {
    if (::madvise(m_data + offset, length, MADV_POPULATE_WRITE) == 0) return;
    // A kernel before 5.14: a write to each page that changes nothing.
    for (std::uint64_t at = offset; at < offset + length; at += page_bytes()) {
        auto* const byte = reinterpret_cast<volatile std::byte*>(m_data + at);
        *byte = *byte;
    }
}

int Segment::make_shared() noexcept { return map_again(MAP_SHARED); }

std::uint64_t Segment::resident_bytes() const {
    struct stat about{};
    if (::fstat(m_fd, &about) != 0) throw Error({"asking for a segment's pages", "fstat", "segment"}, errno);
    return static_cast<std::uint64_t>(about.st_blocks) * 512;
}

ForkMark::ForkMark() {
    void* page = ::mmap(nullptr, page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw Error({"marking this process", "mmap", "one page"}, errno);
    m_page = static_cast<std::uint64_t*>(page);
    m_wiped_by_fork = ::madvise(page, page_bytes(), MADV_WIPEONFORK) == 0;
}

ForkMark::~ForkMark() { ::munmap(m_page, page_bytes()); }

void ForkMark::set() noexcept { *m_page = m_wiped_by_fork ? 1 : static_cast<std::uint64_t>(::getpid()); }

bool ForkMark::is_mine() const noexcept {
    if (*m_page == 0) return false;
    return m_wiped_by_fork || *m_page == static_cast<std::uint64_t>(::getpid());
}

}  // namespace pex::os
