// SPDX-License-Identifier: BSD-3-Clause
// The exceptions of the policy room. Each says what failed, where, what was expected and what was seen.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "policy/source.hpp"

namespace pex::policy {

// What an error has to tell. Only `problem` is required; the rest is left empty where it does not apply.
struct Report {
    std::string problem;
    Place place = {};
    std::string breadcrumb = {};  // such as "appStage[2].stagePolicy"; subscripts count from 0
    std::string expected = {};
    std::string seen = {};
    std::string suggestion = {};  // a valid name close to an unknown one
    int system_error = 0;         // errno of the call that failed
    std::string path = {};        // the file that could not be read
};

// The message for people: place, problem, the line with a caret under the place, expected, seen, include chain.
std::string render(const Report& report);

inline constexpr std::size_t LONGEST_QUOTE = 60;
// Paths are shown whole: a shortened one finds no file.
inline constexpr std::size_t LONGEST_PATH = 4096;

// The text in double quotes, on one line, shortened in its middle where it is longer than that.
std::string in_quotes(std::string_view text, std::size_t longest = LONGEST_QUOTE);

class Error : public std::exception {
 public:
    explicit Error(Report report);
    Error(const Error&) = default;
    Error& operator=(const Error&) = default;
    ~Error() override;

    const char* what() const noexcept override { return m_text.c_str(); }
    const Report& report() const noexcept { return m_report; }

 private:
    Report m_report;
    std::string m_text;
};

// No such parameter.
class NameNotFound : public Error {
 public:
    using Error::Error;
    ~NameNotFound() override;
};

// The parameter has another type than the one asked for.
class TypeError : public Error {
 public:
    using Error::Error;
    ~TypeError() override;
};

// An illegal name, a bad URN, an unknown type name.
class BadNameError : public Error {
 public:
    using Error::Error;
    ~BadNameError() override;
};

// A malformed dictionary, or none where one is needed.
class DictionaryError : public Error {
 public:
    using Error::Error;
    ~DictionaryError() override;
};

class ParserError : public Error {
 public:
    using Error::Error;
    ~ParserError() override;
};

// A file includes itself, directly or through others.
class CircularIncludeError : public ParserError {
 public:
    using ParserError::ParserError;
    ~CircularIncludeError() override;
};

// The input ended inside a quoted string.
class EofError : public ParserError {
 public:
    using ParserError::ParserError;
    ~EofError() override;
};

class SyntaxError : public ParserError {
 public:
    using ParserError::ParserError;
    ~SyntaxError() override;
};

class FormatSyntaxError : public SyntaxError {
 public:
    using SyntaxError::SyntaxError;
    ~FormatSyntaxError() override;
};

// Well-formed, but beyond what a value can hold: integers outside 32 bits, doubles that overflow.
class UnsupportedSyntax : public SyntaxError {
 public:
    using SyntaxError::SyntaxError;
    ~UnsupportedSyntax() override;
};

// A file cannot be read or written.
class IoError : public Error {
 public:
    using Error::Error;
    ~IoError() override;
};

// The directory of a product cannot be found.
class NotFoundError : public Error {
 public:
    using Error::Error;
    ~NotFoundError() override;
};

// A name below something that is not a policy, or a policy put inside itself.
class InvalidParameterError : public Error {
 public:
    using Error::Error;
    ~InvalidParameterError() override;
};

// The call makes no sense in the present state.
class LogicError : public Error {
 public:
    using Error::Error;
    ~LogicError() override;
};

// The operation failed for a reason that has no class of its own.
class RuntimeError : public Error {
 public:
    using Error::Error;
    ~RuntimeError() override;
};

}  // namespace pex::policy
