// Commands that ask a running service through its control socket.
#pragma once

#include <string>

#include "app/commands/service_place.h"

namespace keyhold::app {

enum class OutputForm { kText, kJson };

struct OperatorOptions {
  ServicePlace place;
  std::string key_id;  ///< for inspect
  OutputForm form = OutputForm::kText;
};

/// `keyhold key inspect`: a key's materials, and what the token says of each.
int run_key_inspect(const OperatorOptions& options);

/// `keyhold reconcile`: store and token compared.
int run_reconcile(const OperatorOptions& options);

}  // namespace keyhold::app
