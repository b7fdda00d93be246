// SPDX-License-Identifier: BSD-3-Clause
#include "os/signals.hpp"

#include <csignal>
#include <initializer_list>

namespace pex::os {

namespace {

thread_local sigset_t mask_found;
thread_local int holds = 0;

}  // namespace

void hold_ending_signals() noexcept {
    if (holds++ > 0) return;
    sigset_t ending;
    ::sigemptyset(&ending);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&ending, number);
    ::pthread_sigmask(SIG_BLOCK, &ending, &mask_found);
}

void release_ending_signals() noexcept {
    if (holds == 0 || --holds > 0) return;
    ::pthread_sigmask(SIG_SETMASK, &mask_found, nullptr);
}

}  // namespace pex::os
