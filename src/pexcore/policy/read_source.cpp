// SPDX-License-Identifier: BSD-3-Clause
// Reads files into memory, recognises PAF, and notices includes that go round in a circle.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "policy/char_class.hpp"
#include "policy/error.hpp"
#include "policy/loading.hpp"
#include "policy/policy_file.hpp"

namespace pex::policy {

namespace {

[[noreturn]] void fail_io(const std::string& path, int error, const LoadOptions& options) {
    Report report;
    report.problem =
        "cannot read the policy file " + in_quotes(path, LONGEST_PATH) + ": " + std::generic_category().message(error);
    report.place = options.included_from;
    report.breadcrumb = options.breadcrumb;
    report.system_error = error;
    report.path = path;
    throw IoError(std::move(report));
}

std::string read_text(const std::string& path, const LoadOptions& options) {
    errno = 0;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (file == nullptr) fail_io(path, errno, options);
    // The text is read in one piece, into its place: a buffer between would be a copy more. Where there is one all the
    // same, nothing is lost.
    std::setvbuf(file.get(), nullptr, _IONBF, 0);
    std::error_code size_unknown;
    const auto size = std::filesystem::file_size(path, size_unknown);
    // One byte more than needed, so that the first read already meets the end.
    std::string text(size_unknown ? std::size_t{1} << 16 : static_cast<std::size_t>(size) + 1, '\0');
    std::size_t used = 0;
    while (true) {
        errno = 0;
        const std::size_t got = std::fread(text.data() + used, 1, text.size() - used, file.get());
        used += got;
        if (std::ferror(file.get()) != 0) fail_io(path, errno, options);
        if (std::feof(file.get()) != 0) break;
        if (used == text.size()) text.resize(text.size() * 2);
    }
    text.resize(used);
    return text;
}

[[noreturn]] void fail_circle(std::string problem, std::string expected, const LoadOptions& options) {
    Report report;
    report.problem = std::move(problem);
    report.place = options.included_from;
    report.breadcrumb = options.breadcrumb;
    report.expected = std::move(expected);
    throw CircularIncludeError(std::move(report));
}

// Errors: CircularIncludeError where the file is one of those that led to this include.
void refuse_circle(const std::string& path, const std::string& identity, const LoadOptions& options) {
    std::size_t depth = 0;
    for (const Source* source = options.included_from.source.get(); source != nullptr;
         source = source->included_from().source.get()) {
        if (source->path() == identity) {
            fail_circle("includes go round in a circle: " + in_quotes(path) + " is already being read",
                        "files that do not include themselves, directly or through others", options);
        }
        if (++depth == MAX_INCLUDE_DEPTH) {
            fail_circle("includes nest too deep: do they go round in a circle?",
                        "at most " + std::to_string(MAX_INCLUDE_DEPTH) + " files including each other", options);
        }
    }
}

// Whether a comment line is a content identifier, "#<?cfg paf ...?>", and if so whether it says PAF.
enum class Identifier { NONE, PAF, OTHER };

Identifier identifier_in(std::string_view line) {
    const std::size_t mark = line.find_first_not_of(" \t", 1);
    constexpr std::string_view OPENING = "<?cfg";
    if (mark == std::string_view::npos || line.substr(mark, OPENING.size()) != OPENING) return Identifier::NONE;
    const std::size_t word = line.find_first_not_of(" \t", mark + OPENING.size());
    if (word == std::string_view::npos || word == mark + OPENING.size() ||
        line.find("?>", word) == std::string_view::npos) {
        return Identifier::NONE;
    }
    const std::string_view format =
        line.substr(word, std::min(line.find_first_of(" \t?", word), line.size()) - word);
    const bool paf =
        format.size() == 3 && (format[0] | 0x20) == 'p' && (format[1] | 0x20) == 'a' && (format[2] | 0x20) == 'f';
    return paf ? Identifier::PAF : Identifier::OTHER;
}

bool ends_with(std::string_view text, std::string_view tail) noexcept {
    return text.size() >= tail.size() && text.substr(text.size() - tail.size()) == tail;
}

template <class E>
[[noreturn]] void refuse_format(const Place& place, const LoadOptions& options) {
    Report report;
    report.problem = "unknown format: this is no policy text";
    report.place = place;
    report.breadcrumb = options.breadcrumb;
    report.expected =
        "PAF: lines such as \"name: value\", in a file called *.paf or after a line \"#<?cfg paf policy ?>\"";
    if (options.foreign) report.expected += "; or JSON in *.json, or TOML in *.toml";
    throw E(std::move(report));
}

}  // namespace

FormatVerdict recognise_format(std::string_view text) {
    using Format = FormatVerdict::Format;
    std::size_t begin = text.substr(0, 3) == "\xEF\xBB\xBF" ? 3 : 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        const std::size_t first = line.find_first_not_of(" \t\r\f\v");
        const std::size_t at = begin + std::min(first, line.size());
        begin = end + 1;
        if (first == std::string_view::npos) continue;
        if (line[first] != '#') return {is_name_start(line[first]) ? Format::PAF : Format::OTHER, at};
        const Identifier identifier = identifier_in(line.substr(first));
        if (identifier != Identifier::NONE)
            return {identifier == Identifier::PAF ? Format::PAF : Format::OTHER, at};
    }
    return {Format::UNDECIDED, text.size()};
}

bool is_named_paf(const Source& source) {
    return ends_with(source.path(), ".paf") || ends_with(source.name(), ".paf");
}

bool begins_like_paf(const std::string& text) {
    const FormatVerdict verdict = recognise_format(text);
    if (verdict.format != FormatVerdict::Format::PAF) return false;
    if (text[verdict.decided_at] == '#') return true;
    return *skip(skip(text.data() + verdict.decided_at, NAME), BLANK) == ':';
}

void require_paf(const std::shared_ptr<const Source>& source, const LoadOptions& options) {
    if (is_named_paf(*source)) return;
    if (ends_with(source->name(), ".xml")) refuse_format<ParserError>({source, NO_OFFSET}, options);
    const FormatVerdict verdict = recognise_format(source->text());
    if (verdict.format != FormatVerdict::Format::OTHER) return;
    refuse_format<FormatSyntaxError>({source, static_cast<std::uint32_t>(verdict.decided_at)}, options);
}

std::string product_directory(std::string_view product, const LoadOptions& options) {
    Report report;
    report.problem = "the directory of product " + in_quotes(product) + " is not known";
    report.expected = "a resolver of product names, which this program did not give";
    if (options.products) {
        try {
            return options.products(product);
        } catch (const NotFoundError& error) {
            // The resolver knows what it looked for, but not who asked.
            report.problem = error.report().problem;
            report.expected = error.report().expected;
        }
    }
    report.place = options.included_from;
    report.breadcrumb = options.breadcrumb;
    throw NotFoundError(std::move(report));
}

std::shared_ptr<const Source> read_source(const std::string& path, const LoadOptions& options) {
    std::error_code unresolved;
    std::string identity = std::filesystem::weakly_canonical(path, unresolved).string();
    if (unresolved) identity = path;
    refuse_circle(path, identity, options);
    std::string text = read_text(path, options);
    return std::make_shared<Source>(path, std::move(text), std::move(identity), options.included_from);
}

}  // namespace pex::policy
