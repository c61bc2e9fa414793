// What STS reads before it knows who sent it: forms, web identity tokens and key sets.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sts/form.h"
#include "sts/session_request.h"
#include "sts/web_identity.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhold;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto form = sts::Form::parse(text)) {
    if (form->all().size() > sts::kMaxParameters) std::abort();
    static_cast<void>(sts::SessionRequest::read(*form));
  }
  static_cast<void>(sts::claimed_issuer(text));
  sts::Provider provider;
  auto keys = sts::KeySet::parse(text);
  provider.keys = std::make_shared<sts::FixedKeys>(keys ? std::move(*keys) : sts::KeySet());
  // Nobody has signed it.
  if (sts::verify_web_identity(text, provider, TimePoint())) std::abort();
  return 0;
}
