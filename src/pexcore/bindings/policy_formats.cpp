// SPDX-License-Identifier: BSD-3-Clause
// Asks the registry of formats, and turns its answers into trees and errors with places.
#include "policy_formats.hpp"

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "policy/error.hpp"
#include "policy/name_path.hpp"
#include "policy/policy.hpp"
#include "policy/tree_builder.hpp"
#include "policy_convert.hpp"

namespace pex::bindings {

using policy::FilePtr;
using policy::NodePtr;
using policy::ParsedName;
using policy::Report;
using policy::SmallArray;
using policy::Source;

namespace {

using SourcePtr = std::shared_ptr<const Source>;
using Offsets = SmallArray<std::uint32_t>;

py::module_ registry() { return py::module_::import("harness.policy.formats"); }

// By what names a text is known: as it was asked for, and with links resolved.
py::tuple names_of(const Source& source) { return py::make_tuple(to_py(source.name()), to_py(source.path())); }

// --- refusals ---

[[noreturn]] void throw_as(const std::string& kind, Report report) {
    if (kind == "FormatSyntaxError") throw policy::FormatSyntaxError(std::move(report));
    if (kind == "EOFError") throw policy::EofError(std::move(report));
    if (kind == "UnsupportedSyntax") throw policy::UnsupportedSyntax(std::move(report));
    if (kind == "SyntaxError") throw policy::SyntaxError(std::move(report));
    if (kind == "ParserError") throw policy::ParserError(std::move(report));
    throw policy::RuntimeError(std::move(report));
}

[[noreturn]] void refuse(const py::object& refusal, const SourcePtr& source, const policy::LoadOptions& options) {
    Report report;
    report.problem = from_py(refusal.attr("problem"));
    const py::object offset = refusal.attr("offset");
    report.place = {source, offset.is_none() ? policy::NO_OFFSET : offset.cast<std::uint32_t>()};
    report.breadcrumb = policy::join_names(options.breadcrumb, from_py(refusal.attr("breadcrumb")));
    report.expected = from_py(refusal.attr("expected"));
    report.seen = from_py(refusal.attr("seen"));
    throw_as(from_py(refusal.attr("kind")), std::move(report));
}

// --- events ---

// Feeds a builder with what harness.policy.foreign.events lists: (name, offset, brace) opens a block, None closes it,
// (name, offset, values, offsets, are_includes) gives values. Lifetime: names are views of the str in the events.
class EventFeed {
 public:
    EventFeed(const SourcePtr& source, const NodePtr& into, const policy::LoadOptions& options)
        : m_source(source), m_options(options), m_tree(source, into, options.breadcrumb) {}

    void take(const py::list& events) {
        for (const py::handle event : events) {
            if (event.is_none()) {
                m_tree.close();
            } else {
                take(py::reinterpret_borrow<py::tuple>(event));
            }
        }
    }

 private:
    void take(const py::tuple& event) {
        const auto text = event[0].cast<std::string_view>();
        const ParsedName name{text, event[1].cast<std::uint32_t>(), policy::field_count(text)};
        if (event.size() == 3) {
            m_tree.open(name, event[2].cast<std::uint32_t>());
            return;
        }
        Offsets offsets;
        for (const py::handle offset : event[3].cast<py::list>()) offsets.push_back(offset.cast<std::uint32_t>());
        if (event[4].cast<bool>()) {
            m_tree.add(name, files(name, event[2], offsets), std::move(offsets));
        } else {
            add(name, values_from_py(event[2], name.text), std::move(offsets));
        }
    }

    void add(const ParsedName& name, policy::Values values, Offsets offsets) {
        std::visit(
            [&](auto& array) {
                using Array = std::decay_t<decltype(array)>;
                if constexpr (!std::is_same_v<Array, std::monostate>)
                    m_tree.add(name, std::move(array), std::move(offsets));
            },
            values);
    }

    SmallArray<FilePtr> files(const ParsedName& name, const py::list& references, const Offsets& offsets) const {
        SmallArray<FilePtr> files;
        for (const py::handle reference : references)
            files.push_back(file(name, from_py(reference), offsets[files.size()]));
        return files;
    }

    FilePtr file(const ParsedName& name, std::string reference, std::uint32_t offset) const {
        if (!policy::looks_like_urn(reference, false)) return std::make_shared<policy::PolicyFile>(reference);
        policy::LoadOptions options = m_options;
        options.included_from = {m_source, offset};
        options.breadcrumb = m_tree.breadcrumb(name.text);
        return std::make_shared<policy::UrnPolicyFile>(std::move(reference), false, m_options.strict, options);
    }

    SourcePtr m_source;
    const policy::LoadOptions& m_options;
    policy::TreeBuilder m_tree;
};

// The parser of a user's format made a policy of its own: its values have no places.
void add_contents(const policy::Policy& made, const NodePtr& into, const policy::LoadOptions& options) {
    policy::Policy target(into, options.breadcrumb);
    // A parser may hand out one policy twice.
    const policy::PolicyPtr own = made.deep_copy();
    own->node()->for_each([&](policy::Entry& entry) { target.add_values(entry.name, std::move(entry.values)); });
}

}  // namespace

bool load_registered_format(const SourcePtr& source, const NodePtr& into, const policy::LoadOptions& options) {
    // Text without a path that begins like a parameter, or says that it is PAF, is that in any case: the registry is
    // spared a copy of it.
    if (source->path().empty() && policy::begins_like_paf(source->text())) return false;
    const py::module_ formats = registry();
    const py::object answer = formats.attr("read_foreign")(names_of(*source), py::bytes(source->text()));
    if (answer.is_none()) return false;
    if (py::isinstance(answer, formats.attr("Refusal"))) refuse(answer, source, options);
    if (!into->opened().known()) into->set_opened({source, policy::NO_OFFSET});
    if (py::isinstance<policy::Policy>(answer)) {
        add_contents(answer.cast<const policy::Policy&>(), into, options);
    } else {
        EventFeed(source, into, options).take(answer.cast<py::list>());
    }
    return true;
}

std::string format_name(const policy::PolicySource& source) {
    const py::object name_of = registry().attr("format_name");
    const auto* file = dynamic_cast<const policy::PolicyFile*>(&source);
    const auto* text = dynamic_cast<const policy::PolicyString*>(&source);
    py::object name;
    if (text != nullptr) {
        name = name_of(py::make_tuple(), py::bytes(text->data()));
    } else if (file != nullptr) {
        name = name_of(py::make_tuple(to_py(file->path())), py::none());
        if (name.is_none()) {
            const SourcePtr content = policy::read_source(file->path(), {});
            name = name_of(names_of(*content), py::bytes(content->text()));
        }
    }
    return from_py(name);
}

}  // namespace pex::bindings
