// SPDX-License-Identifier: BSD-3-Clause
// The orders of a test, and the hook that carries them out.
#include "fault_spec.hpp"

#ifdef PEX_FAULT_POINTS

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "os/fault_point.hpp"

namespace pex::bindings {

namespace {

struct Order {
    Role role = Role::NONE;
    std::string point;
    unsigned count = 0;
    int signal = 0;
    std::string mark;
    std::atomic<unsigned> passed{0};  // by this process: forks go on from their parent's, which has another role
};

// Neither changes after the module was made, but for the counters.
std::deque<Order>& orders() {
    static std::deque<Order> all;
    return all;
}
std::atomic<Role> own_role{Role::NONE};

bool is_meant(const Order& order) {
    const Role own = own_role.load();
    return order.role == own || (order.role == Role::WORKER && own == Role::FRESH);
}

void obey(const char* name) {
    for (Order& order : orders()) {
        if (!is_meant(order) || order.point != name) continue;
        if (order.passed.fetch_add(1) + 1 != order.count) continue;
        // Once in the whole run, for the process that replaces this one passes the point as well.
        const int fd = open(order.mark.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) continue;
        close(fd);
        kill(getpid(), order.signal);
    }
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const std::size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

void read_order(const std::string& text) {
    const std::vector<std::string> parts = split(text, '|');
    const auto refuse = [&](const char* expected) {
        throw std::invalid_argument(std::string("PEX_FAULT: expected ").append(expected).append(", saw ").append(text));
    };
    if (parts.size() != 5) refuse("ROLE|POINT|N|ACTION|MARK");
    Order& order = orders().emplace_back();
    if (parts[0] == "master") order.role = Role::MASTER;
    else if (parts[0] == "worker") order.role = Role::WORKER;
    else if (parts[0] == "fresh") order.role = Role::FRESH;
    else refuse("role master, worker or fresh");
    order.point = parts[1];
    order.count = static_cast<unsigned>(std::strtoul(parts[2].c_str(), nullptr, 10));
    if (order.count == 0) refuse("N from 1");
    if (parts[3] == "kill") order.signal = SIGKILL;
    else if (parts[3] == "stop") order.signal = SIGSTOP;
    else refuse("action kill or stop");
    order.mark = parts[4];
}

}  // namespace

void play_role(Role role) { own_role.store(role); }

void bind_faults(pybind11::module_& module) {
    module.attr("FAULT_POINTS") = true;
    if (const char* text = std::getenv("PEX_FAULT"); text != nullptr && *text != 0) {
        for (const std::string& order : split(text, ';')) read_order(order);
        os::fault_hook = obey;
    }
    if (const char* name = std::getenv("PEX_WITHOUT"); name != nullptr && *name != 0) {
        static const std::string kept = name;
        os::removed_defence = kept.c_str();
    }
}

}  // namespace pex::bindings

#endif
