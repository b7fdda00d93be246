// SPDX-License-Identifier: BSD-3-Clause
// Messages of the policy exceptions; their destructors live here so that each class has one identity.
#include "policy/error.hpp"

#include <algorithm>

#include "policy/utf8.hpp"

namespace pex::policy {

namespace {

constexpr std::size_t LONGEST_LINE = 160;
constexpr std::size_t LONGEST_CHAIN = 20;

std::string spot(const Place& place) {
    if (place.offset == NO_OFFSET) return place.source->name();
    const Position position = place.source->position(place.offset);
    return place.source->name() + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

// Control characters would move the cursor of a terminal, and bytes that are no UTF-8 would end in escapes of several
// columns: each is shown as one replacement character.
std::string visible(std::string_view text) {
    constexpr std::string_view REPLACEMENT = "\xEF\xBF\xBD";
    std::string shown;
    for (std::size_t at = 0; at < text.size(); at += step_length(text, at)) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const std::size_t length = utf8_length(text, at);
        const bool is_c1 = length == 2 && byte == 0xC2 && static_cast<unsigned char>(text[at + 1]) < 0xA0;
        const bool is_control = (byte < 0x20 && byte != '\t') || byte == 0x7F || is_c1;
        shown += length == 0 || is_control ? REPLACEMENT : text.substr(at, length);
    }
    return shown;
}

bool continues(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// The line and, below it, a caret under the place. Tabs stay tabs, so that the caret lines up.
std::string pointed_line(const Place& place) {
    const std::string& text = place.source->text();
    std::string_view line = place.source->line_at(place.offset);
    const std::size_t offset = std::min<std::size_t>(place.offset, text.size());
    std::size_t within = offset - std::min(offset, static_cast<std::size_t>(line.data() - text.data()));
    within = std::min(within, line.size());
    if (line.size() > LONGEST_LINE) {
        std::size_t begin = within > LONGEST_LINE / 2 ? within - LONGEST_LINE / 2 : 0;
        while (begin > 0 && continues(line[begin])) --begin;
        std::size_t length = std::min(LONGEST_LINE, line.size() - begin);
        while (begin + length < line.size() && continues(line[begin + length])) ++length;
        line = line.substr(begin, length);
        within -= begin;
    }
    std::string pad;
    for (std::size_t at = 0; at < within; at += step_length(line, at)) pad += line[at] == '\t' ? '\t' : ' ';
    return "\n    " + visible(line) + "\n    " + pad + "^";
}

std::string include_chain(const Place& place) {
    std::string text;
    std::size_t count = 0;
    const Source* source = place.source.get();
    while (source != nullptr && source->included_from().known()) {
        if (++count > LONGEST_CHAIN) return text + "\n  and so on";
        text += "\n  included from " + spot(source->included_from());
        source = source->included_from().source.get();
    }
    return text;
}

}  // namespace

std::string in_quotes(std::string_view text, std::size_t longest) {
    std::string result = "\"";
    if (text.size() <= longest) {
        result += visible(text);
    } else {
        std::size_t head = longest / 2;
        while (head > 0 && continues(text[head])) --head;
        std::size_t tail = text.size() - longest / 2;
        while (tail < text.size() && continues(text[tail])) ++tail;
        result += visible(text.substr(0, head));
        result += " ... ";
        result += visible(text.substr(tail));
    }
    result += '"';
    return result;
}

std::string render(const Report& report) {
    std::string text;
    if (report.place.known()) text = spot(report.place) + ": ";
    text += report.problem;
    if (!report.breadcrumb.empty()) text += "\n  in " + report.breadcrumb;
    if (report.place.known() && report.place.offset != NO_OFFSET) text += pointed_line(report.place);
    if (!report.expected.empty()) text += "\n  expected " + report.expected;
    if (!report.seen.empty()) text += (report.expected.empty() ? "\n  saw " : "; saw ") + report.seen;
    if (!report.suggestion.empty()) text += "\n  did you mean \"" + report.suggestion + "\"?";
    return text + include_chain(report.place);
}

Error::Error(Report report) : m_report(std::move(report)), m_text(render(m_report)) {}

Error::~Error() = default;
NameNotFound::~NameNotFound() = default;
TypeError::~TypeError() = default;
BadNameError::~BadNameError() = default;
DictionaryError::~DictionaryError() = default;
ParserError::~ParserError() = default;
CircularIncludeError::~CircularIncludeError() = default;
EofError::~EofError() = default;
SyntaxError::~SyntaxError() = default;
FormatSyntaxError::~FormatSyntaxError() = default;
UnsupportedSyntax::~UnsupportedSyntax() = default;
IoError::~IoError() = default;
NotFoundError::~NotFoundError() = default;
InvalidParameterError::~InvalidParameterError() = default;
LogicError::~LogicError() = default;
RuntimeError::~RuntimeError() = default;

}  // namespace pex::policy
