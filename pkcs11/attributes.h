// Templates: lists of attributes that own their values.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "pkcs11/cryptoki.h"
#include "pkcs11/secret.h"

namespace keyhold::pkcs11 {

/// An attribute template. Order is kept, for modules that refuse what follows certain attributes;
/// an attribute set again changes its value and keeps its place. Values are wiped in the end, since
/// CKA_VALUE may be one of them.
class Attributes {
 public:
  Attributes& yes(CK_ATTRIBUTE_TYPE type) { return flag(type, CK_TRUE); }
  Attributes& no(CK_ATTRIBUTE_TYPE type) { return flag(type, CK_FALSE); }
  Attributes& number(CK_ATTRIBUTE_TYPE type, CK_ULONG value);
  Attributes& bytes(CK_ATTRIBUTE_TYPE type, ByteView value);
  Attributes& text(CK_ATTRIBUTE_TYPE type, std::string_view value);
  /// CKA_ALLOWED_MECHANISMS.
  Attributes& mechanisms(CK_ATTRIBUTE_TYPE type, std::span<const CK_MECHANISM_TYPE> value);
  Attributes& mechanisms(CK_ATTRIBUTE_TYPE type, std::initializer_list<CK_MECHANISM_TYPE> value) {
    return mechanisms(type, std::span(value.begin(), value.size()));
  }
  /// CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE.
  Attributes& nested(CK_ATTRIBUTE_TYPE type, Attributes value);
  Attributes& remove(CK_ATTRIBUTE_TYPE type);

  bool has(CK_ATTRIBUTE_TYPE type) const;
  bool empty() const { return entries_.empty(); }
  std::size_t size() const { return entries_.size(); }
  /// In order.
  std::vector<CK_ATTRIBUTE_TYPE> types() const;
  /// The bytes as Cryptoki gets them (CK_BBOOL, CK_ULONG, …); nothing if not set or nested.
  std::optional<ByteView> value(CK_ATTRIBUTE_TYPE type) const;
  /// Nothing if not set or not nested.
  const Attributes* nested_value(CK_ATTRIBUTE_TYPE type) const;

  /// The template in C's form. Refers to the Attributes' values: valid while those live unchanged.
  class Raw {
   public:
    /// Never null, for modules that refuse null beside a count of 0.
    CK_ATTRIBUTE* data() { return attributes_.empty() ? &nothing_ : attributes_.data(); }
    CK_ULONG size() const { return static_cast<CK_ULONG>(attributes_.size()); }

   private:
    friend class Attributes;
    std::vector<CK_ATTRIBUTE> attributes_;
    std::vector<std::unique_ptr<Raw>> nested_;
    CK_ATTRIBUTE nothing_{};
  };
  Raw raw() const;

 private:
  struct Entry {
    CK_ATTRIBUTE_TYPE type;
    SecretBytes value;
    std::shared_ptr<const Attributes> nested;
  };

  Attributes& flag(CK_ATTRIBUTE_TYPE type, CK_BBOOL value);
  Entry& entry(CK_ATTRIBUTE_TYPE type);
  const Entry* find(CK_ATTRIBUTE_TYPE type) const;

  std::vector<Entry> entries_;
};

}  // namespace keyhold::pkcs11
