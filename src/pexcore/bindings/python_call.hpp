// SPDX-License-Identifier: BSD-3-Clause
// Calling Python methods from a loop: the interpreter is held from the first call to the next wait, and numbers go over
// without a tuple.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace pex::bindings {

namespace py = pybind11;

// The interpreter's lock as a loop has it: kept from call to call, let go when the loop is about to wait, and taken for
// the next call. Taking it costs as much as a call, and a loop makes several between two waits. The code that is called
// gives way to other threads as always.
//
// Thread safety: of the thread that made it, which holds the lock then, and again when this ends.
class InterpreterLease {
public:
    InterpreterLease() = default;
    ~InterpreterLease() { take(); }
    InterpreterLease(const InterpreterLease&) = delete;
    InterpreterLease& operator=(const InterpreterLease&) = delete;

    void take() {
        if (m_taken) return;
        PyEval_RestoreThread(m_thread);
        m_taken = true;
    }
    void let_go() {
        if (!m_taken) return;
        m_thread = PyEval_SaveThread();
        m_taken = false;
    }

private:
    PyThreadState* m_thread = nullptr;
    bool m_taken = true;
};

// Calls with numbers. With the interpreter's lock. Throws py::error_already_set.
template <class... Numbers>
py::object call_with(const py::object& method, Numbers... numbers) {
    constexpr std::size_t count = sizeof...(numbers);
    // The room in front is the callee's: a bound method puts its object there.
    std::array<PyObject*, count + 1> arguments{nullptr, PyLong_FromLongLong(static_cast<long long>(numbers))...};
    bool complete = true;
    for (std::size_t i = 1; i <= count; ++i) complete = complete && arguments[i] != nullptr;
    PyObject* const result = complete ? PyObject_Vectorcall(method.ptr(), arguments.data() + 1,
                                                            count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr)
                                      : nullptr;
    for (std::size_t i = 1; i <= count; ++i) Py_XDECREF(arguments[i]);
    if (result == nullptr) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
}

// The outcome bits that a method returns. Throws as call_with(); std::invalid_argument for anything but 0 to 255.
template <class... Numbers>
std::uint8_t outcome_of(const py::object& method, Numbers... numbers) {
    const py::object result = call_with(method, numbers...);
    const long bits = PyLong_Check(result.ptr()) ? PyLong_AsLong(result.ptr()) : -1;
    if (bits < 0 || bits > UINT8_MAX) {
        PyErr_Clear();
        throw std::invalid_argument(std::string("a step has to return outcome bits, 0 to 255; it returned ")
                                        .append(py::repr(result).cast<std::string>()));
    }
    return static_cast<std::uint8_t>(bits);
}

}  // namespace pex::bindings
