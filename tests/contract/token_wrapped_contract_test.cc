// Key materials of wrapped custody: made, used, wrapped anew, and refused where their form outside
// of the token was changed.
#include "token_contract.h"

namespace keyhold::token::contract {
namespace {

class TokenWrappedContract : public TokenContract {
 protected:
  CustodyKey custody_key() {
    const ObjectName name = draw_name();
    auto made = token().generate_custody_key(name);
    if (!made) throw std::runtime_error(why(made));
    return {name, std::move(*made)};
  }

  /// A custody key is two secret keys of one name. Where the second takes the first's place, the
  /// proof of the new key notices.
  bool is_refused_for_its_names() {
    if (!known().merges_secret_keys()) return false;
    const std::size_t before = count_objects();
    const auto made = token().generate_custody_key(draw_name());
    EXPECT_FALSE(made) << "two keys of one name are kept after all";
    if (made) return true;
    EXPECT_EQ(made.error().code(), ErrorCode::kKmsInternal) << why(made);
    EXPECT_EQ(count_objects(), before + 1);
    return true;
  }

  /// Of secret keys that the token holds wrapped, one of each spec.
  static std::vector<MaterialKind> wrapped_kinds() {
    std::vector<MaterialKind> all;
    for (const MaterialKind kind : kinds()) {
      if (!is_pair(kind.spec) && known().holds_wrapped(kind.spec)) all.push_back(kind);
    }
    return all;
  }

  Material generate_wrapped(const CustodyKey& key, MaterialKind kind) {
    const ObjectName name = draw_name();
    Material material = stored(name, kind, {});
    auto made = token().generate_wrapped_material(key, name, kind, material.subject);
    if (!made) throw std::runtime_error(why(made));
    const Bytes subject = material.subject;
    material = stored(name, kind, *made);
    material.subject = subject;
    material.wrapped = std::make_shared<const WrappedForm>(*made->wrapped);
    return material;
  }

  /// What it computes: a MAC, or whether it encrypts and decrypts.
  Bytes use(const Material& material) {
    if (row_of(material.kind.spec).form == KeyForm::kHmac) {
      const Algorithm algorithm = algorithms_of(material.kind.spec, material.kind.usage).front();
      const auto mac = token().sign(material, algorithm, kRaw);
      if (!mac) throw std::runtime_error(why(mac));
      return *mac;
    }
    const auto key = token().encryption_key(material);
    if (!key) throw std::runtime_error(why(key));
    Bytes iv(token().iv_size());
    random_.fill(iv);
    const auto sealed = token().encrypt(**key, iv, {}, kMessage);
    if (!sealed) throw std::runtime_error(why(sealed));
    const auto opened = token().decrypt(**key, iv, {}, *sealed);
    if (!opened) throw std::runtime_error(why(opened));
    return Bytes(opened->view().begin(), opened->view().end());
  }

  void expect_refused(const Material& material) {
    const auto checked = token().check_material(material);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code(), ErrorCode::kKmsInternal) << why(checked);
  }
};

TEST_F(TokenWrappedContract, OfEachSecretKindWorkBeforeAndAfterARestartAndANewWrapping) {
  const auto all = wrapped_kinds();
  if (all.empty() || is_refused_for_its_names()) return;
  const CustodyKey first = custody_key();
  const CustodyKey second = custody_key();
  for (const MaterialKind kind : all) {
    SCOPED_TRACE(name_of(kind));
    const std::size_t before = count_objects();
    Material material = generate_wrapped(first, kind);
    EXPECT_EQ(material.custody, Custody::kWrapped);
    EXPECT_EQ(count_objects(), before) << "it has an object in the token";
    const auto shown = token().wrapped_evidence(material);
    ASSERT_TRUE(shown) << why(shown);
    EXPECT_EQ(shown->wrapping_key.extractable, false);
    EXPECT_EQ(shown->unwrapped.sensitive, true);
    EXPECT_EQ(shown->unwrapped.extractable, false);
    const Bytes computed = use(material);
    close();
    open();
    const auto checked = token().check_material(material);
    EXPECT_TRUE(checked) << why(checked);
    EXPECT_EQ(use(material), computed);
    const auto anew = token().rewrap_material(material, second);
    ASSERT_TRUE(anew) << why(anew);
    material.wrapped = std::make_shared<const WrappedForm>(*anew);
    EXPECT_EQ(use(material), computed);
  }
}

TEST_F(TokenWrappedContract, WhoseFormIsAnothersOrWasChangedAreRefused) {
  const auto all = wrapped_kinds();
  if (all.empty() || is_refused_for_its_names()) return;
  const CustodyKey key = custody_key();
  for (const MaterialKind kind : all) {
    SCOPED_TRACE(name_of(kind));
    const Material material = generate_wrapped(key, kind);
    const Material other = generate_wrapped(key, kind);
    close();
    open();
    Material changed = material;
    changed.wrapped = other.wrapped;
    expect_refused(changed);
    WrappedForm form = *material.wrapped;
    form.blob.back() ^= 1;
    changed.wrapped = std::make_shared<const WrappedForm>(form);
    expect_refused(changed);
    form = *material.wrapped;
    form.seal.front() ^= 1;
    changed.wrapped = std::make_shared<const WrappedForm>(form);
    expect_refused(changed);
    const auto checked = token().check_material(material);
    EXPECT_TRUE(checked) << why(checked);
  }
}

}  // namespace
}  // namespace keyhold::token::contract
