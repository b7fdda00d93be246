// SPDX-License-Identifier: BSD-3-Clause
// Composes the texts of the core's exceptions.
#include "os/error.hpp"

#include <system_error>

namespace pex::os {

namespace {

std::string compose(const Error::Site& site, int errno_value, std::string_view advice) {
    std::string text = site.doing + ": " + site.call + "(" + site.object + ")";
    if (errno_value != 0) text += ": " + errno_text(errno_value);
    if (!advice.empty()) {
        text += errno_value != 0 ? "; " : ": ";
        text += advice;
    }
    return text;
}

}  // namespace

Error::Error(Site site, int errno_value, std::string_view advice)
    : std::runtime_error(compose(site, errno_value, advice)), m_site(std::move(site)), m_errno(errno_value) {}

std::string errno_text(int errno_value) { return std::generic_category().message(errno_value); }

}  // namespace pex::os
