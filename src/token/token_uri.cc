#include "token/token_uri.h"

#include "pkcs11/uri.h"

namespace keyhold::token {
namespace {

/// A TOML string.
std::string quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

Result<TokenAddress> read_token_uri(std::string_view uri) {
  const auto read = pkcs11::parse_token_uri(uri);
  if (!read) {
    return Error(ErrorCode::kValidation, "the token's URI: " + read.error().detail());
  }
  if (read->manufacturer || read->model || read->module_name) {
    return Error(ErrorCode::kValidation,
                 "the token's URI: a token is found by token and serial alone");
  }
  TokenAddress address;
  // One that is left out must not stay the profile's.
  address.overrides.push_back("token.label=" + quoted(read->token.value_or("")));
  address.overrides.push_back("token.serial=" + quoted(read->serial.value_or("")));
  if (read->module_path) address.overrides.push_back("module.path=" + quoted(*read->module_path));
  address.pin_source = read->pin_source.value_or("");
  if (address.pin_source.starts_with('|')) {
    return Error(ErrorCode::kValidation, "the token's URI: a pin-source is a file, no command");
  }
  return address;
}

}  // namespace keyhold::token
