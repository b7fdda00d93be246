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

namespace {

// The same as ArrayEntry, and what encode() makes of it.
ArrayEntry small_array(std::string_view key, std::uint32_t dimensions) {
    ArrayEntry entry;
    entry.key = key;
    entry.dtype = "<f4";
    entry.flags = ENTRY_RELAYED;
    entry.bytes_shared = 70000;
    entry.buffer = {0x1234567890u + dimensions, 4096, 70000};
    entry.first_element = 8;
    entry.dimensions = dimensions;
    for (std::uint32_t axis = 0; axis < dimensions; ++axis) {
        entry.shape[axis] = 10 + axis;
        entry.strides[axis] = -4 * static_cast<std::int64_t>(axis);
    }
    return entry;
}

Entry as_entry(const ArrayEntry& array) {
    Entry entry;
    entry.key = array.key;
    entry.kind = EntryKind::ARRAY;
    entry.flags = array.flags;
    entry.payload = array.dtype;
    entry.bytes_copied = array.bytes_copied;
    entry.bytes_shared = array.bytes_shared;
    entry.buffers = {array.buffer};
    entry.first_element = array.first_element;
    entry.shape.assign(array.shape, array.shape + array.dimensions);
    entry.strides.assign(array.strides, array.strides + array.dimensions);
    return entry;
}

const std::vector<ArrayEntry> SOME_ARRAYS = {small_array("image", 2), small_array("caf\xc3\xa9", 0),
                                             small_array("", ArrayEntry::MAX_DIMENSIONS)};

std::string written(const std::vector<ArrayEntry>& arrays) {
    std::size_t bytes = ArrayWriter::head_bytes();
    for (const ArrayEntry& array : arrays) bytes += ArrayWriter::bytes_of(array);
    // A byte behind it, which must stay.
    std::string text(bytes + 1, 'x');
    ArrayWriter writer(reinterpret_cast<std::byte*>(text.data()), static_cast<std::uint32_t>(arrays.size()));
    for (const ArrayEntry& array : arrays) writer.add(array);
    PEX_CHECK(text.back() == 'x');
    text.pop_back();
    return text;
}

// What a reader of arrays finds, and whether it came to the end.
std::pair<std::vector<Entry>, bool> arrays_in(const std::string& text) {
    ArrayReader reader(bytes_of(text));
    std::vector<Entry> found;
    for (std::uint32_t i = 0; i < reader.count(); ++i) {
        ArrayEntry entry;
        if (!reader.next(entry)) return {found, false};
        found.push_back(as_entry(entry));
    }
    return {found, true};
}

}  // namespace

PEX_TEST(arrays_are_written_in_place_as_they_are_encoded) {
    std::vector<Entry> entries;
    for (const ArrayEntry& array : SOME_ARRAYS) entries.push_back(as_entry(array));
    PEX_CHECK(written(SOME_ARRAYS) == encode(entries));
    PEX_CHECK(written({}) == encode({}));
}

PEX_TEST(arrays_are_read_in_place_as_they_are_decoded) {
    const std::string text = written(SOME_ARRAYS);
    PEX_CHECK((arrays_in(text) == std::pair{decode(bytes_of(text)), true}));
    PEX_CHECK((arrays_in(encode({})) == std::pair{std::vector<Entry>{}, true}));
}

PEX_TEST(a_reader_of_arrays_stops_before_anything_else) {
    Entry deep = as_entry(small_array("deep", 0));
    deep.shape.assign(ArrayEntry::MAX_DIMENSIONS + 1, 1);
    deep.strides = deep.shape;
    for (const Entry& other : {sample()[1], sample()[3], deep}) {
        const auto [found, complete] = arrays_in(encode({as_entry(SOME_ARRAYS[0]), other}));
        PEX_CHECK(found.size() == 1 && !complete);
    }
}

PEX_TEST(a_reader_of_arrays_refuses_what_is_damaged) {
    const std::string whole = written(SOME_ARRAYS);
    for (std::size_t length = 0; length < whole.size(); ++length)
        PEX_CHECK_THROWS(arrays_in(whole.substr(0, length)), ManifestError);
    PEX_CHECK_THROWS(arrays_in(whole + "x"), ManifestError);
    PEX_CHECK_THROWS(arrays_in(encode({}) + "x"), ManifestError);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
        try {
            (void)arrays_in(damaged);
        } catch (const ManifestError&) {
            continue;
        }
    }
}
