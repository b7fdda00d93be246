// SPDX-License-Identifier: BSD-3-Clause
// The few macros the C++ tests use: TEST registers a case, CHECK and CHECK_EQ report file, line and both values.
#pragma once

#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Case {
    const char* name;
    std::function<void()> body;
};

inline std::vector<Case>& cases() {
    static std::vector<Case> registered;
    return registered;
}

inline int& failures() {
    static int count = 0;
    return count;
}

struct Registrar {
    Registrar(const char* name, std::function<void()> body) { cases().push_back({name, std::move(body)}); }
};

template <class A, class B>
void equal(const A& a, const B& b, const char* text, const char* file, int line) {
    if (a == b) return;
    std::cerr << file << ":" << line << ": " << text << ": saw " << a << ", expected " << b << "\n";
    ++failures();
}

inline void truth(bool value, const char* text, const char* file, int line) {
    if (value) return;
    std::cerr << file << ":" << line << ": not so: " << text << "\n";
    ++failures();
}

inline int run(int argc, char** argv) {
    int ran = 0;
    for (const Case& item : cases()) {
        if (argc > 1 && std::strstr(item.name, argv[1]) == nullptr) continue;
        ++ran;
        const int before = failures();
        try {
            item.body();
        } catch (const std::exception& error) {
            std::cerr << item.name << ": threw: " << error.what() << "\n";
            ++failures();
        }
        std::cout << (failures() == before ? "ok    " : "FAILED ") << item.name << std::endl;
    }
    std::cout << ran << " cases, " << failures() << " failures\n";
    return failures() == 0 && ran > 0 ? 0 : 1;
}

}  // namespace check

#define PEX_TEST(name)                                              \
    static void name();                                             \
    static const check::Registrar registrar_##name(#name, name);    \
    static void name()
#define PEX_CHECK(expr) check::truth(static_cast<bool>(expr), #expr, __FILE__, __LINE__)
#define PEX_CHECK_EQ(a, b) check::equal((a), (b), #a " == " #b, __FILE__, __LINE__)
#define PEX_CHECK_THROWS(expr, type)                                                          \
    do {                                                                                      \
        bool threw = false;                                                                   \
        try {                                                                                 \
            (void)(expr);                                                                     \
        } catch (const type&) {                                                               \
            threw = true;                                                                     \
        }                                                                                     \
        check::truth(threw, #expr " throws " #type, __FILE__, __LINE__);                      \
    } while (0)
