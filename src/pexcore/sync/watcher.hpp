// SPDX-License-Identifier: BSD-3-Clause
// The watcher: a native thread of the master that sees deaths and signals at once, notes them and rings.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <thread>
#include <utility>
#include <vector>

#include "os/process.hpp"
#include "sync/run_state.hpp"

namespace pex::sync {

struct Death {
    std::uint16_t process = 0;  // index in the run state; NURSERY_PROCESS for the nursery
    pid_t pid = 0;
    os::ExitStatus status;
    std::uint64_t seen_ns = 0;  // when it was seen to have ended, before it was reaped
    bool orderly = false;  // left through the LEAVING state with exit code 0
};

inline constexpr std::uint16_t NURSERY_PROCESS = 0xffff;

// Never takes the interpreter's lock and never calls back: it writes what it saw and rings the master's bell.
// Lifetime: start() after the last fork of the master, stop() before the run state goes away. A process that the
// master's program forks later has no watcher: there, stop() and the destructor let go of what was inherited.
// Thread/process safety: every public method may be called from any thread of the master.
class Watcher {
public:
    explicit Watcher(RunState& state) : m_state(state) {}
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher() { stop(); }

    // Starts the thread. Errors: os::Error.
    void start();
    // Ends the thread and waits for it. Blocks for as long as one round of the thread takes. In a fork of the process
    // that called start(), the thread is the parent's and goes on there.
    void stop() noexcept;

    // Watches a child of this process. Errors: os::Error when it is no child or already reaped.
    void watch(std::uint16_t process, pid_t pid);

    // A descriptor for signal.set_wakeup_fd: the number of a signal written to it wakes the master, and arms the hard
    // stop once the signals, or a byte STOP_AT_ONCE, ask for an end at once (stop_ladder.hpp).
    int wakeup_fd() const { return m_wakeup_write.get(); }

    // Then ends the whole process unless disarm_hard_stop() is called within `grace_ns`: a stage stuck in a C library
    // must not keep the operator waiting. 0 switches the guard off. The status is 128 + the signal that asked for it,
    // or `at_once_status` where STOP_AT_ONCE did. `last_words` go to standard error then. Call before start().
    void set_hard_stop(std::uint64_t grace_ns, std::string last_words, int at_once_status) {
        m_grace_ns = grace_ns;
        m_last_words = std::move(last_words);
        m_at_once_status = at_once_status;
    }
    void disarm_hard_stop() { m_disarmed.store(true, std::memory_order_seq_cst); }

    // How many workers have ended so far, orderly ends included. The nursery's end is noted, but not counted: the
    // workers go on without it.
    std::uint32_t death_count() const { return m_death_count.load(std::memory_order_seq_cst); }
    // The processes that are watched and have not ended, as far as the thread has seen.
    std::vector<std::pair<std::uint16_t, pid_t>> alive();
    // How many processes are watched and have not ended.
    std::uint32_t alive_count() const { return m_alive_count.load(std::memory_order_seq_cst); }
    bool signalled() const { return m_signalled.load(std::memory_order_seq_cst); }
    void clear_signalled() { m_signalled.store(false, std::memory_order_seq_cst); }

    // The next death that was not taken yet, in the order seen.
    std::optional<Death> take_death();

    // Sends SIGKILL to the group of a process, if it is watched and has not ended. Returns whether it was.
    bool kill_one(pid_t pid);

    // Sends SIGKILL to the group of every watched process that has not ended.
    void kill_all();

private:
    struct Watched {
        std::uint16_t process;
        pid_t pid;
        os::FileDescriptor pidfd;
    };

    void loop();
    void note_ends();
    void note_signal();
    void end_process_hard();

    RunState& m_state;
    std::unique_ptr<std::thread> m_thread;
    pid_t m_owner = 0;  // the process that the thread belongs to
    os::FileDescriptor m_epoll;
    os::FileDescriptor m_quit;
    os::FileDescriptor m_wakeup_read;
    os::FileDescriptor m_wakeup_write;

    // Guards m_watched and m_deaths.
    std::mutex m_mutex;
    std::vector<Watched> m_watched;
    std::vector<Death> m_deaths;

    // ORDER seq_cst on all: written by the thread before it rings, read by the master after its bell changed.
    std::atomic<std::uint32_t> m_death_count{0};
    std::atomic<std::uint32_t> m_alive_count{0};
    std::atomic<bool> m_signalled{false};
    std::atomic<bool> m_disarmed{false};
    std::uint64_t m_grace_ns = 0;
    std::string m_last_words;
    std::uint64_t m_hard_deadline_ns = os::NO_DEADLINE;
    int m_at_once_status = 0;
    int m_status = 0;      // of a process that is ended hard
    int m_stop_level = 0;  // what the signals so far ask for
};

}  // namespace pex::sync
