// SPDX-License-Identifier: BSD-3-Clause
// Log rings: order, wrapping, room, what a reader sees while a writer writes, heads that make no sense.
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "sync/log_ring.hpp"

using namespace pex::sync;

namespace {

std::unique_ptr<LogRingShm> fresh() { return std::make_unique<LogRingShm>(); }

std::vector<LogFrame> take(LogRing& ring, bool* broken = nullptr) {
    std::vector<LogFrame> out;
    bool is_broken = false;
    ring.commit(ring.peek(out, broken != nullptr ? broken : &is_broken));
    return out;
}

}  // namespace

PEX_TEST(records_come_back_in_order_with_what_they_are_about) {
    const auto shm = fresh();
    LogRing sut(shm.get());
    PEX_CHECK(sut.try_append(3, -10, 1, "first\n"));
    PEX_CHECK(sut.try_append(-1, 20, 0, ""));
    const std::vector<LogFrame> seen = take(sut);
    PEX_CHECK_EQ(seen.size(), std::size_t{2});
    PEX_CHECK_EQ(seen[0].text, std::string("first\n"));
    PEX_CHECK_EQ(seen[0].rank, 3);
    PEX_CHECK_EQ(seen[0].importance, -10);
    PEX_CHECK_EQ(seen[0].flags, std::uint32_t{1});
    PEX_CHECK_EQ(seen[1].rank, -1);
    PEX_CHECK_EQ(sut.waiting(), std::uint64_t{0});
}

PEX_TEST(records_stay_until_they_are_committed) {
    const auto shm = fresh();
    LogRing sut(shm.get());
    sut.try_append(0, 0, 0, "text");
    std::vector<LogFrame> first, second;
    bool broken = false;
    sut.peek(first, &broken);
    sut.peek(second, &broken);
    PEX_CHECK_EQ(first.size(), std::size_t{1});
    PEX_CHECK_EQ(second.size(), std::size_t{1});
}

PEX_TEST(a_batch_has_the_texts_of_each_rank_in_order_and_what_has_flags_apart) {
    const auto shm = fresh();
    LogRing sut(shm.get());
    // The second round wraps around the end of the ring.
    const std::string filler(LOG_RING_BYTES - 150, 'x');
    for (const bool wraps : {false, true}) {
        sut.try_append(7, 0, 0, "seven");
        sut.try_append(-1, 10, 2, "event");
        sut.try_append(3, 0, 0, "three");
        sut.try_append(7, -3, 0, ", and again seven");
        const LogBatch found = sut.batch();
        PEX_CHECK_EQ(found.texts.size(), std::size_t{2});
        PEX_CHECK_EQ(found.texts[0].rank, 7);
        PEX_CHECK_EQ(found.texts[0].records, std::uint64_t{2});
        PEX_CHECK_EQ(found.texts[0].joined, std::string("seven, and again seven"));
        PEX_CHECK_EQ(found.texts[1].joined, std::string("three"));
        PEX_CHECK_EQ(found.flagged.size(), std::size_t{1});
        PEX_CHECK_EQ(found.flagged[0].text, std::string("event"));
        PEX_CHECK_EQ(found.flagged[0].importance, 10);
        PEX_CHECK(!found.broken);
        PEX_CHECK_EQ(sut.waiting(), 4 * LOG_FRAME_HEAD_BYTES + 32);
        sut.commit(found.position);
        PEX_CHECK_EQ(sut.waiting(), std::uint64_t{0});
        if (wraps) break;
        PEX_CHECK(sut.try_append(0, 0, 0, filler));
        take(sut);
    }
}

PEX_TEST(a_full_ring_takes_nothing_and_loses_nothing) {
    const auto shm = fresh();
    LogRing sut(shm.get());
    const std::string text(1000, 'x');
    std::size_t count = 0;
    while (sut.try_append(0, 0, 0, text)) ++count;
    PEX_CHECK_EQ(count, static_cast<std::size_t>(LOG_RING_BYTES / 1016));
    PEX_CHECK_EQ(take(sut).size(), count);
    PEX_CHECK(sut.try_append(0, 0, 0, text));
    PEX_CHECK(!sut.try_append(0, 0, 0, std::string(LOG_RING_BYTES, 'x')));
}

PEX_TEST(a_reader_beside_the_writer_sees_every_record_once_and_whole) {
    const auto shm = fresh();
    constexpr int COUNT = 20000;
    std::thread writer([&] {
        LogRing ring(shm.get());
        for (int number = 0; number < COUNT; ++number) {
            const std::string text = std::to_string(number) + std::string(static_cast<std::size_t>(number % 700), '.');
            while (!ring.try_append(number, 0, 0, text)) std::this_thread::yield();
        }
    });
    LogRing sut(shm.get());
    int expected = 0;
    bool whole = true;
    while (expected < COUNT) {
        bool broken = false;
        for (const LogFrame& frame : take(sut, &broken)) {
            const std::string text = std::to_string(expected) + std::string(static_cast<std::size_t>(expected % 700), '.');
            whole = whole && frame.rank == expected && frame.text == text;
            ++expected;
        }
        whole = whole && !broken;
    }
    writer.join();
    PEX_CHECK(whole);
    PEX_CHECK_EQ(expected, COUNT);
}

PEX_TEST(a_head_that_makes_no_sense_ends_the_batch_and_the_ring_goes_on) {
    const auto shm = fresh();
    LogRing sut(shm.get());
    sut.try_append(0, 0, 0, "good");
    sut.try_append(0, 0, 0, "overwritten");
    std::memset(shm->bytes + 20, 0xff, 4);
    bool broken = false;
    const std::vector<LogFrame> seen = take(sut, &broken);
    PEX_CHECK(broken);
    PEX_CHECK_EQ(seen.size(), std::size_t{1});
    sut.try_append(0, 0, 0, "after");
    PEX_CHECK_EQ(take(sut, &broken).at(0).text, std::string("after"));
    PEX_CHECK(!broken);
}

PEX_TEST(a_place_is_new_once) {
    const auto seen = std::make_unique<LogPlacesShm>();
    PEX_CHECK(first_at(*seen, 7));
    PEX_CHECK(!first_at(*seen, 7));
    PEX_CHECK(first_at(*seen, 7 + LOG_PLACES));
    PEX_CHECK(first_at(*seen, 0));
    PEX_CHECK(!first_at(*seen, 0));
}

PEX_TEST(a_full_table_of_places_knows_no_more) {
    const auto seen = std::make_unique<LogPlacesShm>();
    for (std::uint64_t place = 1; place <= LOG_PLACES; ++place) first_at(*seen, place);
    PEX_CHECK(!first_at(*seen, 100000));
}
