#include "base/json.h"

#define RAPIDJSON_HAS_STDSTRING 0
#include <rapidjson/document.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace keyhold::json {
namespace {

using rapidjson::SizeType;

const rapidjson::Value& as_rapidjson(const void* value) {
  return *static_cast<const rapidjson::Value*>(value);
}

/// A stream RapidJSON parses in place, bounded: it reads a NUL at the end of the span instead of
/// needing one in the buffer.
class InsituStream {
 public:
  using Ch = char;

  explicit InsituStream(std::span<std::uint8_t> text)
      : begin_(reinterpret_cast<char*>(text.data())), source_(begin_), end_(begin_ + text.size()) {}

  Ch Peek() const { return source_ < end_ ? *source_ : '\0'; }
  Ch Take() {
    if (source_ >= end_) return '\0';
    return *source_++;
  }
  std::size_t Tell() const { return static_cast<std::size_t>(source_ - begin_); }

  // A string's decoded text is never longer than its source, so it is written over it. The closing
  // quotation mark, already read, gives its place to the NUL that RapidJSON ends strings with.
  Ch* PutBegin() { return destination_ = source_; }
  // What RapidJSON copies before it judges it, a character cut off by the text's end, does not fit.
  void Put(Ch c) {
    if (destination_ < end_) *destination_++ = c;
  }
  void Flush() {}
  std::size_t PutEnd(Ch* begin) { return static_cast<std::size_t>(destination_ - begin); }

 private:
  char* begin_;
  char* source_;
  char* end_;
  char* destination_ = nullptr;
};

/// Whether the text has a surrogate in it (U+D800 to U+DFFF: ED A0 80 to ED BF BF), which is no
/// character. RapidJSON lets a low one through that was escaped and follows no high one.
bool holds_surrogate(std::string_view text) {
  for (auto at = text.find('\xed'); at != std::string_view::npos; at = text.find('\xed', at + 1)) {
    if (at + 1 < text.size() && static_cast<std::uint8_t>(text[at + 1]) >= 0xa0) return true;
  }
  return false;
}

/// Stands between reader and document: bounds the depth and refuses an object's second member of
/// one name.
template <typename Target>
class StrictHandler {
 public:
  explicit StrictHandler(Target& target) : target_(target) {}

  bool Null() { return target_.Null(); }
  bool Bool(bool b) { return target_.Bool(b); }
  bool Int(int i) { return target_.Int(i); }
  bool Uint(unsigned u) { return target_.Uint(u); }
  bool Int64(std::int64_t i) { return target_.Int64(i); }
  bool Uint64(std::uint64_t u) { return target_.Uint64(u); }
  bool Double(double d) { return target_.Double(d); }
  bool RawNumber(const char* text, SizeType length, bool copy) {
    return target_.RawNumber(text, length, copy);
  }
  bool String(const char* text, SizeType length, bool copy) {
    return !holds_surrogate({text, length}) && target_.String(text, length, copy);
  }
  bool StartObject() { return enter() && target_.StartObject(); }
  bool Key(const char* text, SizeType length, bool copy) {
    if (holds_surrogate({text, length})) return false;
    names_.emplace_back(text, length);
    return target_.Key(text, length, copy);
  }
  bool EndObject(SizeType members) {
    --depth_;
    const auto first = names_.end() - static_cast<std::ptrdiff_t>(members);
    std::sort(first, names_.end());
    const bool twice = std::adjacent_find(first, names_.end()) != names_.end();
    names_.erase(first, names_.end());
    return !twice && target_.EndObject(members);
  }
  bool StartArray() { return enter() && target_.StartArray(); }
  bool EndArray(SizeType elements) {
    --depth_;
    return target_.EndArray(elements);
  }

 private:
  bool enter() { return ++depth_ <= kMaxDepth; }

  Target& target_;
  std::size_t depth_ = 0;
  std::vector<std::string_view> names_;  // of the objects being read, the innermost last
};

}  // namespace

/// Small requests, which is most, are parsed without asking the heap for more: RapidJSON's own
/// first chunk is so large that the allocator tidies up each time it is freed.
struct Document::Impl {
  static constexpr std::size_t kFirstChunk = 2048;
  static constexpr std::size_t kStackSize = 512;

  alignas(std::max_align_t) std::array<char, kFirstChunk> first_chunk;
  rapidjson::MemoryPoolAllocator<> allocator{first_chunk.data(), first_chunk.size()};
  rapidjson::Document document{&allocator, kStackSize};
};

Result<Document> Document::parse(std::span<std::uint8_t> text) {
  auto impl = std::make_unique<Impl>();
  InsituStream stream(text);
  rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>> reader;
  bool ended = false;
  auto generate = [&](rapidjson::Document& target) {
    StrictHandler<rapidjson::Document> strict(target);
    constexpr unsigned kFlags = rapidjson::kParseInsituFlag |
                                rapidjson::kParseValidateEncodingFlag |
                                rapidjson::kParseIterativeFlag | rapidjson::kParseStopWhenDoneFlag;
    const bool parsed = !reader.Parse<kFlags>(stream, strict).IsError();
    if (!parsed) return false;
    while (stream.Tell() < text.size()) {
      const char c = stream.Take();
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return false;
    }
    ended = true;
    return true;
  };
  impl->document.Populate(generate);
  if (!ended) return Error(ErrorCode::kSerialization);
  return Document(std::move(impl));
}

Document::Document(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Value Document::root() const {
  return Value(static_cast<const rapidjson::Value*>(&impl_->document));
}

Value::Type Value::type() const { return static_cast<Type>(as_rapidjson(value_).GetType()); }

std::optional<std::string_view> Value::string() const {
  const auto& value = as_rapidjson(value_);
  if (!value.IsString()) return std::nullopt;
  return std::string_view(value.GetString(), value.GetStringLength());
}

std::optional<bool> Value::boolean() const {
  const auto& value = as_rapidjson(value_);
  if (!value.IsBool()) return std::nullopt;
  return value.GetBool();
}

std::optional<std::int64_t> Value::integer() const {
  const auto& value = as_rapidjson(value_);
  if (value.IsInt64()) return value.GetInt64();
  if (!value.IsDouble()) return std::nullopt;
  const double number = value.GetDouble();
  // Beyond 2^53 a double does not name one integer.
  if (std::nearbyint(number) != number || std::fabs(number) > 9007199254740992.0)
    return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<double> Value::number() const {
  const auto& value = as_rapidjson(value_);
  if (!value.IsNumber()) return std::nullopt;
  return value.GetDouble();
}

std::optional<Value> Value::member(std::string_view name) const {
  const auto& value = as_rapidjson(value_);
  if (!value.IsObject()) return std::nullopt;
  const auto at = value.FindMember(
      rapidjson::Value(rapidjson::StringRef(name.data(), static_cast<SizeType>(name.size()))));
  if (at == value.MemberEnd()) return std::nullopt;
  return Value(&at->value);
}

void Value::for_each_member(
    const std::function<bool(std::string_view name, Value value)>& visit) const {
  const auto& value = as_rapidjson(value_);
  if (!value.IsObject()) return;
  for (const auto& member : value.GetObject()) {
    const std::string_view name(member.name.GetString(), member.name.GetStringLength());
    if (!visit(name, Value(&member.value))) return;
  }
}

std::size_t Value::size() const {
  const auto& value = as_rapidjson(value_);
  if (value.IsArray()) return value.Size();
  if (value.IsObject()) return value.MemberCount();
  return 0;
}

Value Value::element(std::size_t index) const {
  return Value(&as_rapidjson(value_)[static_cast<SizeType>(index)]);
}

namespace {

/// What a byte becomes inside a string: 0 for itself, 'u' for \u00XX, else the letter after the
/// backslash (RFC 8259 section 7).
constexpr std::array<char, 256> make_escapes() {
  std::array<char, 256> escapes{};
  for (std::size_t c = 0; c < 0x20; ++c) escapes[c] = 'u';
  escapes['\b'] = 'b';
  escapes['\t'] = 't';
  escapes['\n'] = 'n';
  escapes['\f'] = 'f';
  escapes['\r'] = 'r';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  return escapes;
}
constexpr auto kEscapes = make_escapes();
constexpr std::string_view kHexDigits = "0123456789ABCDEF";
constexpr std::size_t kFirstSize = 2048;  // more than most answers and records take

constexpr std::size_t kKeptSize = 8192;
constexpr std::size_t kKept = 4;

using Storage = Wiped<char>;

/// Wiped memory that this thread's next writers write into: a call takes several in turn.
std::vector<Storage>& spare_storage() {
  thread_local std::vector<Storage> spare;
  return spare;
}

/// Text that only grows, and is wiped.
class Buffer {
 public:
  Buffer() {
    auto& spare = spare_storage();
    if (spare.empty()) {
      bytes_.resize(kFirstSize);
    } else {
      bytes_ = std::move(spare.back());
      spare.pop_back();
    }
  }
  ~Buffer() {
    auto& spare = spare_storage();
    if (spare.size() == kKept || bytes_.size() > kKeptSize) return;
    wipe(bytes_.data(), size_);
    if (spare.capacity() == 0) spare.reserve(kKept);
    spare.push_back(std::move(bytes_));
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  /// Room for `count` bytes, of which keep() says how many were written.
  char* room(std::size_t count) {
    if (bytes_.size() - size_ < count) bytes_.resize(std::max(2 * bytes_.size(), size_ + count));
    return bytes_.data() + size_;
  }
  void keep(std::size_t count) { size_ += count; }

  void put(std::string_view more) {
    std::copy(more.begin(), more.end(), room(more.size()));
    keep(more.size());
  }
  void put(char c) {
    *room(1) = c;
    keep(1);
  }

  std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  Storage bytes_;
  std::size_t size_ = 0;
};

/// How many bytes from the front on stand for themselves inside a string.
std::size_t plain_prefix(std::string_view text) {
  std::size_t i = 0;
  // Eight at once, as long as none of them is a control character, a quotation mark or a backslash
  // (or not ASCII, which the table tells).
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  for (; i + sizeof(std::uint64_t) <= text.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + i, sizeof(word));
    const auto holds = [&](std::uint64_t byte) {
      const std::uint64_t same = word ^ (kOnes * byte);
      return (same - kOnes) & ~same;
    };
    const std::uint64_t control = word - kOnes * 0x20;
    if (((control | holds('"') | holds('\\') | word) & kHighs) != 0) break;
  }
  while (i < text.size() && kEscapes[static_cast<std::uint8_t>(text[i])] == 0) ++i;
  return i;
}

}  // namespace

struct Writer::Impl {
  Buffer text;
  bool needs_comma = false;

  void put(std::string_view more) { text.put(more); }

  /// Before each value and each key: a comma, if something stands before it on its level. After an
  /// inner object or array has ended, something does.
  void separate() {
    if (needs_comma) text.put(',');
    needs_comma = true;
  }

  void put_string(std::string_view string) {
    text.put('"');
    for (;;) {
      const std::size_t plain = plain_prefix(string);
      text.put(string.substr(0, plain));
      if (plain == string.size()) break;
      const auto byte = static_cast<std::uint8_t>(string[plain]);
      string.remove_prefix(plain + 1);
      text.put('\\');
      text.put(kEscapes[byte]);
      if (kEscapes[byte] == 'u') {
        text.put("00");
        text.put(kHexDigits[byte >> 4]);
        text.put(kHexDigits[byte & 15]);
      }
    }
    text.put('"');
  }

  void begin(char bracket) {
    separate();
    text.put(bracket);
    needs_comma = false;
  }
  void end(char bracket) {
    text.put(bracket);
    needs_comma = true;
  }
};

Writer::Writer() : impl_(std::make_unique<Impl>()) {}
Writer::~Writer() = default;

Writer& Writer::begin_object() {
  impl_->begin('{');
  return *this;
}
Writer& Writer::end_object() {
  impl_->end('}');
  return *this;
}
Writer& Writer::begin_array() {
  impl_->begin('[');
  return *this;
}
Writer& Writer::end_array() {
  impl_->end(']');
  return *this;
}
Writer& Writer::key(std::string_view name) {
  impl_->separate();
  impl_->put_string(name);
  impl_->text.put(':');
  impl_->needs_comma = false;
  return *this;
}
Writer& Writer::string(std::string_view text) {
  impl_->separate();
  impl_->put_string(text);
  return *this;
}
Writer& Writer::integer(std::int64_t value) { return raw(std::to_string(value)); }
Writer& Writer::boolean(bool value) { return raw(value ? "true" : "false"); }
Writer& Writer::null() { return raw("null"); }
Writer& Writer::raw(std::string_view json) {
  impl_->separate();
  impl_->put(json);
  return *this;
}

std::string_view Writer::text() const { return impl_->text.text(); }

Secret Writer::take_secret() const { return Secret(text()); }

}  // namespace keyhold::json
