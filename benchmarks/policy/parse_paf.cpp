// SPDX-License-Identifier: BSD-3-Clause
// How long the core takes from text in memory to a tree. Usage: parse_paf FILE ROUNDS; one time in seconds a line.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>

#include "policy/paf.hpp"

int main(int argc, char** argv) {
    using namespace pex::policy;
    if (argc != 3) {
        std::cerr << "usage: parse_paf FILE ROUNDS\n";
        return 1;
    }
    std::ifstream file(argv[1], std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (!file || text.empty()) {
        std::cerr << argv[1] << ": cannot be read, or is empty\n";
        return 2;
    }
    for (int round = std::atoi(argv[2]); round > 0; --round) {
        const auto source = std::make_shared<Source>(argv[1], text);
        const auto root = std::make_shared<Node>();
        const auto start = std::chrono::steady_clock::now();
        parse_paf(source, root, LoadOptions{});
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        if (root->size() == 0) return 3;
        std::cout << taken.count() << "\n";
    }
}
