// SPDX-License-Identifier: BSD-3-Clause
// The watcher's thread: epoll over pidfds, the signal pipe and the quit event.
#include "sync/watcher.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "os/clock.hpp"
#include "os/error.hpp"
#include "os/fault_point.hpp"
#include "sync/stop_ladder.hpp"

namespace pex::sync {

namespace {

constexpr std::uint64_t TAG_QUIT = 1;
constexpr std::uint64_t TAG_SIGNAL = 2;
constexpr std::uint64_t TAG_PIDFD = 3;

// For what a process leaves behind that is ended hard, and for its own stacks.
constexpr std::uint64_t LAST_WORDS_NS = 300'000'000;
// How much longer a master is waited for that no stage holds: it lacks a core, or waits for a disk.
constexpr std::uint64_t UNHELD_NS = 5'000'000'000;
// The processes of Python that remove named semaphores and segments of others, once these have ended.
constexpr std::string_view TRACKER = "resource_tracker";

int to_ms(std::uint64_t ns) { return static_cast<int>(ns / 1'000'000u + 1); }

void add_to_epoll(int epoll, int fd, std::uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        throw os::Error({"watching a descriptor", "epoll_ctl", std::to_string(fd)}, errno);
}

}  // namespace

void Watcher::start() {
    if (m_thread) return;
    m_epoll = os::FileDescriptor(epoll_create1(EPOLL_CLOEXEC));
    m_quit = os::FileDescriptor(eventfd(0, EFD_CLOEXEC));
    int ends[2] = {-1, -1};
    if (!m_epoll || !m_quit || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        throw os::Error({"starting the watcher", "epoll_create1/eventfd/pipe2", "watcher"}, errno);
    m_wakeup_read = os::FileDescriptor(ends[0]);
    m_wakeup_write = os::FileDescriptor(ends[1]);
    add_to_epoll(m_epoll.get(), m_quit.get(), TAG_QUIT);
    add_to_epoll(m_epoll.get(), m_wakeup_read.get(), TAG_SIGNAL);
    // The thread inherits the mask of its creator: with all signals blocked here it never runs a handler, and
    // the kernel delivers to the threads that do.
    sigset_t all{};
    sigset_t before{};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    m_owner = getpid();
    m_thread = std::make_unique<std::thread>([this] { loop(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Watcher::stop() noexcept {
    if (!m_thread) return;
    if (getpid() != m_owner) {
        // A fork took the object along, but no thread: there is none to join, and the event would end the parent's.
        (void)m_thread.release();
        return;
    }
    const std::uint64_t one = 1;
    // Cannot fail: the counter of this eventfd is only ever 0 or 1.
    [[maybe_unused]] const ssize_t written = write(m_quit.get(), &one, sizeof one);
    m_thread->join();
    m_thread.reset();
}

void Watcher::watch(std::uint16_t process, pid_t pid) {
    os::FileDescriptor pidfd = os::open_pidfd(pid);
    const std::lock_guard lock(m_mutex);
    add_to_epoll(m_epoll.get(), pidfd.get(), TAG_PIDFD);
    m_watched.push_back({process, pid, std::move(pidfd)});
    m_alive_count.fetch_add(1, std::memory_order_seq_cst);
}

std::optional<Death> Watcher::take_death() {
    const std::lock_guard lock(m_mutex);
    if (m_deaths.empty()) return std::nullopt;
    const Death first = m_deaths.front();
    m_deaths.erase(m_deaths.begin());
    return first;
}

std::vector<std::pair<std::uint16_t, pid_t>> Watcher::alive() {
    const std::lock_guard lock(m_mutex);
    std::vector<std::pair<std::uint16_t, pid_t>> alive;
    for (const Watched& item : m_watched) alive.emplace_back(item.process, item.pid);
    return alive;
}

bool Watcher::kill_one(pid_t pid) {
    const std::lock_guard lock(m_mutex);
    for (const Watched& item : m_watched) {
        if (item.pid != pid) continue;
        os::kill_group(pid);
        return true;
    }
    return false;
}

void Watcher::kill_all() {
    const std::lock_guard lock(m_mutex);
    for (const Watched& item : m_watched) os::kill_group(item.pid);
}

void Watcher::set_serial_limits(SerialLimits limits) {
    m_limits = std::move(limits);
    std::uint64_t shortest = 0;
    for (const std::uint64_t limit : m_limits.by_stage_ns)
        if (limit != 0 && (shortest == 0 || limit < shortest)) shortest = limit;
    m_call_tick_ns = shortest == 0 ? 0 : std::clamp<std::uint64_t>(shortest / 8, 1'000'000, 250'000'000);
}

int Watcher::patience_ms() const {
    if (m_hard_deadline_ns != os::NO_DEADLINE) {
        const std::uint64_t now = os::now_ns();
        return now >= m_hard_deadline_ns ? 0 : to_ms(m_hard_deadline_ns - now);
    }
    return m_call_tick_ns != 0 ? to_ms(m_call_tick_ns - 1) : -1;
}

void Watcher::look_at_call() {
    const std::uint64_t now = os::now_ns();
    const std::uint64_t since = now - std::exchange(m_call_looked_ns, now);
    // ORDER relaxed: as in begin_call().
    const std::uint64_t word = m_call.load(std::memory_order_relaxed);
    if (word == 0 || word != m_call_seen) {
        m_call_seen = word;
        m_call_ran_ns = 0;
        return;
    }
    // A look that comes much later than it was meant to says that this process was stopped, or the machine suspended.
    m_call_ran_ns += std::min(since, 2 * m_call_tick_ns);
    const std::uint16_t stage = unpack_call(word).stage;
    const std::uint64_t limit = stage < m_limits.by_stage_ns.size() ? m_limits.by_stage_ns[stage] : 0;
    if (limit == 0 || m_call_ran_ns < limit || m_late_call.load(std::memory_order_seq_cst) != 0) return;
    const std::lock_guard lock(m_interrupt_mutex);
    if (!m_interrupts) return;
    m_late_call.store(word, std::memory_order_seq_cst);
    if (m_grace_ns != 0 && m_hard_deadline_ns == os::NO_DEADLINE) {
        m_status = m_limits.exit_code;
        m_hard_deadline_ns = now + m_grace_ns;
    }
    // To the main thread itself: a system call that it sleeps in must end.
    syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
}

void Watcher::loop() {
    m_call_looked_ns = os::now_ns();
    for (;;) {
        epoll_event events[16];
        const int count = epoll_wait(m_epoll.get(), events, 16, patience_ms());
        bool quit = false;
        bool ended = false;
        for (int i = 0; i < count; ++i) {
            if (events[i].data.u64 == TAG_QUIT) quit = true;
            if (events[i].data.u64 == TAG_SIGNAL) note_signal();
            if (events[i].data.u64 == TAG_PIDFD) ended = true;
        }
        if (ended) note_ends();
        if (quit) return;
        if (m_call_tick_ns != 0) look_at_call();
        if (m_hard_deadline_ns != os::NO_DEADLINE) {
            // ORDER seq_cst: pairs with disarm_hard_stop(); a master that answered in time is left alone.
            if (m_disarmed.load(std::memory_order_seq_cst))
                m_hard_deadline_ns = os::NO_DEADLINE;
            else if (os::now_ns() >= m_hard_deadline_ns && !waits_on())
                end_process_hard();
        }
    }
}

bool Watcher::waits_on() {
    // ORDER relaxed: as in begin_call().
    if (m_has_waited_on || m_call.load(std::memory_order_relaxed) != 0) return false;
    m_has_waited_on = true;
    m_hard_deadline_ns = os::now_ns() + UNHELD_NS;
    return true;
}

void Watcher::note_ends() {
    const std::lock_guard lock(m_mutex);
    for (auto item = m_watched.begin(); item != m_watched.end();) {
        const os::ChildState child = os::look_at_child(item->pidfd.get());
        if (child == os::ChildState::RUNS) {
            ++item;
            continue;
        }
        Death death;
        death.seen_ns = os::now_ns();
        // The group is swept before its leader is reaped, while the number still belongs to it.
        if (child == os::ChildState::ZOMBIE && os::defended("death: kill the group")) os::kill_group(item->pid);
        os::reap(item->pidfd.get(), death.status);
        death.process = item->process;
        death.pid = item->pid;
        if (death.process != NURSERY_PROCESS) {
            // ORDER seq_cst: pairs with the owner's store before its _exit, which the wait orders before this.
            const ProcessState state = m_state.process(death.process).state.load(std::memory_order_seq_cst);
            death.orderly = !death.status.signalled && death.status.code == 0 && state == ProcessState::LEAVING;
        }
        m_deaths.push_back(death);
        // Closing is not enough: a forked process may hold a copy, and epoll would report it for ever.
        epoll_ctl(m_epoll.get(), EPOLL_CTL_DEL, item->pidfd.get(), nullptr);
        item = m_watched.erase(item);
        // ORDER seq_cst: before the count and the bell. A worker that arrives from here on rings even when it is
        // not the last: the arrivals counter lacks whatever the dead one did not count.
        if (os::defended("death: ring always")) m_state.head().ring_always.store(1, std::memory_order_seq_cst);
        m_alive_count.fetch_sub(1, std::memory_order_seq_cst);
        if (death.process != NURSERY_PROCESS) m_death_count.fetch_add(1, std::memory_order_seq_cst);
    }
    ring(m_state.door(MASTER_PROCESS));
}

void Watcher::note_signal() {
    unsigned char numbers[64];
    ssize_t count = 0;
    while ((count = read(m_wakeup_read.get(), numbers, sizeof numbers)) > 0) {
        for (ssize_t i = 0; i < count; ++i) {
            const bool signal = numbers[i] != STOP_AT_ONCE;
            // The one that interrupts a late call asks for nothing.
            if ((!signal || numbers[i] == SIGTERM) && m_late_call.load(std::memory_order_seq_cst) != 0) continue;
            // Who asked for the end at once decides the status; a request is followed by a signal of our own.
            if (m_stop_level == 1 || (signal && !asks_to_stop(numbers[i]))) continue;
            m_stop_level = signal ? next_stop_level(m_stop_level, numbers[i]) : 1;
            m_status = signal ? 128 + numbers[i] : m_at_once_status;
            // Orderly ends wait for the stage that runs, however long it takes.
            if (m_stop_level == 1 && m_grace_ns != 0 && m_hard_deadline_ns == os::NO_DEADLINE)
                m_hard_deadline_ns = os::now_ns() + m_grace_ns;
        }
    }
    m_signalled.store(true, std::memory_order_seq_cst);
    ring(m_state.door(MASTER_PROCESS));
}

void Watcher::end_process_hard() {
    kill_all();
    m_last_words += m_has_waited_on ? ": it did not answer, though no stage held it\n" : " while a stage held the master\n";
    if (const std::optional<SerialCall> call = late_call()) tell_late_call(*call);
    // Nothing can be done about a standard error that is closed.
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, m_last_words.data(), m_last_words.size());
    os::end_children(TRACKER, os::now_ns() + LAST_WORDS_NS);
    _exit(m_status);
}

void Watcher::tell_late_call(const SerialCall& call) {
    static constexpr const char* HALVES[] = {"", "preprocess", "postprocess", "setup", "shutdown"};
    const double seconds = static_cast<double>(m_limits.by_stage_ns[call.stage]) / 1e9;
    char text[512];
    const int length = snprintf(text, sizeof text,
                                "the run has failed: %s.%s of the master has run for more than %g s in visit %u"
                                " (stageTimeout), and does not answer signals\n",
                                call.stage < m_limits.names.size() ? m_limits.names[call.stage].c_str() : "a stage",
                                HALVES[static_cast<int>(call.half)], seconds, call.visit);
    m_last_words = "pex-harness run: " + std::string(text, static_cast<std::size_t>(std::clamp(length, 0, 511)));
    const std::string stacks = read_stacks();
    const int place = m_limits.log ? m_limits.log.get() : STDERR_FILENO;
    const std::string told = m_limits.log ? text + stacks : stacks;
    // A log that can't be written must not keep the run.
    [[maybe_unused]] const ssize_t written = write(place, told.data(), told.size());
}

std::string Watcher::read_stacks() {
    std::string text;
    if (!m_limits.stacks || ftruncate(m_limits.stacks.get(), 0) != 0) return text;
    syscall(SYS_tgkill, getpid(), getpid(), m_limits.stacks_signal);
    const std::uint64_t deadline = os::now_ns() + LAST_WORDS_NS;
    off_t size = 0;
    // Written by a handler, in pieces: complete when it has not grown for a moment.
    while (os::now_ns() < deadline) {
        os::pause_ns(20'000'000);
        struct stat status {};
        if (fstat(m_limits.stacks.get(), &status) != 0) return text;
        if (status.st_size != 0 && status.st_size == size) break;
        size = status.st_size;
    }
    text.resize(static_cast<std::size_t>(size));
    const ssize_t count = pread(m_limits.stacks.get(), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return text;
}

}  // namespace pex::sync
