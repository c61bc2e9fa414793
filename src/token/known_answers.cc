#include "token/known_answer_trial.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "pkcs11/crypto.h"
#include "pkcs11/object.h"

namespace keyhold::token {
namespace {

using pkcs11::Mechanism;

/// SP 800-38A, appendix F.1.5, and SP 800-38B, appendix D.3, have the same key.
constexpr std::string_view kNistKey =
    "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
constexpr std::string_view kCountingKey =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr std::string_view kWrappingKey = "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8";

/// A key of known value does something and answers something.
struct Vector {
  std::string_view name;
  std::string_view source;
  CK_KEY_TYPE key_type;
  std::string_view key;    ///< hexadecimal, as all below
  std::string_view input;  ///< a message, or the value of the key that is wrapped
  std::string_view answer;
};

/// RFC 4231, section 4.7: a key that no hash is longer than, which tokens ask for.
constexpr std::string_view kHmacKey =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aa"
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static_assert(kHmacKey.size() == 2UL * 131);
constexpr std::string_view kHmacMessage =
    "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b65"
    "79"
    "204669727374";

Bytes hex(std::string_view text) { return *from_hex(text); }

using Call = std::function<pkcs11::Result<Bytes>(pkcs11::ObjectHandle key)>;

class Trials {
 public:
  explicit Trials(TokenLink& link) : link_(link) {}

  std::vector<KnownAnswer> run() {
    gcm();
    macs();
    derivation();
    wrapping();
    link_.objects().collect();
    return std::move(answers_);
  }

 private:
  /// What this token lacks shows nothing about what it computes.
  static bool is_absence(const pkcs11::Error& error) {
    constexpr std::array kAbsences = {CKR_MECHANISM_INVALID, CKR_FUNCTION_NOT_SUPPORTED,
                                      CKR_MECHANISM_PARAM_INVALID};
    return std::ranges::find(kAbsences, error.rv()) != kAbsences.end();
  }

  void note(const Vector& vector, const pkcs11::Result<Bytes>& answer) {
    KnownAnswer known{
        std::string(vector.name), std::string(vector.source), Outcome::kSucceeded, {}};
    if (!answer) {
      known.outcome = is_absence(answer.error()) ? Outcome::kNotShown : Outcome::kRefused;
      known.detail = answer.error().text();
    } else if (*answer != hex(vector.answer)) {
      known.outcome = Outcome::kRefused;
      known.detail = "another answer than the published one";
    }
    answers_.push_back(std::move(known));
  }

  pkcs11::Attributes secret(CK_KEY_TYPE type, ByteView value) const {
    pkcs11::Attributes attributes;
    attributes.number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, type)
        .no(CKA_TOKEN)
        .bytes(CKA_VALUE, value);
    return attributes;
  }

  /// Makes the vector's key, with those usages, and asks.
  void try_one(const Vector& vector, std::initializer_list<CK_ATTRIBUTE_TYPE> usages,
               const Call& call) {
    pkcs11::Attributes attributes = secret(vector.key_type, hex(vector.key));
    attributes.yes(CKA_PRIVATE);
    for (const CK_ATTRIBUTE_TYPE usage : usages) attributes.yes(usage);
    const auto key = link_.objects().create(attributes);
    if (key) return note(vector, call(key->handle()));
    answers_.push_back({std::string(vector.name), std::string(vector.source), Outcome::kNotShown,
                        "no key of a known value: " + key.error().text()});
  }

  void gcm() {
    constexpr Vector kVector = {
        "CKM_AES_GCM",
        "McGrew and Viega, The Galois/Counter Mode of Operation, test case 16",
        CKK_AES,
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449"
        "a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056"
        "828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"};
    try_one(kVector, {CKA_ENCRYPT, CKA_DECRYPT},
            [&](pkcs11::ObjectHandle key) -> pkcs11::Result<Bytes> {
              Bytes iv = hex("cafebabefacedbaddecaf888");
              if (link_.iv_size() != iv.size())
                return pkcs11::Error(CKR_MECHANISM_PARAM_INVALID, "C_Encrypt");
              return link_.encrypt(key, iv, hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
                                   hex(kVector.input));
            });
  }

  void macs() {
    struct Mac {
      Vector vector;
      CK_MECHANISM_TYPE mechanism;
    };
    constexpr std::string_view kRfc4231 = "RFC 4231, section 4.7";
    const std::array<Mac, 5> macs = {{
        {{"CKM_AES_CMAC", "SP 800-38B, appendix D.3", CKK_AES, kNistKey,
          "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
          "aaf3d8f1de5640c232f5b169b9c911e6"},
         CKM_AES_CMAC},
        {{"CKM_SHA224_HMAC", kRfc4231, CKK_GENERIC_SECRET, kHmacKey, kHmacMessage,
          "95e9a0db962095adaebe9b2d6f0dbce2d499f112f2d2b7273fa6870e"},
         CKM_SHA224_HMAC},
        {{"CKM_SHA256_HMAC", kRfc4231, CKK_GENERIC_SECRET, kHmacKey, kHmacMessage,
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
         CKM_SHA256_HMAC},
        {{"CKM_SHA384_HMAC", kRfc4231, CKK_GENERIC_SECRET, kHmacKey, kHmacMessage,
          "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df1"
          "63f44952"},
         CKM_SHA384_HMAC},
        {{"CKM_SHA512_HMAC", kRfc4231, CKK_GENERIC_SECRET, kHmacKey, kHmacMessage,
          "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd221"
          "5d6a1e5295e64f73f63f0aec8b915a985d786598"},
         CKM_SHA512_HMAC},
    }};
    for (const Mac& mac : macs) {
      try_one(mac.vector, {CKA_SIGN}, [&](pkcs11::ObjectHandle key) {
        return link_.on_session([&](pkcs11::Session& session) {
          return pkcs11::sign(session, Mechanism::plain(mac.mechanism), key, hex(mac.vector.input));
        });
      });
    }
  }

  /// The derived key is told by the CMAC of nothing under it, so that it need not be readable.
  void derivation() {
    constexpr Vector kVector = {"CKM_AES_ECB_ENCRYPT_DATA",
                                "SP 800-38A, appendix F.1.5",
                                CKK_AES,
                                kNistKey,
                                "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
                                "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"};
    try_one(kVector, {CKA_DERIVE}, [&](pkcs11::ObjectHandle key) -> pkcs11::Result<Bytes> {
      PKCS11_TRY_ASSIGN(const auto mechanism, Mechanism::ecb_encrypt_data(hex(kVector.input)));
      pkcs11::Attributes wanted;
      wanted.number(CKA_CLASS, CKO_SECRET_KEY)
          .number(CKA_KEY_TYPE, CKK_AES)
          .number(CKA_VALUE_LEN, hex(kVector.answer).size())
          .no(CKA_TOKEN)
          .yes(CKA_SIGN);
      PKCS11_TRY_ASSIGN(const auto derived, link_.objects().derive(mechanism, key, wanted));
      PKCS11_TRY_ASSIGN(const Bytes tag, link_.cmac(derived.handle(), as_bytes("keyhold")));
      pkcs11::Attributes same = secret(CKK_AES, hex(kVector.answer));
      same.yes(CKA_PRIVATE).yes(CKA_SIGN);
      PKCS11_TRY_ASSIGN(const auto expected, link_.objects().create(same));
      PKCS11_TRY_ASSIGN(const Bytes expected_tag,
                        link_.cmac(expected.handle(), as_bytes("keyhold")));
      return tag == expected_tag ? hex(kVector.answer) : Bytes();
    });
  }

  void wrapping() {
    struct Wrap {
      Vector vector;
      CK_MECHANISM_TYPE mechanism;
      CK_KEY_TYPE wrapped;
    };
    constexpr std::string_view kRfc3394 = "RFC 3394, section 4.6";
    constexpr std::string_view kRfc5649 = "RFC 5649, section 6";
    constexpr std::string_view kPadded = "c37b7e6492584340bed12207808941155068f738";
    constexpr std::string_view kPaddedWrapped =
        "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a";
    constexpr CK_MECHANISM_TYPE kKeyWrapKwp = 0x210B;  // PKCS#11 3.0; p11-kit's header is older
    const std::array<Wrap, 3> wraps = {{
        {{"CKM_AES_KEY_WRAP", kRfc3394, CKK_AES, kCountingKey,
          "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
          "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
         CKM_AES_KEY_WRAP,
         CKK_AES},
        {{"CKM_AES_KEY_WRAP_PAD", kRfc5649, CKK_AES, kWrappingKey, kPadded, kPaddedWrapped},
         CKM_AES_KEY_WRAP_PAD,
         CKK_GENERIC_SECRET},
        {{"CKM_AES_KEY_WRAP_KWP", kRfc5649, CKK_AES, kWrappingKey, kPadded, kPaddedWrapped},
         kKeyWrapKwp,
         CKK_GENERIC_SECRET},
    }};
    for (const Wrap& wrap : wraps) {
      try_one(wrap.vector, {CKA_WRAP}, [&](pkcs11::ObjectHandle key) -> pkcs11::Result<Bytes> {
        pkcs11::Attributes attributes = secret(wrap.wrapped, hex(wrap.vector.input));
        attributes.yes(CKA_PRIVATE).no(CKA_SENSITIVE).yes(CKA_EXTRACTABLE);
        PKCS11_TRY_ASSIGN(const auto wrapped, link_.objects().create(attributes));
        return link_.on_session([&](pkcs11::Session& session) {
          return pkcs11::wrap_key(session, Mechanism::plain(wrap.mechanism), key, wrapped.handle());
        });
      });
    }
  }

  TokenLink& link_;
  std::vector<KnownAnswer> answers_;
};

}  // namespace

std::vector<KnownAnswer> try_known_answers(TokenLink& link) { return Trials(link).run(); }

}  // namespace keyhold::token
