// SPDX-License-Identifier: BSD-3-Clause
// The least that a step and a hand-over between forked processes can cost here: the limits of the benchmarks.
//
// A library for ctypes. `bare_steps`, `bare_barrier_steps` and `bare_handover` fork and measure without any Python; the
// functions on a meeting point are for Python contenders that want the same rendezvous under a thin binding.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr std::uint64_t YIELD_NS = 50'000;
constexpr std::size_t PAGE = 4096;
constexpr std::uint32_t STOP = UINT32_MAX;

std::uint64_t now_ns() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(time.tv_nsec);
}

// A word somebody waits for. `asleep` counts who is in the kernel.
struct alignas(64) Word {
    std::atomic<std::uint32_t> value;
    std::atomic<std::uint32_t> asleep;

    void set(std::uint32_t next) {
        value.store(next);
        if (asleep.load() != 0) syscall(SYS_futex, &value, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
    // Returns the value once it is another one than `old`: yields for so long (0: not at all), then sleeps.
    std::uint32_t wait_change(std::uint32_t old, std::uint64_t yield_ns) {
        const std::uint64_t start = yield_ns != 0 ? now_ns() : 0;
        while (yield_ns != 0) {
            for (int i = 0; i < 32; ++i)
                if (const std::uint32_t seen = value.load(); seen != old) return seen;
            sched_yield();
            if (now_ns() - start >= yield_ns) break;
        }
        asleep.fetch_add(1);
        while (value.load() == old) syscall(SYS_futex, &value, FUTEX_WAIT, old, nullptr, nullptr, 0);
        asleep.fetch_sub(1);
        return value.load();
    }
};

struct Meeting {
    Word turn;   // counts releases; STOP ends
    Word done;   // the last turn that all have arrived for
    alignas(64) std::atomic<std::uint32_t> arrived;
    std::uint32_t slices;
    std::uint64_t yield_ns;  // how long each side yields before it sleeps
};

void* shared_pages(std::size_t bytes) {
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return pages == MAP_FAILED ? nullptr : pages;
}

using Pixels = std::vector<std::uint32_t>;

// An image full of `value`, computed as every contender's master does: a raw image is filled, a bias subtracted.
void calibrate(std::uint32_t* image, Pixels& raw, const Pixels& bias, std::uint32_t value) {
    for (std::uint32_t& pixel : raw) pixel = value + bias[0];
    for (std::size_t i = 0; i < raw.size(); ++i) image[i] = raw[i] - bias[i];
}

// What the slices compute of an image.
void add(std::uint32_t* result, const std::uint32_t* image, std::size_t bytes, std::uint32_t number) {
    for (std::size_t i = 0; i < bytes / sizeof(std::uint32_t); ++i) result[i] = image[i] + number;
}

// Forks the slices of a meeting; each runs `work(rank, turn)` once per turn. Returns their process ids.
template <class Work>
std::vector<pid_t> fork_slices(Meeting& meeting, Work work) {
    std::vector<pid_t> children;
    for (std::uint32_t rank = 0; rank < meeting.slices; ++rank) {
        const pid_t child = fork();
        if (child != 0) {
            children.push_back(child);
            continue;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        std::uint32_t turn = 0;
        while ((turn = meeting.turn.wait_change(turn, meeting.yield_ns)) != STOP) {
            work(rank, turn);
            if (meeting.arrived.fetch_add(1) + 1 == meeting.slices) meeting.done.set(turn);
        }
        _exit(0);
    }
    return children;
}

void end(Meeting& meeting, const std::vector<pid_t>& children) {
    meeting.turn.set(STOP);
    for (const pid_t child : children) waitpid(child, nullptr, 0);
    munmap(&meeting, sizeof(Meeting));
}

}  // namespace

extern "C" {

// A meeting point in shared memory for `slices` processes, made before they are forked; null without memory.
void* bare_meeting(std::uint32_t slices) {
    auto* meeting = static_cast<Meeting*>(shared_pages(sizeof(Meeting)));
    if (meeting == nullptr) return nullptr;
    meeting->slices = slices;
    meeting->yield_ns = YIELD_NS;
    return meeting;
}

// Master: lets every slice go. Slices have not been released since the last bare_wait_all().
void bare_release(void* point) {
    auto& meeting = *static_cast<Meeting*>(point);
    meeting.arrived.store(0);
    meeting.turn.set(meeting.turn.value.load() + 1);
}

// Master: blocks until every slice has arrived.
void bare_wait_all(void* point) {
    auto& meeting = *static_cast<Meeting*>(point);
    const std::uint32_t turn = meeting.turn.value.load();
    if (meeting.done.value.load() != turn) meeting.done.wait_change(turn - 1, meeting.yield_ns);
}

// Slice: blocks until it is released from `turn`; returns the new turn.
std::uint32_t bare_wait_release(void* point, std::uint32_t turn) {
    auto& meeting = *static_cast<Meeting*>(point);
    return meeting.turn.wait_change(turn, meeting.yield_ns);
}

// Slice: has done the work of `turn`.
void bare_arrive(void* point, std::uint32_t turn) {
    auto& meeting = *static_cast<Meeting*>(point);
    if (meeting.arrived.fetch_add(1) + 1 == meeting.slices) meeting.done.set(turn);
}

// The calling process is killed when its parent ends.
void bare_die_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

// The sum of the first byte of every page of 4096 bytes: what every contender reads of an image.
std::uint64_t bare_touch(const void* image, std::size_t bytes) {
    const auto* byte = static_cast<const volatile std::uint8_t*>(image);
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < bytes; at += PAGE) sum += byte[at];
    return sum;
}

// Seconds of `rounds` empty steps with so many slices, after `warm` more; `yields`: whether waiting begins with yielding,
// or sleeps at once. Returns 0, or -1 without memory.
int bare_steps(std::uint32_t slices, int yields, std::uint32_t warm, std::uint32_t rounds, double* seconds) {
    auto* meeting = static_cast<Meeting*>(bare_meeting(slices));
    if (meeting == nullptr) return -1;
    if (yields == 0) meeting->yield_ns = 0;
    const auto children = fork_slices(*meeting, [](std::uint32_t, std::uint32_t) {});
    for (std::uint32_t i = 0; i < warm + rounds; ++i) {
        const std::uint64_t start = now_ns();
        bare_release(meeting);
        bare_wait_all(meeting);
        if (i >= warm) seconds[i - warm] = static_cast<double>(now_ns() - start) * 1e-9;
    }
    end(*meeting, children);
    return 0;
}

// The same by two waits at a pthread_barrier of master and slices.
int bare_barrier_steps(std::uint32_t slices, std::uint32_t warm, std::uint32_t rounds, double* seconds) {
    auto* barrier = static_cast<pthread_barrier_t*>(shared_pages(sizeof(pthread_barrier_t)));
    pthread_barrierattr_t shared{};
    if (barrier == nullptr || pthread_barrierattr_init(&shared) != 0) return -1;
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    if (pthread_barrier_init(barrier, &shared, slices + 1) != 0) return -1;
    auto step = [barrier] {
        pthread_barrier_wait(barrier);
        pthread_barrier_wait(barrier);
    };
    std::vector<pid_t> children;
    for (std::uint32_t rank = 0; rank < slices; ++rank) {
        const pid_t child = fork();
        if (child != 0) {
            children.push_back(child);
            continue;
        }
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (std::uint32_t i = 0; i < warm + rounds; ++i) step();
        _exit(0);
    }
    for (std::uint32_t i = 0; i < warm + rounds; ++i) {
        const std::uint64_t start = now_ns();
        step();
        if (i >= warm) seconds[i - warm] = static_cast<double>(now_ns() - start) * 1e-9;
    }
    for (const pid_t child : children) waitpid(child, nullptr, 0);
    munmap(barrier, sizeof(pthread_barrier_t));
    return 0;
}

// Hands an image of `bytes` to all slices and one back from each, `rounds` times after `warm` more. Images are in
// shared memory from their birth; with `copying`, they are private and copied once into warm shared pages, within
// the time. Computing them is outside it. Returns how many images were read wrongly, or -1 without memory.
int bare_handover(std::uint32_t slices, std::size_t bytes, int copying, std::uint32_t warm, std::uint32_t rounds,
                  double* out, double* back) {
    auto* meeting = static_cast<Meeting*>(bare_meeting(slices));
    auto* wrong = static_cast<std::atomic<int>*>(shared_pages(PAGE));
    auto* pixels = static_cast<std::uint8_t*>(shared_pages(bytes * (slices + 1)));
    if (meeting == nullptr || wrong == nullptr || pixels == nullptr) return -1;
    const std::size_t count = bytes / sizeof(std::uint32_t);
    Pixels own(copying ? count : 0), raw(count), bias(count, 7);
    const std::uint64_t pages = bytes / PAGE;
    auto value_of = [](std::uint32_t round) { return 1 + round % 100; };
    auto image = [&](std::uint32_t index) { return reinterpret_cast<std::uint32_t*>(pixels + bytes * index); };
    // Three turns a round: read the master's image; compute an own one; hand it back.
    auto work = [&](std::uint32_t rank, std::uint32_t turn) {
        const std::uint32_t value = value_of((turn - 1) / 3);
        std::uint32_t* mine = image(rank + 1);
        switch ((turn - 1) % 3) {
            case 0: if (bare_touch(pixels, bytes) != pages * value) wrong->fetch_add(1); break;
            case 1: add(copying ? own.data() : mine, image(0), bytes, rank + 1); break;
            default: if (copying) std::memcpy(mine, own.data(), bytes);
        }
    };
    const auto children = fork_slices(*meeting, work);
    auto turn = [&] {
        bare_release(meeting);
        bare_wait_all(meeting);
    };
    for (std::uint32_t round = 0; round < warm + rounds; ++round) {
        calibrate(copying ? own.data() : image(0), raw, bias, value_of(round));
        std::uint64_t start = now_ns();
        if (copying) std::memcpy(pixels, own.data(), bytes);
        turn();
        const std::uint64_t there = now_ns() - start;
        turn();
        start = now_ns();
        turn();
        for (std::uint32_t rank = 0; rank < slices; ++rank)
            if (bare_touch(image(rank + 1), bytes) != pages * (value_of(round) + rank + 1)) wrong->fetch_add(1);
        if (round < warm) continue;
        out[round - warm] = static_cast<double>(there) * 1e-9;
        back[round - warm] = static_cast<double>(now_ns() - start) * 1e-9;
    }
    end(*meeting, children);
    const int wrong_images = wrong->load();
    munmap(wrong, PAGE);
    munmap(pixels, bytes * (slices + 1));
    return wrong_images;
}

}  // extern "C"
