// HTTP requests, framed as the fuzzer likes and cut into pieces of any size. Whatever comes, the
// parser keeps to its limits and answers the same however the bytes are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/bytes.h"
#include "http/request_parser.h"

namespace {

using keyhold::http::Request;
using keyhold::http::RequestParser;
using Outcome = RequestParser::Outcome;

constexpr RequestParser::Limits kLimits{.head = 512, .body = 256};

void require(bool claim) {
  if (!claim) std::abort();
}

// Everything a handler would see of all requests in `bytes`, and how it ended.
std::string read_all(std::string_view bytes, std::size_t piece) {
  RequestParser parser(kLimits);
  std::string seen;
  std::string unread;
  for (bool fed = true; fed;) {
    fed = !bytes.empty();
    unread.append(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (!unread.empty()) {
      const RequestParser::Step step = parser.feed(keyhold::as_bytes(unread));
      require(step.consumed <= unread.size());
      unread.erase(0, step.consumed);
      require(parser.body_memory() <= kLimits.body);
      if (step.outcome == Outcome::kNeedMore) break;
      if (step.outcome == Outcome::kHead) continue;
      if (step.outcome == Outcome::kRefused) {
        return seen + "refused " + std::to_string(static_cast<int>(step.error));
      }
      Request request;
      parser.fill(request);
      require(request.body.size() <= kLimits.body);
      seen.append(request.method).append(" ").append(request.target).append("\n");
      for (const keyhold::Header& header : request.headers) {
        require(header.name.find_first_of("\r\n: ") == std::string_view::npos);
        require(header.value.find_first_of("\r\n") == std::string_view::npos);
        seen.append(header.name).append(":").append(header.value).append("\n");
      }
      seen.append(keyhold::as_text(request.body)).append("\n");
      seen.append(parser.keep_alive() ? "open\n" : "close\n");
      parser.reset();
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t piece = std::size_t{1} + data[0] % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string whole = read_all(bytes, SIZE_MAX);
  const std::string pieces = read_all(bytes, piece);
  // A piece that ends early may leave a refusal unsaid that the whole would bring, and how it is
  // worded may depend on which limit is met first; the requests before it may not.
  const auto requests = [](const std::string& seen) {
    return seen.substr(0, seen.rfind("refused"));
  };
  const std::string a = requests(whole);
  const std::string b = requests(pieces);
  require(a == b);
  return 0;
}
