// JSON in and out: the only door to RapidJSON.
//
// Reading is done in place: the strings of a Document lie in the buffer it was parsed from, so that
// a plaintext in a request body exists once and is wiped with the body. The buffer must outlive the
// Document and every Value taken from it. RapidJSON's asserts on wrong types never fire, because a
// Value answers "not that type" with nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace keyhold::json {

/// A value inside a Document.
class Value {
 public:
  enum class Type : std::uint8_t { kNull, kFalse, kTrue, kObject, kArray, kString, kNumber };

  Type type() const;
  std::optional<std::string_view> string() const;
  std::optional<bool> boolean() const;
  /// An integer that fits; a number with a fraction or an exponent that leaves one is not one.
  std::optional<std::int64_t> integer() const;
  std::optional<double> number() const;

  /// The member of that name; nothing if this is not an object or has none.
  std::optional<Value> member(std::string_view name) const;
  /// Calls `visit` for each member of an object, in the text's order, until it returns false.
  void for_each_member(const std::function<bool(std::string_view name, Value value)>& visit) const;
  /// Elements of an array, members of an object, else 0.
  std::size_t size() const;
  /// Element `index` of an array; the caller keeps to size().
  Value element(std::size_t index) const;

 private:
  friend class Document;
  explicit Value(const void* value) : value_(value) {}
  const void* value_;
};

/// Bounds on what is read, so that a small text cannot cost much.
inline constexpr std::size_t kMaxDepth = 32;

class Document {
 public:
  /// Parses `text` in place, changing it. Refused with kSerialization and no message: text that is
  /// not one JSON value in valid UTF-8, nesting deeper than kMaxDepth, and an object that names a
  /// member twice (two readers could take different ones).
  static Result<Document> parse(std::span<std::uint8_t> text);

  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  Value root() const;

 private:
  struct Impl;
  explicit Document(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Writes compact JSON. The calls must form a valid text; a wrong order is a bug.
class Writer {
 public:
  Writer();
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  Writer& begin_object();
  Writer& end_object();
  Writer& begin_array();
  Writer& end_array();
  Writer& key(std::string_view name);
  Writer& string(std::string_view text);
  Writer& integer(std::int64_t value);
  Writer& boolean(bool value);
  Writer& null();
  /// A number or a value already in JSON, written as it is.
  Writer& raw(std::string_view json);

  std::string_view text() const;
  /// The text in a buffer that is wiped, for answers that hold a plaintext.
  Secret take_secret() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyhold::json
