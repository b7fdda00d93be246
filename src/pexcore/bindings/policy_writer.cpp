// SPDX-License-Identifier: BSD-3-Clause
// Python face of writing PAF, to memory or to a file.
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>

#include "policy/paf_writer.hpp"
#include "policy_bind.hpp"
#include "policy_convert.hpp"

namespace pex::bindings {

using policy::Policy;
using policy::ValueType;

namespace {

// Text that a writer adds to, and others look at.
class StringDestination {
 public:
    explicit StringDestination(std::string initial) : m_data(std::move(initial)) {}
    const std::string& data() const noexcept { return m_data; }
    void append(const std::string& text) { m_data += text; }

 private:
    std::string m_data;
};

// Each call writes all of its text or, where it raises, nothing of it; what was written to a file is there at once.
class Writer {
 public:
    explicit Writer(std::shared_ptr<StringDestination> destination) : m_destination(std::move(destination)) {}
    explicit Writer(std::string path)
        : m_path(std::move(path)), m_file(std::fopen(m_path.c_str(), "wb"), &std::fclose) {
        if (m_file == nullptr) fail("cannot be opened for writing", errno);
    }

    void append(const std::string& text) {
        if (m_destination != nullptr) return m_destination->append(text);
        if (m_file == nullptr) fail("was closed", 0);
        errno = 0;
        const bool written = std::fwrite(text.data(), 1, text.size(), m_file.get()) == text.size();
        if (!written || std::fflush(m_file.get()) != 0) fail("cannot be written", errno);
    }

    std::string text() const { return m_destination == nullptr ? std::string() : m_destination->data(); }

    void close() {
        if (m_file == nullptr) return;
        errno = 0;
        if (std::fclose(m_file.release()) != 0) fail("cannot be written", errno);
    }

 private:
    [[noreturn]] void fail(const std::string& problem, int error) const {
        policy::Report report;
        report.problem = "the policy file " + policy::in_quotes(m_path) + " " + problem;
        if (error != 0) report.problem.append(": ").append(std::generic_category().message(error));
        report.system_error = error;
        report.path = m_path;
        throw policy::IoError(std::move(report));
    }

    std::shared_ptr<StringDestination> m_destination;
    std::string m_path;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> m_file{nullptr, &std::fclose};
};

// Values of one type under one name. A single value counts as an array of one.
template <ValueType TYPE>
void write_values(Writer& self, const std::string& name, const py::object& values) {
    const policy::Values converted = values_from_py(values, name);
    const auto type = static_cast<ValueType>(converted.index());
    if (type != TYPE) {
        policy::Report report;
        report.problem = "parameter " + policy::in_quotes(name) + " cannot be written";
        report.expected = "values of type " + std::string(policy::type_name(TYPE));
        report.seen = std::string(policy::type_name(type));
        throw policy::TypeError(std::move(report));
    }
    self.append(policy::paf_lines(name, converted));
}

}  // namespace

void bind_policy_writer(py::module_& module) {
    py::class_<StringDestination, std::shared_ptr<StringDestination>>(module, "PolicyStringDestination",
                                                                      "Text in memory that a PAFWriter adds to.")
        .def(py::init([](const py::str& initial) { return std::make_shared<StringDestination>(from_py(initial)); }),
             py::arg("initial") = "")
        .def("getData", [](const StringDestination& self) { return to_py(self.data()); }, "The text so far.");
    py::class_<Writer>(module, "PAFWriter", "Writes policies as PAF text that reads back to equal policies.")
        .def(py::init([] { return std::make_unique<Writer>(std::make_shared<StringDestination>("")); }),
             "Writes to memory.")
        .def(py::init<std::shared_ptr<StringDestination>>(), py::arg("destination").none(false), "Adds to the destination.")
        .def(py::init([](const py::object& path) { return std::make_unique<Writer>(path_from_py(path)); }),
             py::arg("filename"), "Writes a new file. Raises IoError.")
        .def(
            "write",
            [](Writer& self, const Policy& policy, bool declare) {
                self.append(policy::paf_text(*policy.node(), declare));
            },
            py::arg("policy"), py::arg("doDecl") = false,
            "Write a policy; doDecl: after a content identifier. Raises RuntimeError for what PAF cannot hold:\n"
            "strings with both kinds of quotes or line ends, infinite doubles, odd names.")
        .def("writeBools", &write_values<ValueType::BOOL>, py::arg("name"), py::arg("values"),
             "Write bools under a name.")
        .def("writeInts", &write_values<ValueType::INT>, py::arg("name"), py::arg("values"),
             "Write ints under a name.")
        .def("writeDoubles", &write_values<ValueType::DOUBLE>, py::arg("name"), py::arg("values"),
             "Write doubles under a name.")
        .def("writeStrings", &write_values<ValueType::STRING>, py::arg("name"), py::arg("values"),
             "Write strings under a name.")
        .def("writePolicies", &write_values<ValueType::POLICY>, py::arg("name"), py::arg("values"),
             "Write sub-policies under a name.")
        .def("writeFiles", &write_values<ValueType::FILE>, py::arg("name"), py::arg("values"),
             "Write includes under a name.")
        .def(
            "toString", [](const Writer& self) { return to_py(self.text()); },
            "The text written so far; empty for a writer of a file.")
        .def("close", &Writer::close, "Close the file; nothing happens for a writer to memory. Raises IoError.")
        .def("__enter__", [](py::object self) { return self; })
        .def("__exit__", [](Writer& self, const py::args&) { self.close(); });
}

}  // namespace pex::bindings
