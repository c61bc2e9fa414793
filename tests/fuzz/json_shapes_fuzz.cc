// A body through the shape of any operation: it is refused with an error of the caller, or becomes
// a request whose audit form is JSON.
//
// Input: one byte that chooses the operation, then the body.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "api/operation.h"
#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhold;
  if (size == 0) return 0;
  const auto operations = api::operations();
  const api::Operation& operation = *operations[data[0] % operations.size()];
  std::vector<std::uint8_t> body(data + 1, data + size);

  const auto document = json::Document::parse(body);
  if (!document) return 0;
  const auto request = operation.handler.read(document->root());
  if (!request) {
    if (error_row(request.error().code()).blame != Blame::kCaller) std::abort();
    return 0;
  }
  std::string audit = (*request)->audit_form();
  if (!json::Document::parse({reinterpret_cast<std::uint8_t*>(audit.data()), audit.size()})) {
    std::abort();
  }
  return 0;
}
