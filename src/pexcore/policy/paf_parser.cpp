// SPDX-License-Identifier: BSD-3-Clause
// The PAF grammar: one pass over the text, no recursion.
#include <cstring>
#include <tuple>
#include <utility>

#include "policy/name_path.hpp"
#include "policy/paf.hpp"
#include "policy/paf_find.hpp"
#include "policy/paf_number.hpp"
#include "policy/paf_scan.hpp"
#include "policy/tree_builder.hpp"

namespace pex::policy {

namespace {

template <class T>
constexpr const char* RANGE_OF = sizeof(T) == 4 ? " of 32 bits" : " of 64 bits";

constexpr std::string_view BYTE_ORDER_MARK = "\xEF\xBB\xBF";

// What stands at a place, for messages.
std::string seen_at(const char* at, const char* end) {
    if (at == end) return "the end of the input";
    if (at_line_end(at, end)) return "the end of the line";
    if (*at == '\r') return "a carriage return without a line feed";
    if (*at == '\f' || *at == '\v') return "a form feed or vertical tab";
    const char* after = at;
    while (after != end && !at_line_end(after, end) && (after == at || !is_blank(*after))) ++after;
    return in_quotes({at, static_cast<std::size_t>(after - at)});
}

std::string_view trimmed(const char* begin, const char* end) noexcept {
    while (begin != end && is_blank(*begin)) ++begin;
    while (end != begin && is_blank(end[-1])) --end;
    return {begin, static_cast<std::size_t>(end - begin)};
}

bool starts_with(const char* at, const char* end, std::string_view word) noexcept {
    return static_cast<std::size_t>(end - at) >= word.size() && std::memcmp(at, word.data(), word.size()) == 0;
}

class PafParser {
 public:
    PafParser(const std::shared_ptr<const Source>& source, const NodePtr& root, const LoadOptions& options)
        : m_source(source),
          m_options(options),
          m_tree(source, root, options.breadcrumb),
          m_begin(source->text().data()),
          m_end(m_begin + source->text().size()),
          m_at(m_begin) {
        if (starts_with(m_at, m_end, BYTE_ORDER_MARK)) m_at += BYTE_ORDER_MARK.size();
    }

    void run() {
        while (m_at != m_end) {
            if (m_options.strict) {
                parse_item();
            } else {
                parse_item_leniently();
            }
        }
        if (m_tree.has_open_block() && m_options.strict) {
            fail<FormatSyntaxError>(m_begin + m_tree.innermost_brace(), "this block is never closed",
                                    "a closing brace", "the end of the input");
        }
    }

 private:
    std::uint32_t offset_of(const char* at) const noexcept { return static_cast<std::uint32_t>(at - m_begin); }

    template <class E>
    [[noreturn]] void fail(const char* at, std::string problem, std::string expected, std::string seen,
                           std::string_view name = {}) const {
        Report report;
        report.problem = std::move(problem);
        report.place = {m_source, offset_of(at)};
        report.breadcrumb = m_tree.breadcrumb(name);
        report.expected = std::move(expected);
        report.seen = std::move(seen);
        throw E(std::move(report));
    }

    // --- lines ---

    // One comment, blank rest of a line, closing brace, or parameter with its line end left in place. The line end of
    // the item before goes with it.
    void parse_item() {
        const char* const at = skip_layout(*m_at == '\n' ? m_at + 1 : m_at, m_end);
        m_at = at;
        if (at == m_end) return;
        if (is_name_start(*at)) return parse_parameter();
        if (*at == '#') return skip_comment();
        if (at_line_end(at, m_end)) return skip_line_end();
        if (*at != '}') return refuse_line(at);
        if (!m_tree.close()) {
            fail<FormatSyntaxError>(at, "this closing brace closes nothing; text that holds a brace must be quoted",
                                    "a parameter or the end of the input", seen_at(at, m_end));
        }
        ++m_at;
    }

    void parse_item_leniently() {
        try {
            parse_item();
        } catch (const Error&) {
            if (m_at != m_end) skip_rest_of_line();
        }
    }

    void skip_rest_of_line() {
        const void* newline = std::memchr(m_at, '\n', static_cast<std::size_t>(m_end - m_at));
        m_at = newline == nullptr ? m_end : static_cast<const char*>(newline) + 1;
    }
    void skip_comment() { skip_rest_of_line(); }
    void skip_line_end() { m_at += *m_at == '\r' ? 2 : 1; }

    [[noreturn]] void refuse_line(const char* at) const {
        const char* problem = *at == '{'   ? "an opening brace must stand on the line of its parameter, behind the "
                                             "colon; repeat the name for another block"
                              : *at == '.' ? "bad parameter name: it starts with a dot"
                                           : "bad parameter name";
        fail<FormatSyntaxError>(at, problem, "a parameter (name: value), a comment or a closing brace",
                                seen_at(at, m_end));
    }

    // --- parameters ---

    void parse_parameter() {
        const char* const start = m_at;
        const char* at = skip_name(start, m_end);
        const bool is_dotted = *at == '.';
        if (is_dotted) at = skip(at, NAME);
        const std::string_view text{start, static_cast<std::size_t>(at - start)};
        const ParsedName name{text, offset_of(start), is_dotted ? field_count(text) : 1};
        const char* const colon = skip(at, BLANK);
        if (colon == m_end || *colon != ':') {
            std::string problem = "bad parameter name: no colon follows " + in_quotes(name.text);
            if (*colon == '-') problem += "; a name holds no '-'";
            fail<FormatSyntaxError>(colon, std::move(problem), "a name of letters, digits, '_' and '.', then ':'",
                                    seen_at(colon, m_end));
        }
        if (is_dotted && (text.back() == '.' || text.find("..") != std::string_view::npos)) {
            fail<FormatSyntaxError>(start, "bad parameter name: a field of " + in_quotes(name.text) + " is empty",
                                    "non-empty fields joined by single dots", in_quotes(name.text));
        }
        m_at = skip(colon + 1, BLANK);
        parse_value(name);
    }

    // The first pattern that matches the beginning of the text decides.
    void parse_value(const ParsedName& name) {
        if (at_line_end(m_at, m_end)) return;
        switch (*m_at) {
            case '#':
            case '}': return;
            case '{': return open_block(name);
            case '"':
            case '\'': return parse_strings(name);
            case '@': return parse_include(name);
            default: break;
        }
        if (is_a(*m_at, NUMBER_START)) {
            const NumberToken token = scan_number(m_at, m_end);
            if (token.kind == NumberKind::DOUBLE)
                return parse_numbers<double, NumberKind::DOUBLE>(name, token, "a double", double_value);
            if (token.kind == NumberKind::INT)
                return parse_numbers<std::int32_t, NumberKind::INT>(name, token, "an integer", int_value);
        }
        if (at_bool(m_at)) return parse_bools(name);
        parse_bare_string(name);
    }

    void open_block(const ParsedName& name) {
        const std::uint32_t brace = offset_of(m_at);
        ++m_at;
        try {
            m_tree.open(name, brace);
        } catch (const Error&) {
            if (m_options.strict) throw;
            m_tree.open_detached(name, brace);
        }
    }

    // --- arrays ---

    // Steps over the blanks behind an element. True where another element follows.
    bool another_element(const ParsedName& name, const char* kind) {
        if (!at_value_end(m_at, m_end)) {
            // Quoted strings alone may touch each other.
            const bool adjacent = (m_at[-1] == '"' || m_at[-1] == '\'') && (*m_at == '"' || *m_at == '\'');
            if (!adjacent) refuse_element(name, kind);
        }
        m_at = skip(m_at, BLANK);
        return !at_value_end(m_at, m_end);
    }

    [[noreturn]] void refuse_element(const ParsedName& name, const char* kind) const {
        fail<FormatSyntaxError>(
            m_at, std::string("this cannot follow ") + kind + "; " + advice_on_element(),
            std::string("a blank and ") + kind + ", a comment, a closing brace or the end of the line",
            seen_at(m_at, m_end), name.text);
    }

    // What to do about the text here, which does not continue the row of elements before it.
    const char* advice_on_element() const {
        if (*m_at == ',') return "blanks separate elements, not commas; quote the whole value if it is text";
        const bool after_quote = m_at[-1] == '"' || m_at[-1] == '\'';
        if (after_quote && m_at[-2] == '\\')
            return "there are no escapes: enclose the text in the other kind of quotes";
        const bool after_blank = is_blank(m_at[-1]);
        const NumberToken number = scan_number(m_at, m_end);
        if (after_blank && number.kind != NumberKind::NONE && at_value_end(number.end, m_end))
            return "the numbers of a row are all integers or all have a point, as in 34.0";
        if (after_blank && *skip(skip(m_at, NAME), BLANK) == ':')
            return "each parameter stands on a line of its own; quote the whole value if it is text";
        return "quote the whole value if it is text";
    }

    [[noreturn]] void refuse_number(const ParsedName& name, const char* after, std::string range) const {
        const char* cure = range.ends_with("32 bits") ? "write it with a point, or quote it" : "quote it if it is text";
        fail<UnsupportedSyntax>(m_at, std::string("this number is out of range; ") + cure,
                                std::move(range),
                                in_quotes({m_at, static_cast<std::size_t>(after - m_at)}), name.text);
    }

    // Elements of one kind to the end of the value; `element` reads one and steps over it.
    template <class T, class Element>
    void parse_array(const ParsedName& name, const char* kind, const Element& element) {
        const std::uint32_t offset = offset_of(m_at);
        T first = element();
        if (!another_element(name, kind)) return add_one(name, std::move(first), offset);
        SmallArray<T>& values = std::get<SmallArray<T>>(m_scratch);
        values.forget();
        values.push_back(std::move(first));
        m_offsets.forget();
        m_offsets.push_back(offset);
        do {
            m_offsets.push_back(offset_of(m_at));
            values.push_back(element());
        } while (another_element(name, kind));
        m_tree.add(name, values.move_packed(m_source->memory()), m_offsets.move_packed(m_source->memory()));
    }

    // A row of numbers whose first is scanned already; `value_of` turns a token into a value.
    template <class T, NumberKind KIND, class ValueOf>
    void parse_numbers(const ParsedName& name, NumberToken token, const char* kind, const ValueOf& value_of) {
        parse_array<T>(name, kind, [&] {
            if (token.begin != m_at) token = scan_number(m_at, m_end);
            if (token.kind != KIND) refuse_element(name, kind);
            T value{};
            if (!value_of(token, value)) refuse_number(name, token.end, std::string(kind) + RANGE_OF<T>);
            m_at = token.end;
            return value;
        });
    }

    bool at_true(const char* at) const noexcept {
        return starts_with(at, m_end, "true") || starts_with(at, m_end, "True");
    }
    bool at_false(const char* at) const noexcept {
        return starts_with(at, m_end, "false") || starts_with(at, m_end, "False");
    }
    bool at_bool(const char* at) const noexcept {
        return (*at == 't' || *at == 'T' || *at == 'f' || *at == 'F') && (at_true(at) || at_false(at));
    }

    void parse_bools(const ParsedName& name) {
        parse_array<bool>(name, "a boolean", [&] {
            const bool value = at_true(m_at);
            if (!value && !at_false(m_at)) refuse_element(name, "a boolean");
            m_at += value ? 4 : 5;
            return value;
        });
    }

    // --- strings ---

    void parse_strings(const ParsedName& name) {
        parse_array<StringValue>(name, "a quoted string", [&] {
            if (*m_at != '"' && *m_at != '\'') refuse_element(name, "a quoted string");
            return quoted_string(name);
        });
    }

    StringValue quoted_string(const ParsedName& name) {
        const char* const begin = m_at + 1;
        const char* const near = find_quote_or_newline(begin, m_end, *m_at);
        if (near != m_end && *near != '\n') {
            m_at = near + 1;
            return StringValue::viewing({begin, static_cast<std::size_t>(near - begin)});
        }
        const void* found = std::memchr(begin, *m_at, static_cast<std::size_t>(m_end - begin));
        if (found == nullptr) {
            const std::string quote(1, *m_at);
            const char* const open = std::exchange(m_at, m_end);
            fail<EofError>(open, "this quoted string is never closed", "a closing " + quote, "the end of the input",
                           name.text);
        }
        const char* const close = static_cast<const char*>(found);
        m_at = close + 1;
        return unfolded(begin, close);
    }

    // Joins the lines of a quoted string: each line end becomes one blank, blanks around it are dropped.
    static StringValue unfolded(const char* at, const char* close) {
        std::string text;
        while (true) {
            const void* found = std::memchr(at, '\n', static_cast<std::size_t>(close - at));
            if (found == nullptr) return StringValue(text.append(at, close));
            const char* const newline = static_cast<const char*>(found);
            const char* line_end = newline != at && newline[-1] == '\r' ? newline - 1 : newline;
            while (line_end != at && is_blank(line_end[-1])) --line_end;
            text.append(at, line_end);
            text += ' ';
            at = skip_blanks(newline + 1, close);
        }
    }

    // Whether what may end a bare string does: carriage returns and NULs alone do not.
    bool ends_bare_text() const noexcept { return *m_at == '#' || *m_at == '}' || at_line_end(m_at, m_end); }

    // The text up to a comment, a closing brace or the line end, without the blanks around it.
    std::string_view bare_text() {
        const char* const begin = m_at;
        m_at = find_end_of_bare(m_at, m_end);
        while (!ends_bare_text()) m_at = find_end_of_bare(m_at + 1, m_end);
        return trimmed(begin, m_at);
    }

    void parse_bare_string(const ParsedName& name) {
        const std::uint32_t offset = offset_of(m_at);
        add_one(name, StringValue::viewing(bare_text()), offset);
    }

    void parse_include(const ParsedName& name) {
        const char* const start = m_at++;
        const std::string_view reference = bare_text();
        if (reference.empty()) {
            fail<FormatSyntaxError>(start, "this include names no file", "a path behind the '@'",
                                    seen_at(m_at, m_end), name.text);
        }
        add_one(name, file_reference(reference, start, name), offset_of(start));
    }

    FilePtr file_reference(std::string_view reference, const char* at, const ParsedName& name) const {
        if (!looks_like_urn(reference, false)) return std::make_shared<PolicyFile>(std::string(reference));
        LoadOptions options = m_options;
        options.included_from = {m_source, offset_of(at)};
        options.breadcrumb = m_tree.breadcrumb(name.text);
        return std::make_shared<UrnPolicyFile>(std::string(reference), false, m_options.strict, options);
    }

    template <class T>
    void add_one(const ParsedName& name, T value, std::uint32_t offset) {
        m_tree.add_one(name, std::move(value), offset);
    }

    std::shared_ptr<const Source> m_source;
    const LoadOptions& m_options;
    TreeBuilder m_tree;
    const char* m_begin;
    const char* m_end;
    const char* m_at;
    // The elements of the array being read.
    std::tuple<SmallArray<bool>, SmallArray<std::int32_t>, SmallArray<double>, SmallArray<StringValue>> m_scratch;
    SmallArray<std::uint32_t> m_offsets;
};

}  // namespace

void parse_paf(const std::shared_ptr<const Source>& source, const NodePtr& into, const LoadOptions& options) {
    if (!into->opened().known()) into->set_opened({source, NO_OFFSET});
    PafParser(source, into, options).run();
}

std::shared_ptr<Policy> parse_paf_file(const std::string& path, const LoadOptions& options) {
    auto policy = std::make_shared<Policy>();
    parse_paf(read_source(path, options), policy->node(), options);
    return policy;
}

std::shared_ptr<Policy> parse_paf_string(std::string text, std::string name, const LoadOptions& options) {
    auto policy = std::make_shared<Policy>();
    parse_paf(std::make_shared<Source>(std::move(name), std::move(text), "", options.included_from), policy->node(),
              options);
    return policy;
}

}  // namespace pex::policy
