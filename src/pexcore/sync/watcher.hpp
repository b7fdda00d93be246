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

// The halves of a stage that the master runs.
enum class SerialHalf : std::uint8_t { NONE = 0, PREPROCESS, POSTPROCESS, SETUP, SHUTDOWN };

// A call of stage code in the master. Stages count from 1; the failure stage comes after the last. No two calls of a run
// are alike.
struct SerialCall {
    std::uint32_t visit = 0;  // 0 before the first
    std::uint16_t stage = 0;
    SerialHalf half = SerialHalf::NONE;
};

constexpr std::uint64_t pack(const SerialCall& call) noexcept {
    return (std::uint64_t{call.visit} << 32) | (std::uint64_t{call.stage} << 16) | static_cast<std::uint64_t>(call.half);
}
constexpr SerialCall unpack_call(std::uint64_t word) noexcept {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint16_t>(word >> 16),
            static_cast<SerialHalf>(word & 0xffu)};
}

// How long the master's stages may take, and what is told of one that takes longer and can't be interrupted.
struct SerialLimits {
    std::vector<std::uint64_t> by_stage_ns;  // by the number of the stage; 0 or lacking: for ever
    std::vector<std::string> names;          // by the number of the stage
    int exit_code = 0;                       // of the process, if it has to be ended
    int stacks_signal = 0;                   // has the process write its stacks
    os::FileDescriptor stacks;               // where it writes them
    os::FileDescriptor log;                  // where they are told; none: on standard error
};

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
    void arm_hard_stop() { m_disarmed.store(false, std::memory_order_seq_cst); }
    void disarm_hard_stop() { m_disarmed.store(true, std::memory_order_seq_cst); }

    // Has calls of the master's stages watched. Call before start().
    void set_serial_limits(SerialLimits limits);

    // Between the two a call of stage code runs in the master's main thread.
    // ORDER relaxed: the thread looks at the word now and then, and reads nothing else on its account.
    void begin_call(const SerialCall& call) { m_call.store(pack(call), std::memory_order_relaxed); }
    void end_call() { m_call.store(0, std::memory_order_relaxed); }

    // Whether a late call may be interrupted: by SIGTERM to the main thread, whose handler asks late_call(). Without,
    // SIGTERM is never sent.
    void set_interrupts(bool may) {
        const std::lock_guard lock(m_interrupt_mutex);
        m_interrupts = may;
    }
    // The call that has taken longer than it may.
    std::optional<SerialCall> late_call() const {
        const std::uint64_t word = m_late_call.load(std::memory_order_seq_cst);
        return word != 0 ? std::optional(unpack_call(word)) : std::nullopt;
    }

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
    // Whether the hard stop is put off, once, for no stage holds the master.
    bool waits_on();
    void note_ends();
    void note_signal();
    // How long to wait for the next event.
    int patience_ms() const;
    // Notes how long the call that runs has run, and interrupts it when that is too long.
    void look_at_call();
    void end_process_hard();
    void tell_late_call(const SerialCall& call);
    std::string read_stacks();

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
    bool m_has_waited_on = false;  // past the first deadline
    int m_at_once_status = 0;
    int m_status = 0;      // of a process that is ended hard
    int m_stop_level = 0;  // what the signals so far ask for

    SerialLimits m_limits;
    std::uint64_t m_call_tick_ns = 0;  // between two looks at the call; 0: none is watched
    std::atomic<std::uint64_t> m_call{0};
    // ORDER seq_cst: written by the thread before it sends the signal whose handler reads it.
    std::atomic<std::uint64_t> m_late_call{0};
    std::uint64_t m_call_seen = 0;     // the call of the last look
    std::uint64_t m_call_ran_ns = 0;   // for how long it has run, gaps left out in which this process did not
    std::uint64_t m_call_looked_ns = 0;
    // Guards m_interrupts, so that no signal follows when it has become false.
    std::mutex m_interrupt_mutex;
    bool m_interrupts = false;
};

}  // namespace pex::sync
