#include "kms/ciphertext_blob.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "base/random.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kId = "1234abcd-12ab-34cd-56ef-1234567890ab";

Bytes drawn(std::size_t size) {
  SystemRandom random;
  Bytes bytes(size);
  random.fill(bytes);
  return bytes;
}

/// A blob and the parts it was made of.
struct Sample {
  explicit Sample(Construction how, std::size_t iv_size = 12, std::size_t plaintext_size = 5)
      : construction(how),
        salt(drawn(how == Construction::kEcbDerived ? 15 : 0)),
        header_tag(drawn(how == Construction::kEcbDerived ? 16 : 0)),
        iv(drawn(iv_size)),
        ciphertext(drawn(plaintext_size + 16)),
        header(ciphertext_header(how, kId, material_id, salt, header_tag, iv_size)),
        blob(header) {
    append(blob, iv);
    append(blob, ciphertext);
  }
  Construction construction;
  Bytes material_id = drawn(32);
  Bytes salt;
  Bytes header_tag;
  Bytes iv;
  Bytes ciphertext;
  Bytes header;
  Bytes blob;
};

bool same(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

/// Every field of the blob that says something.
auto fields(const CiphertextBlob& blob) {
  const auto copy = [](ByteView bytes) { return Bytes(bytes.begin(), bytes.end()); };
  return std::tuple(blob.construction, std::string(blob.key_id), copy(blob.material_id),
                    copy(blob.salt), copy(blob.header_tag), copy(blob.iv),
                    copy(blob.ciphertext_and_tag));
}

class CiphertextBlobOfEverySuite : public ::testing::TestWithParam<Construction> {};
INSTANTIATE_TEST_SUITE_P(Suites, CiphertextBlobOfEverySuite,
                         ::testing::Values(Construction::kEcbDerived, Construction::kDirect));

TEST_P(CiphertextBlobOfEverySuite, IsTakenApartIntoWhatItWasMadeOf) {
  for (const std::size_t iv_size : {1U, 12U, 16U}) {
    for (const std::size_t plaintext_size : {0U, 1U, 4096U}) {
      const Sample sample(GetParam(), iv_size, plaintext_size);
      const auto parsed = parse_ciphertext_blob(sample.blob);
      ASSERT_TRUE(parsed);
      EXPECT_EQ(parsed->construction, sample.construction);
      EXPECT_EQ(parsed->key_id, kId);
      EXPECT_TRUE(same(parsed->material_id, sample.material_id));
      EXPECT_TRUE(same(parsed->salt, sample.salt));
      EXPECT_TRUE(same(parsed->header_tag, sample.header_tag));
      EXPECT_TRUE(same(parsed->header, sample.header));
      EXPECT_TRUE(same(parsed->iv, sample.iv));
      EXPECT_TRUE(same(parsed->ciphertext_and_tag, sample.ciphertext));
    }
  }
}

TEST_P(CiphertextBlobOfEverySuite, CutAnywhereIsNoneOrHasLessCiphertext) {
  const Sample sample(GetParam());
  const std::size_t least = sample.header.size() + sample.iv.size() + 16;
  for (std::size_t size = 0; size < sample.blob.size(); ++size) {
    const Bytes cut(sample.blob.begin(), sample.blob.begin() + static_cast<std::ptrdiff_t>(size));
    const auto parsed = parse_ciphertext_blob(cut);
    ASSERT_EQ(parsed.has_value(), size >= least) << size;
    if (parsed) {
      EXPECT_LT(parsed->ciphertext_and_tag.size(), sample.ciphertext.size());
    }
  }
}

TEST_P(CiphertextBlobOfEverySuite, ChangedInAnyByteIsNoneOrSaysSomethingElse) {
  const Sample sample(GetParam());
  const auto original = fields(*parse_ciphertext_blob(sample.blob));
  for (std::size_t at = 0; at < sample.blob.size(); ++at) {
    for (int change = 1; change < 256; ++change) {
      Bytes changed = sample.blob;
      changed[at] = static_cast<std::uint8_t>(changed[at] ^ change);
      const auto parsed = parse_ciphertext_blob(changed);
      if (at < 3) {
        ASSERT_FALSE(parsed) << at << " " << change;
      }
      if (parsed) {
        ASSERT_NE(fields(*parsed), original) << at << " " << change;
      }
    }
  }
}

TEST_P(CiphertextBlobOfEverySuite, LongerByAnythingSaysSomethingElse) {
  Sample sample(GetParam());
  const auto original = fields(*parse_ciphertext_blob(sample.blob));
  sample.blob.push_back(0);
  const auto parsed = parse_ciphertext_blob(sample.blob);
  ASSERT_TRUE(parsed);
  EXPECT_NE(fields(*parsed), original);
}

TEST_P(CiphertextBlobOfEverySuite, BindsEveryByteBeforeTheIvIntoItsHeader) {
  const Sample sample(GetParam());
  const auto parsed = parse_ciphertext_blob(sample.blob);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header.size() + parsed->iv.size() + parsed->ciphertext_and_tag.size(),
            sample.blob.size());
  EXPECT_EQ(parsed->header.data(), sample.blob.data());
}

TEST(CiphertextBlob, BeginningLikeAwsOwnIsRefused) {
  Sample sample(Construction::kEcbDerived);
  EXPECT_NE(sample.blob[0], 0x01);
  sample.blob[0] = 0x01;
  EXPECT_FALSE(parse_ciphertext_blob(sample.blob));
  // The beginning of a ciphertext of AWS KMS: 0x01 0x02 0x02 0x00, then the key's hash.
  Bytes foreign{0x01, 0x02, 0x02, 0x00};
  append(foreign, drawn(180));
  EXPECT_FALSE(parse_ciphertext_blob(foreign));
}

TEST(CiphertextBlob, OfAnotherVersionOrSuiteIsRefused) {
  const Sample sample(Construction::kEcbDerived);
  for (int version = 0; version < 256; ++version) {
    Bytes other = sample.blob;
    other[2] = static_cast<std::uint8_t>(version);
    EXPECT_EQ(parse_ciphertext_blob(other).has_value(), version == sample.blob[2]) << version;
  }
  for (int suite = 0; suite < 256; ++suite) {
    Bytes other(200, 1);
    std::ranges::copy(std::array<std::uint8_t, 3>{'K', 'H', 1}, other.begin());
    other[3] = static_cast<std::uint8_t>(suite);
    const bool known = suite == static_cast<int>(Construction::kEcbDerived) ||
                       suite == static_cast<int>(Construction::kDirect);
    EXPECT_EQ(parse_ciphertext_blob(other).has_value(), known) << suite;
  }
}

TEST(CiphertextBlob, WithoutKeyIdOrWithAnIvThatCannotBeIsRefused) {
  const Bytes id(32, 7);
  const auto blob_with = [&](std::string_view key_id, std::size_t iv_size) {
    Bytes blob = ciphertext_header(Construction::kDirect, key_id, id, {}, {}, iv_size);
    append(blob, Bytes(iv_size + 16, 9));
    return blob;
  };
  EXPECT_TRUE(parse_ciphertext_blob(blob_with("k", 12)));
  EXPECT_FALSE(parse_ciphertext_blob(blob_with("", 12)));
  EXPECT_FALSE(parse_ciphertext_blob(blob_with("k", 0)));
  EXPECT_FALSE(parse_ciphertext_blob(blob_with("k", 17)));
}

TEST(CiphertextBlob, IsNotReadOutOfNoise) {
  for (int i = 0; i < 20'000; ++i) {
    Bytes noise = drawn(static_cast<std::size_t>(i % 300));
    if (noise.size() > 4)
      std::ranges::copy(std::array<std::uint8_t, 4>{'K', 'H', 1, 1}, noise.begin());
    const auto parsed = parse_ciphertext_blob(noise);
    if (!parsed) continue;
    // Whatever is read lies within the bytes that were given.
    EXPECT_EQ(parsed->header.size() + parsed->iv.size() + parsed->ciphertext_and_tag.size(),
              noise.size());
  }
}

}  // namespace
}  // namespace keyhold::kms
