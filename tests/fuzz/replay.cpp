// SPDX-License-Identifier: BSD-3-Clause
// Runs the fuzz target without libFuzzer: every seed, then seeded mutations of the seeds.
// usage: fuzz_policy [--iterations N] [--seed S] FILE-OR-FOLDER...
#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// The sanitizers shall abort, so that the input is shown before the end.
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

namespace {

constexpr std::array<std::string_view, 40> WORDS{
    "a",        "b.c",   ".",       ": ",     " ",           "\n",          "\r\n",           "{",
    "}",        "#",     "\"",      "'",      "@",           "@@p:f",       "1",              "-2",
    "1.5",      "1e9",   "1e999",   "true",   "False",       "9999999999",  "\xC3\xA9",       "\xFF",
    "\r",       "\f",    "p: {\n",  "}\n",    "a: 1\n",      "type: int\n", "type: double\n", "type: Policy\n",
    "default:", "min:",  "max: 1",  "value:", "allowed: {",  "definitions: {\n",
    "dictionary: {\n",   "childDefinition: {\n"};

std::string current_input;
std::string current_origin;

void show_input() {
    std::cerr << "\ninput of " << current_origin << ", " << current_input.size() << " bytes:\n";
    for (const char c : current_input) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n' || (byte >= 0x20 && byte < 0x7F && c != '\\')) {
            std::cerr << c;
        } else {
            constexpr std::string_view DIGITS = "0123456789abcdef";
            std::cerr << "\\x" << DIGITS[byte >> 4U] << DIGITS[byte & 15U];
        }
    }
    std::cerr << std::endl;
}

extern "C" void on_abort(int) {
    show_input();
    std::_Exit(1);
}

void run_target(std::string text, std::string origin) {
    current_input = std::move(text);
    current_origin = std::move(origin);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(current_input.data()), current_input.size());
}

std::vector<std::string> read_seeds(const std::vector<std::filesystem::path>& places) {
    std::vector<std::filesystem::path> files;
    for (const auto& place : places) {
        if (!std::filesystem::is_directory(place)) {
            files.push_back(place);
            continue;
        }
        for (const auto& entry : std::filesystem::recursive_directory_iterator(place)) {
            if (entry.is_regular_file() && entry.path().extension() == ".paf") files.push_back(entry.path());
        }
    }
    // The order of a folder is the file system's; mutations shall be the same everywhere.
    std::sort(files.begin(), files.end());
    std::vector<std::string> seeds;
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        if (!in) {
            std::cerr << "cannot read " << file << "\n";
            std::exit(2);
        }
        seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        run_target(seeds.back(), file.string());
    }
    return seeds;
}

std::size_t below(std::mt19937_64& random, std::size_t limit) { return static_cast<std::size_t>(random() % limit); }

// A few cuts, copies, insertions and flipped bytes, and now and then the tail of another seed.
std::string mutated(const std::vector<std::string>& seeds, std::mt19937_64& random) {
    std::string text = seeds[below(random, seeds.size())];
    for (auto steps = 1 + below(random, 6); steps > 0; --steps) {
        const std::size_t at = below(random, text.size() + 1);
        const std::size_t length = std::min(below(random, 20), text.size() - at);
        switch (below(random, 6)) {
            case 0: text.erase(at, length); break;
            case 1: text.insert(at, text.substr(below(random, text.size() + 1), 1 + length)); break;
            case 2:
            case 3: text.insert(at, WORDS[below(random, WORDS.size())]); break;
            case 4:
                if (at < text.size()) text[at] = static_cast<char>(below(random, 256));
                break;
            default: {
                const std::string& other = seeds[below(random, seeds.size())];
                text.erase(at).append(other, below(random, other.size() + 1));
            }
        }
    }
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t iterations = 0;
    std::uint64_t seed = 20090612;
    std::vector<std::filesystem::path> places;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const bool is_number = (word == "--iterations" || word == "--seed") && i + 1 < argc;
        if (is_number) {
            (word == "--seed" ? seed : iterations) = std::stoull(argv[++i]);
        } else {
            places.emplace_back(word);
        }
    }
    std::signal(SIGABRT, on_abort);
    const std::vector<std::string> seeds = read_seeds(places);
    if (seeds.empty()) {
        std::cerr << "no seeds: name files, or folders that hold .paf files\n";
        return 2;
    }
    std::mt19937_64 random(seed);
    for (std::uint64_t i = 0; i < iterations; ++i) {
        run_target(mutated(seeds, random), "seed " + std::to_string(seed) + ", iteration " + std::to_string(i));
    }
    std::cout << seeds.size() << " seeds and " << iterations << " mutations, none of them a failure\n";
    return 0;
}
