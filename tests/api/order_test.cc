// The order of checks is what callers see when several things are wrong at once: of every two
// defects, the one that is checked first is the one that is answered.
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "api_client.h"
#include "base/base64.h"
#include "fake_service.h"

namespace keyhold::api::test {
namespace {

struct Request {
  std::string target;
  std::map<std::string, std::string> members;  // values in JSON
  std::optional<std::string> raw_body;

  std::string body() const {
    if (raw_body) return *raw_body;
    std::string text = "{";
    for (const auto& [name, value] : members) {
      if (text.size() > 1) text += ",";
      text += json_string(name) + ":" + value;
    }
    return text + "}";
  }
};

struct Defect {
  std::string step;
  std::function<void(Request&, FakeService&)> apply;
  std::string type;
  std::string text;
};

/// Defects in the order of the steps that find them.
void expect_order(const Request& good, const std::vector<Defect>& defects) {
  for (std::size_t first = 0; first < defects.size(); ++first) {
    for (std::size_t second = first; second < defects.size(); ++second) {
      SCOPED_TRACE(defects[first].step + " before " + defects[second].step);
      FakeService service;
      Client client(service);
      Request request = good;
      // The earlier defect last: where both need the same member, it is the one that counts.
      defects[second].apply(request, service);
      defects[first].apply(request, service);
      expect_error(client.send(request.target, request.body()), defects[first].type,
                   defects[first].text);
    }
  }
}

const std::string kArn = "arn:aws:kms:eu-central-1:111122223333:key/" + std::string(kKeyId);

Defect unknown_operation() {
  return {"find operation", [](Request& request, FakeService&) { request.target += "x"; },
          "UnknownOperationException", ""};
}
Defect broken_json() {
  return {"parse", [](Request& request, FakeService&) { request.raw_body = "{\"KeyId\":"; },
          "SerializationException", ""};
}
Defect wrong_type() {
  return {"types", [](Request& request, FakeService&) { request.members["DryRun"] = "7"; },
          "SerializationException", "NUMBER_VALUE can not be converted to a Boolean"};
}
Defect grant_token() {
  return {"authorize",
          [](Request& request, FakeService&) { request.members["GrantTokens"] = "[\"t\"]"; },
          "InvalidGrantTokenException", "The specified grant token is not valid."};
}
Defect disabled_key() {
  return {"state",
          [](Request&, FakeService& service) { service.record().state = KeyState::kDisabled; },
          "DisabledException", kArn + " is disabled."};
}
Defect dry_run() {
  return {"dry run", [](Request& request, FakeService&) { request.members["DryRun"] = "true"; },
          "DryRunOperationException",
          "The request would have succeeded, but the DryRun option is set."};
}
Defect failing_work() {
  return {"handler",
          [](Request&, FakeService& service) {
            service.failure = Error(ErrorCode::kDependencyTimeout, "late");
          },
          "DependencyTimeoutException", "late"};
}
Defect wrong_algorithm(const std::string& member) {
  return {"algorithm",
          [member](Request& request, FakeService&) {
            request.members[member] = "\"RSAES_OAEP_SHA_256\"";
          },
          "InvalidKeyUsageException",
          "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT."};
}
Defect unknown_key(const std::string& member) {
  return {"resolve key",
          [member](Request& request, FakeService&) {
            request.members[member] = json_string(kUnknownKeyId);
          },
          "NotFoundException",
          "Key 'arn:aws:kms:eu-central-1:111122223333:key/" + std::string(kUnknownKeyId) +
              "' does not exist"};
}
Defect shape_violation(const std::string& member) {
  return {"validate shape",
          [member](Request& request, FakeService&) { request.members[member] = "\"キー\""; },
          "ValidationException",
          "1 validation error detected: Value 'キー' at '" + lower_camel(member) +
              "' failed to satisfy constraint: Member must satisfy regular expression pattern: "
              "^\\p{ASCII}+$"};
}
Defect attested_recipient() {
  return {"refuse members",
          [](Request& request, FakeService&) { request.members["Recipient"] = "{}"; },
          "UnsupportedOperationException", "The parameter Recipient is not supported."};
}
Defect modifiers_without_dry_run() {
  return {"complete",
          [](Request& request, FakeService&) {
            request.members["DryRunModifiers"] = "[\"IGNORE_CIPHERTEXT\"]";
            request.members.erase("DryRun");
          },
          "ValidationException", "DryRunModifiers can be specified only when DryRun is true."};
}
Defect garbled_ciphertext() {
  return {"parse ciphertext",
          [](Request& request, FakeService&) {
            request.members["CiphertextBlob"] = json_string(to_base64(as_bytes("\x01garbage")));
          },
          "InvalidCiphertextException", ""};
}
Defect other_key(const std::string& member) {
  return {"compare keys",
          [member](Request& request, FakeService&) {
            request.members[member] = json_string(kOtherKeyId);
          },
          "IncorrectKeyException",
          "The key ID in the request does not identify a CMK that can perform this operation."};
}

TEST(Order, OfEncrypt) {
  expect_order({"TrentService.Encrypt",
                {{"KeyId", json_string(kKeyId)}, {"Plaintext", "\"AAAA\""}},
                std::nullopt},
               {unknown_operation(), broken_json(), wrong_type(), shape_violation("KeyId"),
                unknown_key("KeyId"), grant_token(), disabled_key(),
                wrong_algorithm("EncryptionAlgorithm"), dry_run(), failing_work()});
}

TEST(Order, OfDecrypt) {
  expect_order({"TrentService.Decrypt",
                {{"CiphertextBlob", json_string(to_base64(FakeService::ciphertext()))},
                 {"KeyId", json_string(kKeyId)}},
                std::nullopt},
               {unknown_operation(), broken_json(), wrong_type(), shape_violation("KeyId"),
                modifiers_without_dry_run(), attested_recipient(), garbled_ciphertext(),
                unknown_key("KeyId"), grant_token(), other_key("KeyId"), disabled_key(),
                wrong_algorithm("EncryptionAlgorithm"), failing_work(), dry_run()});
}

TEST(Order, OfReEncrypt) {
  expect_order({"TrentService.ReEncrypt",
                {{"CiphertextBlob", json_string(to_base64(FakeService::ciphertext()))},
                 {"SourceKeyId", json_string(kKeyId)},
                 {"DestinationKeyId", json_string(kOtherKeyId)}},
                std::nullopt},
               {unknown_operation(), broken_json(), wrong_type(), shape_violation("SourceKeyId"),
                modifiers_without_dry_run(), garbled_ciphertext(), unknown_key("SourceKeyId"),
                unknown_key("DestinationKeyId"), grant_token(), other_key("SourceKeyId"),
                disabled_key(), wrong_algorithm("SourceEncryptionAlgorithm"),
                wrong_algorithm("DestinationEncryptionAlgorithm"), failing_work(), dry_run()});
}

TEST(Order, OfGenerateDataKey) {
  const Defect neither{"check after look-up",
                       [](Request& request, FakeService&) { request.members.erase("KeySpec"); },
                       "ValidationException", "Please specify either number of bytes or key spec."};
  for (const std::string operation : {"GenerateDataKey", "GenerateDataKeyWithoutPlaintext"}) {
    SCOPED_TRACE(operation);
    expect_order(
        {"TrentService." + operation,
         {{"KeyId", json_string(kKeyId)}, {"KeySpec", "\"AES_256\""}},
         std::nullopt},
        {unknown_operation(), broken_json(), wrong_type(), shape_violation("KeyId"),
         unknown_key("KeyId"), grant_token(), neither, disabled_key(), dry_run(), failing_work()});
  }
}

TEST(Order, OfRotateKeyOnDemand) {
  expect_order({"TrentService.RotateKeyOnDemand", {{"KeyId", json_string(kKeyId)}}, std::nullopt},
               {unknown_operation(), broken_json(), shape_violation("KeyId"), unknown_key("KeyId"),
                disabled_key(), failing_work()});
}

TEST(Order, OfCreateKey) {
  expect_order(
      {"TrentService.CreateKey", {}, std::nullopt},
      {unknown_operation(),
       broken_json(),
       {"validate shape",
        [](Request& request, FakeService&) { request.members["Origin"] = "\"MOON\""; },
        "ValidationException",
        "1 validation error detected: Value 'MOON' at 'origin' failed to satisfy constraint: "
        "Member must satisfy enum value set: [AWS_KMS, EXTERNAL, AWS_CLOUDHSM, "
        "EXTERNAL_KEY_STORE]"},
       {"complete",
        [](Request& request, FakeService&) { request.members["KeySpec"] = "\"RSA_2048\""; },
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption "
        "keys."},
       {"refuse members",
        [](Request& request, FakeService&) { request.members["MultiRegion"] = "true"; },
        "UnsupportedOperationException", "Multi-Region keys are not supported."},
       {"handler",
        [](Request& request, FakeService&) { request.members["Origin"] = "\"AWS_CLOUDHSM\""; },
        "UnsupportedOperationException", "Origin AWS_CLOUDHSM is not supported."},
       failing_work()});
}

TEST(Order, AForeignKeyIsDeniedWhereItIsLookedUp) {
  FakeService service;
  service.record().state = KeyState::kDisabled;
  Client client(service);
  expect_error(
      client.call("Encrypt", R"({"KeyId":"arn:aws:kms:eu-central-1:444455556666:key/)" +
                                 std::string(kKeyId) +
                                 R"(","Plaintext":"AAAA","GrantTokens":["t"]})"),
      "AccessDeniedException",
      "User: arn:aws:iam::111122223333:user/test is not authorized to perform: kms:Encrypt on this "
      "resource because the resource does not exist in this Region, no resource-based policies "
      "allow access, or a resource-based policy explicitly denies access");
}

TEST(DryRun, DoesTheWorkOnlyWhereTheWorkIsTheCheck) {
  FakeService service;
  Client client(service);
  const std::string key_and = R"({"DryRun":true,"KeyId":")" + std::string(kKeyId) + R"(",)";
  client.call("Encrypt", key_and + R"("Plaintext":"AAAA"})");
  client.call("GenerateDataKey", key_and + R"("KeySpec":"AES_128"})");
  EXPECT_TRUE(service.calls.empty());
  client.call("Decrypt", key_and + R"("DryRunModifiers":["IGNORE_CIPHERTEXT"]})");
  EXPECT_TRUE(service.calls.empty());
  client.call("Decrypt",
              key_and + R"("CiphertextBlob":")" + to_base64(FakeService::ciphertext()) + "\"}");
  EXPECT_EQ(service.calls, std::vector<std::string>{"decrypt"});
}

TEST(DryRun, IgnoresTheCiphertextOnRequest) {
  FakeService service;
  Client client(service);
  const std::string verdict = "The request would have succeeded, but the DryRun option is set.";
  expect_error(client.call("Decrypt", R"({"DryRun":true,"DryRunModifiers":["IGNORE_CIPHERTEXT"],)"
                                      R"("CiphertextBlob":"AAAA","KeyId":")" +
                                          std::string(kKeyId) + "\"}"),
               "DryRunOperationException", verdict);
  expect_error(client.call("ReEncrypt", R"({"DryRun":true,"DryRunModifiers":["IGNORE_CIPHERTEXT"],)"
                                        R"("SourceKeyId":")" +
                                            std::string(kKeyId) + R"(","DestinationKeyId":")" +
                                            std::string(kOtherKeyId) + "\"}"),
               "DryRunOperationException", verdict);
  EXPECT_TRUE(service.calls.empty());
}

TEST(DryRun, OfFalseIsAnOrdinaryCall) {
  FakeService service;
  Client client(service);
  EXPECT_EQ(client
                .call("Encrypt", R"({"DryRun":false,"Plaintext":"AAAA","KeyId":")" +
                                     std::string(kKeyId) + "\"}")
                .status,
            200);
}

}  // namespace
}  // namespace keyhold::api::test
