// SPDX-License-Identifier: BSD-3-Clause
#include "os/signals.hpp"

#include <csignal>
#include <initializer_list>

namespace pex::os {

namespace {

thread_local sigset_t mask_found;

}  // namespace

void hold_ending_signals() noexcept {
    sigset_t ending;
    ::sigemptyset(&ending);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&ending, number);
    ::pthread_sigmask(SIG_BLOCK, &ending, &mask_found);
}

void release_ending_signals() noexcept {
    ::pthread_sigmask(SIG_SETMASK, &mask_found, nullptr);
}

}  // namespace pex::os
