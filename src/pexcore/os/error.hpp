// SPDX-License-Identifier: BSD-3-Clause
// The two exceptions of the core: a system call that failed, and a broken contract.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace pex::os {

// What a failed system call looks like: "doing: call(object): strerror; advice".
class Error : public std::runtime_error {
  public:
    struct Site {
        std::string doing;   // what was being done, in words: "creating the arena"
        std::string call;    // the call that failed: "ftruncate"
        std::string object;  // what it was applied to: "pixels, 12884901888 bytes"
    };

    // errno_value 0 means that no system call failed: the text then ends with the advice.
    Error(Site site, int errno_value, std::string_view advice = {});

    const std::string& doing() const noexcept { return m_site.doing; }
    const std::string& call() const noexcept { return m_site.call; }
    const std::string& object() const noexcept { return m_site.object; }
    int errno_value() const noexcept { return m_errno; }

  private:
    Site m_site;
    int m_errno;
};

// A caller broke a contract of the core; the text names the contract. Never thrown for anything the machine
// did.
class InternalError : public std::logic_error {
  public:
    using std::logic_error::logic_error;
};

// Throws InternalError with `text` unless `holds`.
inline void expects(bool holds, const char* text) {
    if (!holds) throw InternalError(text);
}

// The text of an errno, safe to call from any thread.
std::string errno_text(int errno_value);

}  // namespace pex::os
