// SPDX-License-Identifier: BSD-3-Clause
// The rules of dotted names.
#include "policy/name_path.hpp"

#include "policy/error.hpp"
#include "policy/node.hpp"

namespace pex::policy {

namespace {

const char* fault_of(std::string_view name) noexcept {
    if (name.empty()) return "is empty";
    if (name.front() == '.') return "starts with a dot";
    if (name.back() == '.') return "ends with a dot";
    if (name.find("..") != std::string_view::npos) return "has a doubled dot";
    std::size_t fields = 1;
    for (const char c : name) fields += c == '.' ? 1 : 0;
    return fields > MAX_DEPTH ? "has more fields than the nesting limit allows" : nullptr;
}

}  // namespace

void check_name(std::string_view name) {
    const char* fault = fault_of(name);
    if (fault == nullptr) return;
    Report report;
    report.problem = "the parameter name " + in_quotes(name) + " " + fault;
    report.expected = "non-empty fields joined by single dots, at most " + std::to_string(MAX_DEPTH);
    throw BadNameError(std::move(report));
}

std::string join_names(std::string_view outer, std::string_view name) {
    std::string joined(outer);
    if (!outer.empty() && !name.empty()) joined += '.';
    return joined += name;
}

std::string with_subscript(std::string_view name, std::size_t index, std::size_t count) {
    std::string text(name);
    if (count > 1) text.append("[").append(std::to_string(index)).append("]");
    return text;
}

}  // namespace pex::policy
