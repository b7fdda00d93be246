// SPDX-License-Identifier: BSD-3-Clause
// Manifests read back as written, and damaged ones are refused at every length.
#include "check.hpp"
#include "clipboard/manifest.hpp"

using namespace pex::clipboard;

namespace {

std::vector<Entry> sample() {
    Entry array;
    array.key = "image";
    array.kind = EntryKind::ARRAY;
    array.payload = "<f4";
    array.buffers = {{0x1234567890u, 4096, 1u << 24}};
    array.first_element = 16;
    array.shape = {2048, 2048};
    array.strides = {-8192, 4};
    array.flags = ENTRY_WRITEABLE;
    array.bytes_shared = 1u << 24;
    Entry object;
    object.key = "caf\xc3\xa9";
    object.payload = std::string("\x80\x05\x00.", 4);
    object.buffers = {{1, 0, 65536}, {2, 64, 70000}};
    Entry beyond_32_bits;
    beyond_32_bits.key = "cube";
    beyond_32_bits.kind = EntryKind::ARRAY;
    beyond_32_bits.payload = "|u1";
    beyond_32_bits.buffers = {{3, std::uint64_t{5} << 30, std::uint64_t{6} << 30}};
    beyond_32_bits.first_element = (std::uint64_t{6} << 30) - 1;
    beyond_32_bits.shape = {std::int64_t{3} << 31};
    beyond_32_bits.strides = {-(std::int64_t{1} << 33)};
    Entry note;
    note.key = "taken";
    note.kind = EntryKind::NOTE;
    note.bytes_copied = std::uint64_t{1} << 40;
    return {array, object, beyond_32_bits, note, Entry{}};
}

std::span<const std::byte> bytes_of(const std::string& text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace

PEX_TEST(what_is_encoded_is_decoded) {
    PEX_CHECK(decode(bytes_of(encode(sample()))) == sample());
    PEX_CHECK(decode(bytes_of(encode({}))).empty());
}

PEX_TEST(every_truncation_is_refused) {
    const std::string whole = encode(sample());
    for (std::size_t length = 0; length < whole.size(); ++length)
        PEX_CHECK_THROWS(decode(bytes_of(whole.substr(0, length))), ManifestError);
}

PEX_TEST(trailing_bytes_are_refused) { PEX_CHECK_THROWS(decode(bytes_of(encode(sample()) + "x")), ManifestError); }

PEX_TEST(no_changed_byte_makes_the_reader_run_away) {
    const std::string whole = encode(sample());
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
        try {
            (void)decode(bytes_of(damaged));
        } catch (const ManifestError&) {
            continue;
        }
    }
    PEX_CHECK(true);
}
