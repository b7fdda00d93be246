// SPDX-License-Identifier: BSD-3-Clause
// Where policies are read from: strings, files, files of a product, URNs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "policy/node.hpp"

namespace pex::policy {

// Names the installation directory of a product. The core looks at no environment: whoever embeds it does.
// Errors: NotFoundError where the product is unknown.
using ProductResolver = std::function<std::string(std::string_view product)>;

struct LoadOptions;
// Adds to the node what a text in another format than PAF holds; false, and nothing added, where the text is in no
// format it knows. Errors: those of PolicySource::load().
using ForeignLoader =
    std::function<bool(const std::shared_ptr<const Source>& source, const NodePtr& into, const LoadOptions&)>;

struct LoadOptions {
    bool strict = true;             // false: skip what cannot be parsed or read, keep the rest
    ProductResolver products = {};  // absent: every product is unknown
    ForeignLoader foreign = {};     // asked before PAF, but not about *.paf; absent: everything is PAF
    Place included_from = {};       // the include that asks for this text
    std::string breadcrumb = {};    // where the text lands in the policy that includes it
};

// Errors: NotFoundError, also where the options have no resolver.
std::string product_directory(std::string_view product, const LoadOptions& options);

// The text of a file. Errors: IoError; ParserError where the file is already being read, that is where includes
// go round in a circle.
std::shared_ptr<const Source> read_source(const std::string& path, const LoadOptions& options);

// Whether the text comes from a file called *.paf, which is believed.
bool is_named_paf(const Source& source);

// Errors: ParserError where the text, or a file of that name, is no PAF: a name ending in .paf is believed, one in
// .xml is not; else the first line that is neither blank nor comment has to start like a parameter. A content
// identifier, "#<?cfg paf policy ?>", settles it. Text without any such line is an empty policy.
void require_paf(const std::shared_ptr<const Source>& source, const LoadOptions& options);
// The part of that which looks at the text.
struct FormatVerdict {
    enum class Format { UNDECIDED, PAF, OTHER } format;
    std::size_t decided_at;  // the byte that settled it
};
FormatVerdict recognise_format(std::string_view text);
// Whether the first line that is neither blank nor comment is "name:", which no other format begins with, or a comment
// before it says that the text is PAF.
bool begins_like_paf(const std::string& text);

class PolicySource {
 public:
    virtual ~PolicySource();
    // Adds the parameters of the source to the node. Errors: IoError, ParserError, TypeError,
    // InvalidParameterError, BadNameError, NotFoundError.
    virtual void load(const NodePtr& into, const LoadOptions& options) const = 0;
    // What messages call this source.
    virtual std::string describe() const = 0;

 protected:
    PolicySource() = default;
    PolicySource(const PolicySource&) = default;
    PolicySource& operator=(const PolicySource&) = default;
};

class PolicyString final : public PolicySource {
 public:
    explicit PolicyString(std::string data) : m_data(std::move(data)) {}
    void load(const NodePtr& into, const LoadOptions& options) const override;
    std::string describe() const override { return "<string>"; }
    const std::string& data() const noexcept { return m_data; }

 private:
    std::string m_data;
};

class PolicyFile : public PolicySource {
 public:
    explicit PolicyFile(std::string path) : m_path(std::move(path)) {}
    void load(const NodePtr& into, const LoadOptions& options) const override;
    std::string describe() const override { return m_path; }

    const std::string& path() const noexcept { return m_path; }
    // The text after the '@' that reads back to this reference.
    virtual std::string reference() const { return m_path; }
    // Whether the path stands by itself, so that a repository plays no role.
    virtual bool is_absolute() const { return !m_path.empty() && m_path.front() == '/'; }
    bool exists() const;
    virtual bool operator==(const PolicyFile& other) const;

 private:
    std::string m_path;
};

struct ProductParts {
    std::string product, repository, file;
};

// A file of an installed product. Its includes are looked up in the product's repository.
class ProductFile : public PolicyFile {
 public:
    void load(const NodePtr& into, const LoadOptions& options) const override;
    bool is_absolute() const override { return true; }

    const std::string& product() const noexcept { return m_parts.product; }
    const std::string& repository() const noexcept { return m_parts.repository; }
    const std::string& file() const noexcept { return m_parts.file; }
    const std::string& repository_path() const noexcept { return m_repository_path; }
    bool strict_loads() const noexcept { return m_strict_loads; }
    std::string reference() const override;
    bool operator==(const PolicyFile& other) const override;

 protected:
    ProductFile(ProductParts parts, bool strict_loads, const LoadOptions& options);

 private:
    ProductFile(ProductParts parts, std::string repository_path, bool strict_loads);

    ProductParts m_parts;
    std::string m_repository_path;
    bool m_strict_loads;
};

// <directory of the product>/<repository>/<file>. Errors of the constructor: NotFoundError.
class DefaultPolicyFile final : public ProductFile {
 public:
    DefaultPolicyFile(std::string product, std::string file, std::string repository, bool strict_loads,
                      const LoadOptions& options)
        : ProductFile({std::move(product), std::move(repository), std::move(file)}, strict_loads, options) {}
};

inline constexpr std::string_view URN_PREFIX = "urn:eupspkg:";
inline constexpr std::string_view URN_PREFIX_ABBREVIATED = "@";

// Takes "[@...][urn:eupspkg:]product[:repository]:path" apart; `strict` wants the prefix and at most one '@'.
// Errors: BadNameError.
ProductParts split_urn(std::string_view urn, bool strict, const Place& place = {});
// Whether the text, after any '@', starts with the prefix in any case.
bool has_urn_prefix(std::string_view text);
// The same with at most one '@' where strict; else a leading '@' is enough.
bool looks_like_urn(std::string_view text, bool strict);

// Errors of the constructor: BadNameError, NotFoundError.
class UrnPolicyFile final : public ProductFile {
 public:
    UrnPolicyFile(std::string urn, bool strict_urn, bool strict_loads, const LoadOptions& options);
    const std::string& urn() const noexcept { return m_urn; }

 private:
    std::string m_urn;
};

}  // namespace pex::policy
