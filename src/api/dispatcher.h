// From a call whose caller is known to its answer: the one place where the order of checks stands.
#pragma once

#include <string_view>

#include "api/call.h"
#include "api/operation.h"
#include "kms/service.h"

namespace keyhold::api {

class Dispatcher {
 public:
  /// `service` outlives the dispatcher.
  explicit Dispatcher(kms::Service& service) : service_(service) {}

  /// Answers a call. Safe from many threads; throws nothing.
  Answer handle(const Call& call);

  /// How heavy a call with that X-Amz-Target is: what it does not know is light, being refused.
  static Weight weight(std::string_view target);

  /// What a call with that X-Amz-Target is answered while the token is away.
  static ErrorCode code_of_unavailable(std::string_view target);

 private:
  Result<Secret> serve(const Call& call, const Operation& operation, CallRecord& record);
  Result<Secret> decide_and_run(const Call& call, const Operation& operation,
                                const Request& request, Context& context, CallRecord& record);
  Result<void> resolve(const Operation& operation, const Request& request, const Call& call,
                       Context& context) const;
  Result<void> authorize(const Operation& operation, const Request& request,
                         Context& context) const;
  void note_usage(const Operation& operation, const Call& call, const Context& context) const;

  kms::Service& service_;
};

}  // namespace keyhold::api
