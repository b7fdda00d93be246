// SPDX-License-Identifier: BSD-3-Clause
// The one place where policy exceptions cross into Python.
#include "policy_errors.hpp"

#include <exception>

#include "policy_convert.hpp"

namespace pex::bindings {

namespace {

const char* class_of(const policy::Error& error) noexcept {
    const auto is = [&]<class E>(const E*) { return dynamic_cast<const E*>(&error) != nullptr; };
    // Derived classes before their bases.
    if (is(static_cast<const policy::EofError*>(nullptr))) return "EOFError";
    if (is(static_cast<const policy::FormatSyntaxError*>(nullptr))) return "FormatSyntaxError";
    if (is(static_cast<const policy::UnsupportedSyntax*>(nullptr))) return "UnsupportedSyntax";
    if (is(static_cast<const policy::SyntaxError*>(nullptr))) return "SyntaxError";
    if (is(static_cast<const policy::ParserError*>(nullptr))) return "ParserError";
    if (is(static_cast<const policy::NameNotFound*>(nullptr))) return "NameNotFound";
    if (is(static_cast<const policy::TypeError*>(nullptr))) return "TypeError";
    if (is(static_cast<const policy::BadNameError*>(nullptr))) return "BadNameError";
    if (is(static_cast<const policy::DictionaryError*>(nullptr))) return "DictionaryError";
    if (is(static_cast<const policy::IoError*>(nullptr))) return "IoError";
    if (is(static_cast<const policy::NotFoundError*>(nullptr))) return "NotFoundError";
    if (is(static_cast<const policy::InvalidParameterError*>(nullptr))) return "InvalidParameterError";
    if (is(static_cast<const policy::LogicError*>(nullptr))) return "LogicError";
    return "RuntimeError";
}

py::list chain_of(const policy::Place& place) {
    py::list chain;
    for (policy::Place link = place.source->included_from(); link.known(); link = link.source->included_from()) {
        const policy::Position position = link.source->position(link.offset);
        chain.append(py::make_tuple(to_py(link.source->name()), position.line, position.column));
    }
    return chain;
}

py::dict fields_of(const policy::Report& report) {
    py::dict fields = place_fields(report.place);
    fields["problem"] = to_py(report.problem);
    fields["breadcrumb"] = to_py(report.breadcrumb);
    fields["expected"] = to_py(report.expected);
    fields["seen"] = to_py(report.seen);
    fields["suggestion"] = to_py(report.suggestion);
    if (report.system_error != 0) fields["errno"] = report.system_error;
    if (!report.path.empty()) fields["filename"] = to_py(report.path);
    return fields;
}

py::object error_class(const char* name) { return py::module_::import("harness.policy").attr(name); }

void raise(const policy::Error& error) {
    const py::object cls = error_class(class_of(error));
    // what() would end at a NUL that a text holds.
    const py::object raised = cls(to_py(render(error.report())));
    for (const auto& [name, value] : fields_of(error.report())) py::setattr(raised, name, value);
    PyErr_SetObject(cls.ptr(), raised.ptr());
}

void raise_validation(const policy::ValidationError& error) {
    const py::object cls = error_class("ValidationError");
    const py::object raised = cls(to_py(error.heading()));
    add_issues(raised, error.issues());
    PyErr_SetObject(cls.ptr(), raised.ptr());
}

}  // namespace

py::dict place_fields(const policy::Place& place) {
    py::dict fields;
    if (!place.known()) return fields;
    fields["file"] = to_py(place.source->name());
    fields["chain"] = chain_of(place);
    if (place.offset == policy::NO_OFFSET) return fields;
    const policy::Position position = place.source->position(place.offset);
    fields["line"] = position.line;
    fields["column"] = position.column;
    fields["source_line"] = to_py(place.source->line_at(place.offset));
    return fields;
}

void add_issues(const py::object& errors, const policy::Issues& issues) {
    for (const auto& [name, list] : issues.by_name()) {
        for (const policy::Issue& issue : list) {
            errors.attr("addError")(to_py(name), issue.bit, to_py(render(issue.report)), fields_of(issue.report));
        }
    }
}

void warn_in_python(const policy::Report& report) {
    const py::object category = error_class("DictionaryWarning");
    if (PyErr_WarnEx(category.ptr(), render(report).c_str(), 1) != 0) throw py::error_already_set();
}

void register_policy_errors() {
    py::register_local_exception_translator([](std::exception_ptr pointer) {
        try {
            if (pointer) std::rethrow_exception(pointer);
        } catch (const policy::ValidationError& error) {
            raise_validation(error);
        } catch (const policy::Error& error) {
            raise(error);
        }
    });
}

}  // namespace pex::bindings
