// Data key pairs: made to leave, either in the token or by OpenSSL, as the profile says.
#pragma once

#include "token/token.h"
#include "token/token_guard.h"
#include "token/token_objects.h"

namespace keyhold::token {

class DataKeyPairMaker {
 public:
  DataKeyPairMaker(TokenLink& link, TokenGuard& guard, TokenObjects& objects)
      : link_(link), guard_(guard), objects_(objects) {}

  /// For threads inside the token.
  Result<DataKeyPair> generate(const Inside& inside, KeySpec spec);

 private:
  Result<DataKeyPair> generate_in_token(const Inside& inside, KeySpec spec);
  Result<DataKeyPair> generate_in_service(const Inside& inside, KeySpec spec);

  TokenLink& link_;
  TokenGuard& guard_;
  TokenObjects& objects_;
};

}  // namespace keyhold::token
