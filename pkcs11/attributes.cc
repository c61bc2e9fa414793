#include "pkcs11/attributes.h"

#include <algorithm>

namespace keyhold::pkcs11 {
namespace {

template <typename T>
ByteView bytes_of(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

}  // namespace

Attributes& Attributes::flag(CK_ATTRIBUTE_TYPE type, CK_BBOOL value) {
  return bytes(type, bytes_of(value));
}

Attributes& Attributes::number(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  return bytes(type, bytes_of(value));
}

Attributes& Attributes::bytes(CK_ATTRIBUTE_TYPE type, ByteView value) {
  Entry& it = entry(type);
  it.value = SecretBytes(value);
  it.nested.reset();
  return *this;
}

Attributes& Attributes::text(CK_ATTRIBUTE_TYPE type, std::string_view value) {
  return bytes(type, {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()});
}

Attributes& Attributes::mechanisms(CK_ATTRIBUTE_TYPE type,
                                   std::span<const CK_MECHANISM_TYPE> value) {
  return bytes(type, {reinterpret_cast<const std::uint8_t*>(value.data()), value.size_bytes()});
}

Attributes& Attributes::nested(CK_ATTRIBUTE_TYPE type, Attributes value) {
  Entry& it = entry(type);
  it.value = SecretBytes();
  it.nested = std::make_shared<const Attributes>(std::move(value));
  return *this;
}

Attributes& Attributes::remove(CK_ATTRIBUTE_TYPE type) {
  std::erase_if(entries_, [&](const Entry& it) { return it.type == type; });
  return *this;
}

Attributes::Entry& Attributes::entry(CK_ATTRIBUTE_TYPE type) {
  const auto it = std::ranges::find(entries_, type, &Entry::type);
  if (it != entries_.end()) return *it;
  return entries_.emplace_back(Entry{type, SecretBytes(), nullptr});
}

const Attributes::Entry* Attributes::find(CK_ATTRIBUTE_TYPE type) const {
  const auto it = std::ranges::find(entries_, type, &Entry::type);
  return it != entries_.end() ? &*it : nullptr;
}

bool Attributes::has(CK_ATTRIBUTE_TYPE type) const { return find(type) != nullptr; }

std::vector<CK_ATTRIBUTE_TYPE> Attributes::types() const {
  std::vector<CK_ATTRIBUTE_TYPE> types;
  types.reserve(entries_.size());
  for (const Entry& it : entries_) types.push_back(it.type);
  return types;
}

std::optional<ByteView> Attributes::value(CK_ATTRIBUTE_TYPE type) const {
  const Entry* it = find(type);
  if (it == nullptr || it->nested) return std::nullopt;
  return it->value.view();
}

const Attributes* Attributes::nested_value(CK_ATTRIBUTE_TYPE type) const {
  const Entry* it = find(type);
  return it != nullptr ? it->nested.get() : nullptr;
}

Attributes::Raw Attributes::raw() const {
  Raw raw;
  raw.attributes_.reserve(entries_.size());
  for (const Entry& it : entries_) {
    if (it.nested) {
      Raw& inner = *raw.nested_.emplace_back(std::make_unique<Raw>(it.nested->raw()));
      raw.attributes_.push_back(
          CK_ATTRIBUTE{it.type, inner.data(), inner.size() * CK_ULONG{sizeof(CK_ATTRIBUTE)}});
    } else {
      raw.attributes_.push_back(
          CK_ATTRIBUTE{it.type, input(it.value.view()), length(it.value.view())});
    }
  }
  return raw;
}

}  // namespace keyhold::pkcs11
