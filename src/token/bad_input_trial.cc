#include "token/bad_input_trial.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/key_wrapping.h"
#include "token/native_key.h"
#include "token/pkcs11_names.h"
#include "token/probe_key.h"
#include "token/token_error.h"

namespace keyhold::token {
namespace {

constexpr std::string_view kLabel = "keyhold probe";
constexpr std::array kPaddings = {Algorithm::kRsaesOaepSha1, Algorithm::kRsaesOaepSha256};

Bytes with_last_bit_changed(Bytes bytes) {
  bytes.back() ^= 1;
  return bytes;
}

/// As long as a modulus of RSA-2048 and below it, but no padded message.
Bytes unpadded_block() { return Bytes(256, 0x01); }
Bytes above_modulus() { return Bytes(256, 0xff); }

class BadInputTrials {
 public:
  BadInputTrials(TokenLink& link, Random& random) : link_(link) {
    random.fill({aes_key_.data(), aes_key_.size()});
  }

  Result<BadInputAnswers> run() {
    decrypt_blocks();
    unwrap_blocks();
    unwrap_wrapped_keys();
    for (auto* codes : {&answers_.decrypt_codes, &answers_.unwrap_codes}) {
      std::ranges::sort(*codes);
    }
    link_.objects().collect();
    // What a token answers that is gone says nothing about it.
    const auto there = link_.look();
    if (!there) return to_error(there.error(), "trying what it refuses");
    return std::move(answers_);
  }

 private:
  using Call = std::function<pkcs11::Result<void>(ByteView input)>;

  void not_shown(std::string act, const pkcs11::Error& error) {
    answers_.acts.push_back({std::move(act), Outcome::kNotShown, error.text()});
  }

  void remember(const pkcs11::Error& error) {
    if (means_bad_wrapped_key(error)) return;
    auto& codes = error.function() == "C_Decrypt" ? answers_.decrypt_codes : answers_.unwrap_codes;
    if (std::ranges::count(codes, error.rv()) == 0) codes.push_back(error.rv());
  }

  /// `function`: what has to refuse each of the bad ones, once it has taken the whole one.
  void expect_refusals(std::string act, std::string_view function, const Call& call, ByteView whole,
                       const std::vector<Bytes>& bad) {
    if (const auto taken = call(whole); !taken) return not_shown(std::move(act), taken.error());
    std::vector<std::string> said;
    for (const Bytes& input : bad) {
      const auto refused = call(input);
      if (refused) {
        answers_.acts.push_back(
            {std::move(act), Outcome::kRefused, std::string(function) + ": success"});
        return;
      }
      if (refused.error().function() != function) return not_shown(std::move(act), refused.error());
      remember(refused.error());
      if (std::string text = refused.error().text(); std::ranges::count(said, text) == 0) {
        said.push_back(std::move(text));
      }
    }
    std::string detail;
    for (const std::string& text : said) detail.append(detail.empty() ? "" : ", ").append(text);
    answers_.acts.push_back({std::move(act), Outcome::kSucceeded, std::move(detail)});
  }

  /// Blocks that are longer than the modulus, or no less than it, never reach the token, except
  /// from an import whose padding the service removes.
  void decrypt_blocks() {
    const bool staged = link_.profile().oaep_padding == OaepPadding::kRemovedInService;
    const MaterialKind kind{KeySpec::kRsa2048, KeyUsage::kEncryptDecrypt};
    const auto pair =
        put_probe_pair(link_, pair_templates(link_.profile(), Residence::kSession, kind,
                                             staged ? Custody::kHostStaged : Custody::kResident,
                                             as_bytes(kLabel), kLabel));
    for (const Algorithm padding : kPaddings) decrypt_block(pair, row_of(padding));
    if (!staged) return;
    const std::string act = "refuse a number that is not below the modulus, by CKM_RSA_X_509";
    if (!pair) return not_shown(act, pair.error());
    const auto decrypt = [&](ByteView block) {
      Secret opened(block.size());
      return decrypt_bare(link_, pair->private_key.handle(), block, {opened.data(), opened.size()});
    };
    expect_refusals(act, "C_Decrypt", decrypt, unpadded_block(), {above_modulus()});
  }

  void decrypt_block(const pkcs11::Result<ProbePair>& pair, const AlgorithmRow& padding) {
    std::string act = "refuse an RSA block that was changed, by " + find_kind(padding)->name;
    if (!pair) return not_shown(std::move(act), pair.error());
    const auto decrypt = [&](ByteView block) -> pkcs11::Result<void> {
      PKCS11_TRY(decrypt_padded(link_, pair->private_key.handle(), padding, block));
      return {};
    };
    const Bytes block = pair->public_key->encrypt(padding, aes_key_.view()).value();
    expect_refusals(std::move(act), "C_Decrypt", decrypt, block,
                    {with_last_bit_changed(block), unpadded_block()});
  }

  static std::string wrapped_key_act(std::string_view mechanism) {
    return "refuse a wrapped key that was changed, by " + std::string(mechanism);
  }

  /// Those that key material is imported in.
  void unwrap_blocks() {
    const auto pair = put_probe_pair(
        link_, wrapping_key_templates(link_.profile(), Residence::kSession, KeySpec::kRsa2048,
                                      Place::kToken, as_bytes(kLabel), kLabel));
    for (const Algorithm algorithm : kPaddings) {
      const AlgorithmRow& padding = row_of(algorithm);
      std::string act = wrapped_key_act(find_kind(padding)->name);
      const auto mechanism = mechanism_of(padding);
      if (!pair || !mechanism) {
        not_shown(std::move(act), pair ? mechanism.error() : pair.error());
        continue;
      }
      const auto unwrap = [&](ByteView block) -> pkcs11::Result<void> {
        PKCS11_TRY(link_.objects().unwrap(
            *mechanism, pair->private_key.handle(), block,
            unwrapping_key_template(link_.profile(), std::array{CKM_AES_KEY_WRAP_PAD})));
        return {};
      };
      const Bytes block = pair->public_key->encrypt(padding, aes_key_.view()).value();
      expect_refusals(std::move(act), "C_UnwrapKey", unwrap, block,
                      {with_last_bit_changed(block), unpadded_block(), above_modulus()});
    }
  }

  void unwrap_wrapped_keys() {
    const Profile& profile = link_.profile();
    const auto generate = [&](const pkcs11::Attributes& attributes) {
      return link_.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN), attributes);
    };
    const auto wrapping_key = generate(
        custody_wrapping_key_template(profile, Residence::kSession, as_bytes(kLabel), kLabel));
    const auto key = generate(generated_to_wrap_template(profile, {}));
    const auto unwrap = [&](ByteView blob) -> pkcs11::Result<void> {
      PKCS11_TRY(
          token::unwrap(link_, blob, wrapping_key->handle(),
                        unwrapped_to_use_template(profile, {}, construction_of(profile, {}))));
      return {};
    };
    for (const CK_MECHANISM_TYPE type : wrap_mechanisms_of(profile)) {
      std::string act = wrapped_key_act(wrap_mechanism_name(type));
      if (!wrapping_key || !key) {
        not_shown(std::move(act), wrapping_key ? key.error() : wrapping_key.error());
        continue;
      }
      const auto blob = wrap(link_, type, wrapping_key->handle(), key->handle());
      if (!blob) {
        not_shown(std::move(act), blob.error());
        continue;
      }
      expect_refusals(std::move(act), "C_UnwrapKey", unwrap, *blob,
                      {with_last_bit_changed(*blob), Bytes(blob->begin(), blob->end() - 8)});
    }
  }

  TokenLink& link_;
  Secret aes_key_{std::size_t{32}};
  BadInputAnswers answers_;
};

}  // namespace

Result<BadInputAnswers> try_bad_input(TokenLink& link, Random& random) {
  return BadInputTrials(link, random).run();
}

}  // namespace keyhold::token
