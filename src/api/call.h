// A call as the dispatcher gets it, and what it gives back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "iam/actor.h"
#include "iam/request.h"

namespace keyhold::api {

/// Who calls and whereto, as authentication found it.
struct Requester {
  std::string account;        ///< 12 digits
  std::string principal_arn;  ///< `arn:aws:iam::000000000000:user/admin`
  std::string region;         ///< the one the call was addressed to
  /// The caller with the policies of their own side; null only where nothing is authorized.
  const iam::Actor* actor = nullptr;
  iam::Environment environment = {};
};

/// A call whose caller is known. Views and references live as long as the call is handled.
struct Call {
  std::string_view target;       ///< the value of X-Amz-Target
  std::span<std::uint8_t> body;  ///< parsed in place, and so changed
  const Requester& requester;
  std::string_view request_id;
  std::string_view event_id = {};  ///< that the call will have in the audit trail
};

/// Something a call was about.
struct Resource {
  std::string_view type;  ///< `AWS::KMS::Key` or `AWS::KMS::Alias`
  std::string arn;
  std::string account;
};

enum class Effect : std::uint8_t { kRead, kWrite };

/// What the audit trail is told of a call, with CloudTrail's names of members. JSON texts are
/// complete values; `null` where there is nothing to show.
struct CallRecord {
  std::string operation;  ///< empty if the call named none that AWS has
  Effect effect = Effect::kRead;
  std::string request_parameters = "null";
  std::string response_elements = "null";
  std::string additional_event_data = "null";
  std::vector<Resource> resources;
  std::optional<Error> error;  ///< nothing for a call that succeeded
};

struct Answer {
  int status = 200;
  Secret body;  ///< may hold a plaintext
  CallRecord record;
};

}  // namespace keyhold::api
