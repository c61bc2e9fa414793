#include "kms/ciphertext_blob.h"

#include <array>

namespace keyhold::kms {
namespace {

constexpr std::array<std::uint8_t, 3> kMagicAndVersion = {'K', 'H', 1};
constexpr std::size_t kMaterialIdSize = 32;
constexpr std::size_t kTagSize = 16;
constexpr std::size_t kMaxIvSize = 16;

struct Suite {
  Construction construction;
  std::size_t salt_size;
  std::size_t header_tag_size;
};
constexpr auto kSuites = std::to_array<Suite>({
    {Construction::kEcbDerived, 15, 16},
    {Construction::kDirect, 0, 0},
});

const Suite* find_suite(std::uint8_t byte) {
  for (const Suite& suite : kSuites) {
    if (static_cast<std::uint8_t>(suite.construction) == byte) return &suite;
  }
  return nullptr;
}

/// Takes bytes off the front; after a request for more than there is, everything is empty.
class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  ByteView take(std::size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  std::uint8_t take_byte() {
    const ByteView byte = take(1);
    return byte.empty() ? std::uint8_t{0} : byte[0];
  }
  std::size_t left() const { return rest_.size(); }
  bool failed() const { return failed_; }

 private:
  ByteView rest_;
  bool failed_ = false;
};

}  // namespace

std::optional<CiphertextBlob> parse_ciphertext_blob(ByteView blob) {
  Reader reader(blob);
  for (const std::uint8_t expected : kMagicAndVersion) {
    if (reader.take_byte() != expected) return std::nullopt;
  }
  const Suite* suite = find_suite(reader.take_byte());
  if (suite == nullptr) return std::nullopt;

  CiphertextBlob parsed;
  parsed.construction = suite->construction;
  parsed.key_id = as_text(reader.take(reader.take_byte()));
  parsed.material_id = reader.take(kMaterialIdSize);
  parsed.salt = reader.take(suite->salt_size);
  parsed.header_tag = reader.take(suite->header_tag_size);
  const std::size_t iv_size = reader.take_byte();
  if (reader.failed() || parsed.key_id.empty() || iv_size == 0 || iv_size > kMaxIvSize) {
    return std::nullopt;
  }
  parsed.header = blob.first(blob.size() - reader.left());
  parsed.iv = reader.take(iv_size);
  if (reader.failed() || reader.left() < kTagSize) return std::nullopt;
  parsed.ciphertext_and_tag = reader.take(reader.left());
  return parsed;
}

Bytes ciphertext_header(Construction construction, std::string_view key_id, ByteView material_id,
                        ByteView salt, ByteView header_tag, std::size_t iv_size) {
  Bytes header(kMagicAndVersion.begin(), kMagicAndVersion.end());
  header.reserve(header.size() + 3 + key_id.size() + material_id.size() + salt.size() +
                 header_tag.size());
  header.push_back(static_cast<std::uint8_t>(construction));
  header.push_back(static_cast<std::uint8_t>(key_id.size()));
  append(header, as_bytes(key_id));
  append(header, material_id);
  append(header, salt);
  append(header, header_tag);
  header.push_back(static_cast<std::uint8_t>(iv_size));
  return header;
}

}  // namespace keyhold::kms
