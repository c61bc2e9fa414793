#include "token_contract.h"

#include <stdexcept>

namespace keyhold::token::contract {

std::unique_ptr<Pkcs11Token> TokenContract::token_;
std::optional<Error> TokenContract::refusal_;
SystemRandom TokenContract::random_;
ManualClock TokenContract::clock_{TimePoint(std::chrono::hours(500'000))};

std::string lack_in(const Error& error) {
  constexpr std::string_view kMark = " is not supported: ";
  const std::string& sentence = error.message();
  const std::size_t at = sentence.find(kMark);
  if (at == std::string::npos || !sentence.ends_with('.')) return {};
  return sentence.substr(at + kMark.size(), sentence.size() - at - kMark.size() - 1);
}

void TokenContract::SetUpTestSuite() {
  if (known().is_usable()) return open();
  if (refusal_) return;
  const auto refused = try_open(AdmissionRule::kEnforced);
  ASSERT_FALSE(refused) << "admitted, although it is known: " << known().refusal();
  refusal_ = refused.error();
}
void TokenContract::TearDownTestSuite() { close(); }

void TokenContract::SetUp() {
  if (refusal_) {
    EXPECT_EQ(refusal_->code(), ErrorCode::kKmsInternal);
    EXPECT_EQ(refusal_->detail(), known().refusal());
    GTEST_SKIP() << "refused: " << refusal_->detail();
  }
  ASSERT_TRUE(token_);
  objects_before_ = count_objects();
}

void TokenContract::TearDown() {
  if (refusal_) return;
  if (!token_) open();
  ASSERT_TRUE(token_);
  for (const ObjectName& name : names_) {
    const auto destroyed = token_->destroy_material(name);
    EXPECT_TRUE(destroyed) << why(destroyed);
  }
  EXPECT_EQ(count_objects(), objects_before_) << "objects were left in the token, or destroyed";
}

Result<std::unique_ptr<Pkcs11Token>> TokenContract::try_open(AdmissionRule rule) {
  return Pkcs11Token::open(known().profile(), known().pin(), clock_, random_, WhenAbsent::kRefuse,
                           rule);
}

void TokenContract::open() {
  auto opened =
      try_open(known().refusal().empty() ? AdmissionRule::kEnforced : AdmissionRule::kObserved);
  ASSERT_TRUE(opened) << why(opened);
  token_ = std::move(*opened);
}

ObjectName TokenContract::draw_name() {
  names_.push_back(ObjectName::draw(random_));
  return names_.back();
}

Material TokenContract::stored(const ObjectName& name, MaterialKind kind,
                               const GeneratedMaterial& made) {
  Material material;
  material.object_name = name;
  material.construction = made.construction;
  material.check_value = made.check_value;
  material.subject = {1, 2, 3};
  material.kind = kind;
  material.custody = made.custody;
  if (!made.public_key.empty()) {
    material.public_key = std::make_shared<const PublicKey>(made.public_key);
  }
  return material;
}

std::optional<Material> TokenContract::generate(MaterialKind kind) {
  const ObjectName name = draw_name();
  const auto made = token().generate_material(name, "a key", kind);
  if (!as_known(made, known().lack(kind))) return std::nullopt;
  return stored(name, kind, *made);
}

std::vector<MaterialKind> TokenContract::kinds() {
  std::vector<MaterialKind> all;
  for (const KeySpecRow& row : key_spec_rows()) {
    for (const KeyUsage usage : row.usages) {
      if (row.spec == KeySpec::kRsa3072 && usage != KeyUsage::kSignVerify) continue;
      if (row.spec == KeySpec::kRsa4096 && usage != KeyUsage::kEncryptDecrypt) continue;
      all.push_back({row.spec, usage});
    }
  }
  return all;
}

std::string TokenContract::name_of(MaterialKind kind) {
  return std::string(to_string(kind.spec)) + " " + std::string(to_string(kind.usage));
}

std::size_t TokenContract::count_objects() const {
  const auto listed = token_->list_objects();
  EXPECT_TRUE(listed) << why(listed);
  return listed ? listed->size() : 0;
}

}  // namespace keyhold::token::contract
