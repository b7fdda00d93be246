// SPDX-License-Identifier: BSD-3-Clause
// The byte form of manifests.
//
//   magic u32 | version u16 | count u32 | entry...
//   entry:  kind u8 | flags u8 | key str | payload str | bytes_copied u64 | bytes_shared u64
//           | n u32, n x (block u64, offset u64, bytes u64)
//           | ARRAY only: first_element u64 | ndim u32, ndim x shape i64, ndim x stride i64
//   str:    length u64 | bytes
#include "clipboard/manifest.hpp"

#include <bit>
#include <cstring>
#include <tuple>
#include <utility>

namespace pex::clipboard {

namespace {

static_assert(std::endian::native == std::endian::little, "manifests are little-endian and written by copy");

constexpr std::uint32_t MAGIC = 0x4d584550;  // "PEXM"
constexpr std::uint16_t VERSION = 2;
constexpr std::uint32_t MAX_DIMENSIONS = 64;  // NumPy's own limit

class Writer {
public:
    template <class T>
    void number(T value) {
        char raw[sizeof value];
        std::memcpy(raw, &value, sizeof value);
        m_out.append(raw, sizeof raw);
    }
    void text(const std::string& value) {
        number<std::uint64_t>(value.size());
        m_out += value;
    }
    std::string take() { return std::move(m_out); }

private:
    std::string m_out;
};

class Reader {
public:
    explicit Reader(std::span<const std::byte> bytes, std::size_t at = 0) : m_bytes(bytes), m_at(at) {}

    template <class T>
    T number(const char* what) {
        need(sizeof(T), what);
        T value;
        std::memcpy(&value, m_bytes.data() + m_at, sizeof value);
        m_at += sizeof value;
        return value;
    }
    std::string_view text(const char* what) {
        const auto length = number<std::uint64_t>(what);
        need(length, what);
        const std::string_view value(reinterpret_cast<const char*>(m_bytes.data() + m_at),
                                     static_cast<std::size_t>(length));
        m_at += length;
        return value;
    }
    [[noreturn]] void fail(const std::string& text) const {
        throw ManifestError("reading a manifest: byte " + std::to_string(m_at) + " of " +
                            std::to_string(m_bytes.size()) + ": " + text);
    }
    std::size_t at() const { return m_at; }
    bool at_end() const { return m_at == m_bytes.size(); }

private:
    void need(std::uint64_t count, const char* what) const {
        if (count > m_bytes.size() - m_at)
            fail(std::string("expected ") + std::to_string(count) + " bytes of " + what + ", saw the end");
    }

    std::span<const std::byte> m_bytes;
    std::size_t m_at;
};

void write_entry(Writer& out, const Entry& entry) {
    out.number(static_cast<std::uint8_t>(entry.kind));
    out.number(entry.flags);
    out.text(entry.key);
    out.text(entry.payload);
    out.number(entry.bytes_copied);
    out.number(entry.bytes_shared);
    out.number(static_cast<std::uint32_t>(entry.buffers.size()));
    for (const BufferDescriptor& buffer : entry.buffers) {
        out.number(buffer.block_ref);
        out.number(buffer.offset);
        out.number(buffer.bytes);
    }
    if (entry.kind != EntryKind::ARRAY) return;
    out.number(entry.first_element);
    out.number(static_cast<std::uint32_t>(entry.shape.size()));
    for (const std::int64_t extent : entry.shape) out.number(extent);
    for (const std::int64_t stride : entry.strides) out.number(stride);
}

// Kind and flags of the next entry.
std::pair<EntryKind, std::uint8_t> read_kind(Reader& in) {
    const auto kind = in.number<std::uint8_t>("an entry's kind");
    if (kind < static_cast<std::uint8_t>(EntryKind::ARRAY) || kind > static_cast<std::uint8_t>(EntryKind::BATCH))
        in.fail("expected the kind of an entry (1 to 4), saw " + std::to_string(kind));
    const auto flags = in.number<std::uint8_t>("an entry's flags");
    if ((flags & ~(ENTRY_WRITEABLE | ENTRY_RELAYED)) != 0)
        in.fail("expected the flags of an entry (0 to 3), saw " + std::to_string(flags));
    return {static_cast<EntryKind>(kind), flags};
}

BufferDescriptor read_buffer(Reader& in) {
    BufferDescriptor buffer;
    buffer.block_ref = in.number<std::uint64_t>("a block reference");
    buffer.offset = in.number<std::uint64_t>("a block offset");
    buffer.bytes = in.number<std::uint64_t>("a buffer length");
    return buffer;
}

void require_one_buffer(const Reader& in, const char* what, std::uint32_t buffers) {
    if (buffers != 1)
        in.fail(std::string("expected one buffer for ").append(what).append(", saw ").append(std::to_string(buffers)));
}

std::uint32_t read_dimensions(Reader& in) {
    const auto dimensions = in.number<std::uint32_t>("a dimension count");
    if (dimensions > MAX_DIMENSIONS)
        in.fail("expected at most 64 dimensions, saw " + std::to_string(dimensions));
    return dimensions;
}

// Returns how many entries follow.
std::uint32_t read_head(Reader& in) {
    if (in.number<std::uint32_t>("the magic number") != MAGIC) in.fail("this is not a manifest");
    const auto version = in.number<std::uint16_t>("the version");
    if (version != VERSION)
        in.fail("expected version " + std::to_string(VERSION) + ", saw " + std::to_string(version));
    return in.number<std::uint32_t>("the entry count");
}

void require_end(const Reader& in) {
    if (!in.at_end()) in.fail("expected the end, saw more bytes");
}

Entry read_entry(Reader& in) {
    Entry entry;
    std::tie(entry.kind, entry.flags) = read_kind(in);
    entry.key = in.text("a key");
    entry.payload = in.text("a payload");
    entry.bytes_copied = in.number<std::uint64_t>("a byte count");
    entry.bytes_shared = in.number<std::uint64_t>("a byte count");
    const auto buffers = in.number<std::uint32_t>("a buffer count");
    for (std::uint32_t i = 0; i < buffers; ++i) entry.buffers.push_back(read_buffer(in));
    if (entry.kind == EntryKind::BATCH) require_one_buffer(in, "a batch", buffers);
    if (entry.kind != EntryKind::ARRAY) return entry;
    require_one_buffer(in, "an array", buffers);
    entry.first_element = in.number<std::uint64_t>("an element offset");
    const std::uint32_t dimensions = read_dimensions(in);
    for (std::uint32_t i = 0; i < dimensions; ++i) entry.shape.push_back(in.number<std::int64_t>("a shape"));
    for (std::uint32_t i = 0; i < dimensions; ++i) entry.strides.push_back(in.number<std::int64_t>("a stride"));
    return entry;
}

}  // namespace

std::string encode(const std::vector<Entry>& entries) {
    Writer out;
    out.number(MAGIC);
    out.number(VERSION);
    out.number(static_cast<std::uint32_t>(entries.size()));
    for (const Entry& entry : entries) write_entry(out, entry);
    return out.take();
}

std::vector<Entry> decode(std::span<const std::byte> bytes) {
    Reader in(bytes);
    const std::uint32_t count = read_head(in);
    std::vector<Entry> entries;
    for (std::uint32_t i = 0; i < count; ++i) entries.push_back(read_entry(in));
    require_end(in);
    return entries;
}

namespace {

template <class T>
void put(std::byte*& at, T value) {
    std::memcpy(at, &value, sizeof value);
    at += sizeof value;
}

void put_text(std::byte*& at, std::string_view text) {
    put<std::uint64_t>(at, text.size());
    std::memcpy(at, text.data(), text.size());
    at += text.size();
}

}  // namespace

std::size_t ArrayWriter::head_bytes() { return sizeof MAGIC + sizeof VERSION + sizeof(std::uint32_t); }

std::size_t ArrayWriter::bytes_of(const ArrayEntry& entry) {
    // Kind, flags; two lengths of texts, two byte counts, a descriptor, the first element; two counts.
    constexpr std::size_t FIXED = 2 + 8 * sizeof(std::uint64_t) + 2 * sizeof(std::uint32_t);
    return FIXED + entry.key.size() + entry.dtype.size() + 2 * entry.dimensions * sizeof(std::int64_t);
}

ArrayWriter::ArrayWriter(std::byte* to, std::uint32_t count) : m_at(to) {
    put(m_at, MAGIC);
    put(m_at, VERSION);
    put(m_at, count);
}

void ArrayWriter::add(const ArrayEntry& entry) {
    put(m_at, EntryKind::ARRAY);
    put(m_at, entry.flags);
    put_text(m_at, entry.key);
    put_text(m_at, entry.dtype);
    put(m_at, entry.bytes_copied);
    put(m_at, entry.bytes_shared);
    put(m_at, std::uint32_t{1});
    put(m_at, entry.buffer.block_ref);
    put(m_at, entry.buffer.offset);
    put(m_at, entry.buffer.bytes);
    put(m_at, entry.first_element);
    put(m_at, entry.dimensions);
    for (std::uint32_t i = 0; i < entry.dimensions; ++i) put(m_at, entry.shape[i]);
    for (std::uint32_t i = 0; i < entry.dimensions; ++i) put(m_at, entry.strides[i]);
}

ArrayReader::ArrayReader(std::span<const std::byte> bytes) : m_bytes(bytes) {
    Reader in(bytes);
    m_count = read_head(in);
    m_at = in.at();
    if (m_count == 0) require_end(in);
}

bool ArrayReader::next(ArrayEntry& entry) {
    Reader in(m_bytes, m_at);
    EntryKind kind;
    std::tie(kind, entry.flags) = read_kind(in);
    if (kind != EntryKind::ARRAY) return false;
    entry.key = in.text("a key");
    entry.dtype = in.text("a payload");
    entry.bytes_copied = in.number<std::uint64_t>("a byte count");
    entry.bytes_shared = in.number<std::uint64_t>("a byte count");
    require_one_buffer(in, "an array", in.number<std::uint32_t>("a buffer count"));
    entry.buffer = read_buffer(in);
    entry.first_element = in.number<std::uint64_t>("an element offset");
    entry.dimensions = read_dimensions(in);
    if (entry.dimensions > ArrayEntry::MAX_DIMENSIONS) return false;
    for (std::uint32_t i = 0; i < entry.dimensions; ++i) entry.shape[i] = in.number<std::int64_t>("a shape");
    for (std::uint32_t i = 0; i < entry.dimensions; ++i) entry.strides[i] = in.number<std::int64_t>("a stride");
    m_at = in.at();
    if (++m_read == m_count) require_end(in);
    return true;
}

}  // namespace pex::clipboard
