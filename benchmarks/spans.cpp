// SPDX-License-Identifier: BSD-3-Clause
// What a span costs who writes it: two looks at the clock and a record in the ring. Usage: spans ROUNDS SPANS; for each
// round, the nanoseconds of a span. After a round the ring is drained, and must hold what was written last.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <new>
#include <vector>

#include "os/clock.hpp"
#include "sync/span.hpp"

namespace {

constexpr std::uint64_t CAPACITY = 4096;

struct Freed {
    void operator()(void* memory) const { std::free(memory); }
};

// Writes so many spans, as a step of a worker does, and returns the nanoseconds of each.
double round_of(pex::sync::SpanRing& ring, std::uint64_t spans) {
    const std::uint64_t start = pex::os::now_ns();
    for (std::uint64_t i = 0; i < spans; ++i) {
        pex::sync::SpanShm span{};
        span.start_ns = pex::os::now_ns();
        span.end_ns = pex::os::now_ns();
        span.visit = static_cast<std::uint32_t>(i);
        span.kind = pex::sync::SpanKind::PROCESS;
        ring.append(span);
    }
    return static_cast<double>(pex::os::now_ns() - start) / static_cast<double>(spans);
}

}  // namespace

int main(int argc, char** argv) {
    const int rounds = argc == 3 ? std::atoi(argv[1]) : 0;
    const long spans = argc == 3 ? std::atol(argv[2]) : 0;
    if (rounds < 1 || spans < 1) {
        std::cerr << "usage: spans ROUNDS SPANS\n";
        return 1;
    }
    const std::size_t bytes = (pex::sync::SpanRing::bytes_for(CAPACITY) + 63) / 64 * 64;
    const std::unique_ptr<void, Freed> memory(std::aligned_alloc(64, bytes));
    if (memory == nullptr) return 2;
    auto* head = new (memory.get()) pex::sync::SpanRingShm{};
    pex::sync::SpanRing ring(head, CAPACITY);
    const auto count = static_cast<std::uint64_t>(spans);
    std::vector<pex::sync::SpanShm> drained;
    for (int round = 0; round < rounds; ++round) {
        std::cout << round_of(ring, count) << "\n";
        drained.clear();
        const std::uint64_t lost = ring.drain(drained);
        if (lost + drained.size() != count || drained.back().visit != count - 1) return 3;
    }
}
