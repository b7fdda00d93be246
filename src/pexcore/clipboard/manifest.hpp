// SPDX-License-Identifier: BSD-3-Clause
// Manifests: what crosses from one process to another, as descriptors of memory that is already shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace pex::clipboard {

// A range of bytes inside one block.
struct BufferDescriptor {
    std::uint64_t block_ref = 0;  // packed shm::BlockRef
    std::uint64_t offset = 0;     // of the first byte, within the block
    std::uint64_t bytes = 0;

    friend bool operator==(const BufferDescriptor&, const BufferDescriptor&) = default;
};

enum class EntryKind : std::uint8_t {
    ARRAY = 1,   // one array: `buffers[0]` holds it, dtype, shape and strides describe it
    PICKLE = 2,  // any object: `payload` is a protocol 5 pickle, `buffers` its out-of-band buffers in order
    NOTE = 3,    // nothing arrives under this key; its byte counts alone are told
    BATCH = 4,   // another manifest for the same addressee: `buffers[0]` holds it, `key` says after which stage
};

enum EntryFlag : std::uint8_t {
    ENTRY_WRITEABLE = 1,  // a canvas: all who receive it may write
    ENTRY_RELAYED = 2,    // its memory has crossed before: more may have received it than this entry's addressees
};

struct Entry {
    std::string key;
    EntryKind kind = EntryKind::PICKLE;
    std::uint8_t flags = 0;                 // of EntryFlag
    std::string payload;                    // PICKLE: the stream. ARRAY: the dtype, as NumPy writes it ("<f4")
    std::uint64_t bytes_copied = 0;         // what publishing it took
    std::uint64_t bytes_shared = 0;         // what was shared already
    std::vector<BufferDescriptor> buffers;
    std::uint64_t first_element = 0;        // ARRAY: offset of element [0, 0, ...] within the buffer
    std::vector<std::int64_t> shape;        // ARRAY
    std::vector<std::int64_t> strides;      // ARRAY, bytes

    friend bool operator==(const Entry&, const Entry&) = default;
};

// The manifest is damaged: says at which byte, what was expected and what was seen.
class ManifestError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Writes the entries as one string of bytes; lengths before contents, little-endian, no padding.
std::string encode(const std::vector<Entry>& entries);

// Reads what encode() wrote. Every length is checked against what is left. Errors: ManifestError.
std::vector<Entry> decode(std::span<const std::byte> bytes);

// An entry of kind ARRAY as it lies in the manifest, with nothing copied that has no fixed size.
// Lifetime: the texts are the manifest's, or whoever's who writes it.
struct ArrayEntry {
    // Arrays of more dimensions are entries like others.
    static constexpr std::size_t MAX_DIMENSIONS = 8;

    std::string_view key;
    std::string_view dtype;
    std::uint8_t flags = 0;
    std::uint64_t bytes_copied = 0;
    std::uint64_t bytes_shared = 0;
    BufferDescriptor buffer;
    std::uint64_t first_element = 0;
    std::uint32_t dimensions = 0;
    std::int64_t shape[MAX_DIMENSIONS];
    std::int64_t strides[MAX_DIMENSIONS];
};

// Writes a manifest of arrays in place: what encode() would have written for the same entries.
class ArrayWriter {
public:
    static std::size_t head_bytes();
    static std::size_t bytes_of(const ArrayEntry& entry);

    // Precondition: `to` has head_bytes() and bytes_of() every entry that is added, of which there are `count`.
    ArrayWriter(std::byte* to, std::uint32_t count);
    void add(const ArrayEntry& entry);

private:
    std::byte* m_at;
};

// Reads a manifest of arrays without copying it. The bytes have to stay as they are meanwhile.
class ArrayReader {
public:
    // Errors: ManifestError.
    explicit ArrayReader(std::span<const std::byte> bytes);

    std::uint32_t count() const { return m_count; }
    // The next of the count() entries; false if it is another one than an array of at most MAX_DIMENSIONS: then nothing
    // behind it can be read. Errors: ManifestError, as decode().
    bool next(ArrayEntry& entry);

private:
    std::span<const std::byte> m_bytes;
    std::size_t m_at = 0;
    std::uint32_t m_count = 0;
    std::uint32_t m_read = 0;
};

}  // namespace pex::clipboard
