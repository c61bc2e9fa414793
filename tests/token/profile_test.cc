#include "token/profile.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pkcs11/cryptoki.h"
#include "tests/support/places.h"

namespace keyhold::token {
namespace {

constexpr const char* kLeast = "[module]\npath = \"/m.so\"\n[token]\nlabel = \"t\"\n";

std::string refusal(const std::string& toml, std::vector<std::string> overrides = {}) {
  const auto profile = parse_profile(toml, overrides);
  if (profile) return "accepted";
  EXPECT_EQ(profile.error().code(), ErrorCode::kValidation);
  return profile.error().message();
}

TEST(ProfileTest, TheShippedSoftHsmProfileReads) {
  const auto profile =
      read_profile(keyhold::test::source_folder() + "/hsm-config/softhsm-2.6.toml");
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->derivation, Derivation::kEcb);
  EXPECT_EQ(profile->token_object_copy, TokenObjectCopy::kKept);
  EXPECT_EQ(profile->object_writes, ObjectWrites::kSerialised);
  EXPECT_EQ(profile->message_key_max_messages, std::uint64_t{1} << 31);
  EXPECT_EQ(profile->message_key_max_age, std::chrono::hours(24));
  EXPECT_EQ(profile->decrypt_bad_codes,
            (std::vector<ReturnCode>{CKR_GENERAL_ERROR, CKR_ENCRYPTED_DATA_INVALID,
                                     CKR_ENCRYPTED_DATA_LEN_RANGE}));
}

TEST(ProfileTest, EveryShippedProfileReadsAndBeginsWithItsReason) {
  int profiles = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(keyhold::test::source_folder() + "/hsm-config")) {
    SCOPED_TRACE(entry.path());
    ++profiles;
    const auto profile = read_profile(entry.path());
    EXPECT_TRUE(profile) << profile.error().message();
    std::ifstream file(entry.path());
    std::string line;
    std::getline(file, line);
    EXPECT_TRUE(line.starts_with("# ")) << line;
    // What describes a token's behaviour has its reason right before its section's lines.
    std::string before;
    while (std::getline(file, line)) {
      const bool is_value = !line.empty() && line[0] != '#' && line[0] != '[';
      if (is_value && line.starts_with("derivation")) {
        EXPECT_TRUE(before.starts_with("#")) << line;
      }
      before = line;
    }
  }
  EXPECT_GE(profiles, 6);
}

TEST(ProfileTest, HowATokenIsReachedAndWhoMakesIvs) {
  const auto profile = parse_profile(
      kLeast,
      std::vector<std::string>{"token.pin_format=CU-name:{pin}", "module.init_locking=os",
                               "sessions.open_interval=50ms", "keys.gcm_iv=token-behind-message"});
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->pin_format, "CU-name:{pin}");
  EXPECT_EQ(profile->init_locking, InitLocking::kOperatingSystem);
  EXPECT_EQ(profile->open_interval, milliseconds(50));
  EXPECT_EQ(profile->gcm_iv, GcmIv::kBehindMessage);
  EXPECT_EQ(iv_size_of(profile->gcm_iv), 16U);
  const auto hmac = parse_profile(
      kLeast,
      std::vector<std::string>{"keys.hmac_key_type=of-hash", "keys.hmac_generation=0xDE436997"});
  ASSERT_TRUE(hmac) << hmac.error().message();
  EXPECT_EQ(hmac->hmac_key_type, HmacKeyType::kOfHash);
  EXPECT_EQ(hmac->hmac_generation, 0xDE436997UL);
  const auto usual = parse_profile(kLeast);
  ASSERT_TRUE(usual);
  EXPECT_EQ(usual->pin_format, kPinPlace);
  EXPECT_EQ(iv_size_of(usual->gcm_iv), 12U);
}

TEST(ProfileTest, HowMaterialIsHeldAndWrapped) {
  const auto usual = parse_profile(kLeast);
  ASSERT_TRUE(usual);
  EXPECT_EQ(usual->custody, MaterialCustody::kResident);
  EXPECT_EQ(usual->wrap_mechanism, 0UL);
  EXPECT_EQ(usual->wrap_iv, WrapIv::kNull);
  EXPECT_EQ(usual->sensitive_with_extractable, SensitiveWithExtractable::kYes);
  const auto wrapped = parse_profile(
      kLeast,
      std::vector<std::string>{"keys.custody=wrapped", "keys.wrap_mechanism=0x8000216F",
                               "keys.wrap_iv=caller", "keys.sensitive_with_extractable=false",
                               "message_keys.unwrapped_material_cache=50"});
  ASSERT_TRUE(wrapped) << wrapped.error().message();
  EXPECT_EQ(wrapped->custody, MaterialCustody::kWrapped);
  EXPECT_EQ(wrapped->wrap_mechanism, 0x8000216FUL);
  EXPECT_EQ(wrapped->wrap_iv, WrapIv::kFromCaller);
  EXPECT_EQ(wrapped->sensitive_with_extractable, SensitiveWithExtractable::kNo);
  EXPECT_EQ(wrapped->unwrapped_material_cache, 50U);
  for (const auto& [name, number] :
       {std::pair{"CKM_AES_KEY_WRAP", 0x2109UL}, std::pair{"CKM_AES_KEY_WRAP_PAD", 0x210AUL},
        std::pair{"CKM_AES_KEY_WRAP_KWP", 0x210BUL}}) {
    const auto named =
        parse_profile(kLeast, std::vector<std::string>{std::string("keys.wrap_mechanism=") + name});
    ASSERT_TRUE(named) << named.error().message();
    EXPECT_EQ(named->wrap_mechanism, number);
  }
}

TEST(ProfileTest, AModuleAndATokenAreNeeded) {
  EXPECT_EQ(refusal(""), "profile: module.path: missing");
  EXPECT_EQ(refusal("[module]\npath = \"/m.so\"\n"),
            "profile: token.label: a label or a serial number must select the token");
  EXPECT_EQ(refusal(kLeast), "accepted");
}

TEST(ProfileTest, UnknownKeysAndSectionsAreRefusedByName) {
  EXPECT_EQ(refusal(std::string(kLeast) + "slot = 3\n"), "profile: token.slot: unknown key");
  EXPECT_EQ(refusal(std::string(kLeast) + "[tokens]\n"), "profile: tokens: unknown section");
  EXPECT_EQ(refusal("module = 1\n"), "profile: module: unknown key");
  EXPECT_EQ(refusal(kLeast, {"token.slot=3"}), "profile: token.slot: unknown key");
}

TEST(ProfileTest, WrongTypesAndValuesAreRefusedByName) {
  const auto refused_in = [](const std::string& section, const std::string& line) {
    const std::string said = refusal(std::string(kLeast) + "[" + section + "]\n" + line + "\n");
    const std::string key = section + "." + line.substr(0, line.find(' '));
    EXPECT_TRUE(said.starts_with("profile: " + key + ": ")) << said;
  };
  refused_in("sessions", "max_sessions = \"many\"");
  refused_in("sessions", "max_sessions = 2");
  refused_in("sessions", "max_sessions = 20");  // fewer than calls_at_once and 2
  refused_in("sessions", "calls_at_once = 0");
  refused_in("sessions", "call_timeout = 10");
  refused_in("sessions", "call_timeout = \"10 parsecs\"");
  refused_in("sessions", "call_timeout = \"0s\"");
  refused_in("sessions", "call_timeout = \"99999999999d\"");
  refused_in("sessions", "generation_timeout = \"1s\"");  // less than call_timeout
  refused_in("recovery", "backoff_last = \"1ms\"");
  refused_in("sessions", "open_interval = 50");
  refused_in("keys", "gcm_iv = \"token\"");
  refused_in("keys", "hmac_key_type = \"aes\"");
  refused_in("keys", "hmac_generation = \"CKM_NONE\"");
  refused_in("keys", "custody = \"imported\"");
  refused_in("keys", "wrap_mechanism = \"CKM_AES_CBC_PAD\"");
  refused_in("keys", "wrap_mechanism = \"0x0\"");
  refused_in("keys", "wrap_iv = \"random\"");
  refused_in("keys", "sensitive_with_extractable = \"no\"");
  refused_in("message_keys", "unwrapped_material_cache = 0");
  refused_in("keys", "derivation = \"sha1\"");
  refused_in("keys", "template_drop = [\"CKA_SENSITIVE\"]");
  refused_in("keys", "template_drop = \"CKA_COPYABLE\"");
  refused_in("keys", "decrypt_bad_codes = [\"CKR_TYPO\"]");
  refused_in("keys", "decrypt_bad_codes = [\"0x0\"]");
  refused_in("keys", "unwrap_bad_codes = [\"CKR_TYPO\"]");
  refused_in("keys", "decrypt_bad_codes = [\"0x8000zz\"]");
  refused_in("message_keys", "max_messages = 2147483649");
  refused_in("message_keys", "cache = 1");
  refused_in("message_keys", "max_age = true");
  refused_in("message_keys", "session_object_limit = -1");
  refused_in("storage", "sync_folders = [\"relative\"]");
  refused_in("storage", "keep_token_object_copy = \"yes\"");
  refused_in("storage", "keep_token_object_copy = true");  // of which folder?
  refused_in("storage", "serialise_object_writes = 1");
}

TEST(ProfileTest, EveryProblemIsNamedInTheOrderOfTheText) {
  EXPECT_EQ(refusal(std::string(kLeast) + "[sessions]\nmax_sessions = 1\ncalls_at_once = \"x\"\n" +
                        "[keys]\nwrap_iv = 1\n",
                    {"keys.custody=loose", "storage.folder=x"}),
            "profile: sessions.max_sessions: is out of range\n"
            "profile: sessions.calls_at_once: must be a whole number\n"
            "profile: keys.wrap_iv: must be \"null\" or \"caller\"\n"
            "profile: keys.custody: must be \"resident\" or \"wrapped\"\n"
            "profile: storage.folder: unknown key");
}

TEST(ProfileTest, WrongWaysToATokenAreRefusedByName) {
  EXPECT_EQ(refusal(kLeast, {"module.init_locking=none"}),
            "profile: module.init_locking: must be \"as-it-likes\" or \"os\"");
  for (const char* format : {"user", "{pin}{pin}", "''"}) {
    EXPECT_EQ(refusal(kLeast, {"token.pin_format=" + std::string(format)}),
              "profile: token.pin_format: must be a string with one {pin} in it");
  }
}

TEST(ProfileTest, SuccessIsNoBadCodeAndVendorsMayHaveTheirs) {
  const auto profile =
      parse_profile(std::string(kLeast) + "[keys]\ndecrypt_bad_codes = [\"0x80000001\"]\n");
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->decrypt_bad_codes, std::vector<ReturnCode>{0x80000001});
  EXPECT_NE(refusal(std::string(kLeast) + "[keys]\ndecrypt_bad_codes = [\"CKR_OK\"]\n"),
            "accepted");
}

TEST(ProfileTest, TextThatIsNotTomlIsRefusedWithItsLine) {
  EXPECT_NE(refusal("[module]\npath = \n").find("line 2"), std::string::npos);
}

TEST(ProfileTest, SingleValuesAreOverridden) {
  const auto profile = parse_profile(
      kLeast, std::vector<std::string>{"module.path=/other.so", "token.serial='0123'",
                                       "sessions.call_timeout=3s", "keys.derivation=none",
                                       "message_keys.max_messages=7", "module.env.CONF=/etc/x=y",
                                       "storage.sync_folders=[\"/a\", \"/b\"]",
                                       "storage.serialise_object_writes=false"});
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->module, "/other.so");
  EXPECT_EQ(profile->token_label, "t");
  EXPECT_EQ(profile->token_serial, "0123");
  EXPECT_EQ(profile->call_timeout, std::chrono::seconds(3));
  EXPECT_EQ(profile->derivation, Derivation::kNone);
  EXPECT_EQ(profile->message_key_max_messages, 7U);
  EXPECT_EQ(profile->module_env,
            (std::vector<std::pair<std::string, std::string>>{{"CONF", "/etc/x=y"}}));
  EXPECT_EQ(profile->sync_folders, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(profile->object_writes, ObjectWrites::kParallel);
}

TEST(ProfileTest, OverridesOfAnotherFormAreRefused) {
  EXPECT_NE(refusal(kLeast, {"token.label"}), "accepted");
  EXPECT_NE(refusal(kLeast, {"=x"}), "accepted");
  EXPECT_NE(refusal(kLeast, {"message_keys.max_messages=1\n[token]\nlabel='x'"}), "accepted");
}

TEST(ProfileTest, AFileThatIsNotThereIsRefusedByName) {
  EXPECT_EQ(read_profile("/nowhere.toml").error().message(),
            "profile: /nowhere.toml: cannot be read");
}

}  // namespace
}  // namespace keyhold::token
