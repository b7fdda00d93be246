// SPDX-License-Identifier: BSD-3-Clause
// Files as sources of policies, and the URNs that name files of products.
#include "policy/policy_file.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "policy/error.hpp"
#include "policy/loading.hpp"
#include "policy/paf.hpp"

namespace pex::policy {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool starts_with_prefix(std::string_view text) noexcept {
    return text.size() >= URN_PREFIX.size() && std::equal(URN_PREFIX.begin(), URN_PREFIX.end(), text.begin(),
                                                          [](char a, char b) { return a == lower(b); });
}

std::size_t leading_ats(std::string_view text) noexcept {
    return std::min(text.find_first_not_of('@'), text.size());
}

std::string below(std::string_view directory, std::string_view path) {
    if (directory.empty()) return std::string(path);
    return (std::filesystem::path(directory) / std::filesystem::path(path)).string();
}

[[noreturn]] void refuse_urn(std::string_view urn, std::string_view fault, const Place& place) {
    Report report;
    report.problem = "bad URN: " + std::string(fault);
    report.place = place;
    report.expected = "[@][urn:eupspkg:]product[:repository]:path";
    report.seen = in_quotes(urn);
    throw BadNameError(std::move(report));
}

bool load_foreign(const std::shared_ptr<const Source>& source, const NodePtr& into, const LoadOptions& options) {
    if (!options.foreign || is_named_paf(*source)) return false;
    try {
        return options.foreign(source, into, options);
    } catch (const Error&) {
        if (options.strict) throw;
        return true;
    }
}

void load_text(const std::shared_ptr<const Source>& source, const NodePtr& into, const LoadOptions& options) {
    if (load_foreign(source, into, options)) return;
    require_paf(source, options);
    parse_paf(source, into, options);
}

}  // namespace

PolicySource::~PolicySource() = default;

void PolicyString::load(const NodePtr& into, const LoadOptions& options) const {
    load_text(std::make_shared<Source>(describe(), m_data, std::string(), options.included_from), into, options);
}

void PolicyFile::load(const NodePtr& into, const LoadOptions& options) const {
    load_text(read_source(m_path, options), into, options);
}

bool PolicyFile::exists() const {
    std::error_code ignored;
    return std::filesystem::exists(m_path, ignored);
}

bool PolicyFile::operator==(const PolicyFile& other) const {
    return dynamic_cast<const ProductFile*>(&other) == nullptr && m_path == other.m_path;
}

ProductFile::ProductFile(ProductParts parts, bool strict_loads, const LoadOptions& options)
    : ProductFile(parts, below(product_directory(parts.product, options), parts.repository), strict_loads) {}

ProductFile::ProductFile(ProductParts parts, std::string repository_path, bool strict_loads)
    : PolicyFile(below(repository_path, parts.file)),
      m_parts(std::move(parts)),
      m_repository_path(std::move(repository_path)),
      m_strict_loads(strict_loads) {}

void ProductFile::load(const NodePtr& into, const LoadOptions& options) const {
    LoadOptions own = options;
    own.strict = options.strict && m_strict_loads;
    PolicyFile::load(into, own);
    load_policy_files(into, m_repository_path, own);
}

std::string ProductFile::reference() const {
    std::string urn(URN_PREFIX);
    urn += m_parts.product + ":";
    if (!m_parts.repository.empty()) urn += m_parts.repository + ":";
    return urn + m_parts.file;
}

bool ProductFile::operator==(const PolicyFile& other) const {
    const auto* file = dynamic_cast<const ProductFile*>(&other);
    return file != nullptr && reference() == file->reference() && path() == file->path();
}

ProductParts split_urn(std::string_view urn, bool strict, const Place& place) {
    const std::size_t ats = leading_ats(urn);
    std::string_view rest = urn.substr(ats);
    const bool prefixed = starts_with_prefix(rest);
    if (strict && !prefixed) refuse_urn(urn, "the prefix urn:eupspkg: is missing", place);
    if (strict && ats > 1) refuse_urn(urn, "at most one '@' may come first", place);
    if (prefixed) rest.remove_prefix(URN_PREFIX.size());
    std::vector<std::string> terms{""};
    for (const char c : rest) {
        if (c == ':') {
            terms.emplace_back();
        } else {
            terms.back() += c;
        }
    }
    if (terms.size() != 2 && terms.size() != 3)
        refuse_urn(urn, "two or three terms joined by ':' make a URN", place);
    if (terms.front().empty() || terms.back().empty()) refuse_urn(urn, "product and path must not be empty", place);
    return {terms.front(), terms.size() == 3 ? terms[1] : std::string(), terms.back()};
}

bool has_urn_prefix(std::string_view text) { return starts_with_prefix(text.substr(leading_ats(text))); }

bool looks_like_urn(std::string_view text, bool strict) {
    const std::size_t ats = leading_ats(text);
    if (has_urn_prefix(text)) return !strict || ats <= 1;
    return !strict && ats > 0;
}

UrnPolicyFile::UrnPolicyFile(std::string urn, bool strict_urn, bool strict_loads, const LoadOptions& options)
    : ProductFile(split_urn(urn, strict_urn, options.included_from), strict_loads, options),
      m_urn(std::move(urn)) {}

}  // namespace pex::policy
