// SPDX-License-Identifier: BSD-3-Clause
// A child process that is run one instruction at a time.
#pragma once

#include <sys/ptrace.h>
#include <sys/syscall.h>

#include <stdexcept>

#include "support.hpp"

namespace support {

// Lifetime: the child is killed and reaped with the object if it has not ended by then.
class Stepper {
  public:
    // Starts body() in a child, which stops before its first instruction and at every pause().
    template <class Body>
    explicit Stepper(Body body)
        : m_pid(fork_child([&] {
              if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
                  throw std::runtime_error("ptrace is not permitted");
              pause(::getpid());
              body();
          })) {
        wait();
    }
    ~Stepper() {
        if (m_ended) return;
        ::kill(m_pid, SIGKILL);
        reap(m_pid);
    }
    Stepper(const Stepper&) = delete;
    Stepper& operator=(const Stepper&) = delete;

    // In the child: stops until the next step(). A bare system call, to have few instructions around it.
    static void pause(pid_t own) { ::syscall(SYS_kill, own, SIGSTOP); }

    // Runs one instruction. Blocks: until the child has stopped again or ended.
    void step() {
        if (::ptrace(PTRACE_SINGLESTEP, m_pid, nullptr, nullptr) != 0)
            throw std::runtime_error("can't single-step");
        wait();
    }

    bool ended() const { return m_ended; }
    bool paused() const { return m_paused; }

  private:
    void wait() {
        const int status = reap(m_pid);
        m_ended = !WIFSTOPPED(status);
        m_paused = WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP;
        if (m_ended) PEX_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    pid_t m_pid;
    bool m_ended = false;
    bool m_paused = false;
};

}  // namespace support
