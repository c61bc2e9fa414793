// The verifier over any request: it never crashes, and never takes a signature for a secret that
// nobody knows.
//
// Input: a request line, header lines, an empty line, the body. An input that begins with a NUL is
// the value of an Authorization header of an otherwise good request instead, so that mutations go
// where the parsing is.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "iam/credential_snapshot.h"
#include "iam/request_date.h"
#include "iam/sigv4.h"

namespace {

using namespace keyhold;

constexpr std::string_view kDate = "20150830T123600Z";

const iam::SigV4Verifier& verifier() {
  static const iam::CredentialSnapshot credentials = [] {
    SystemRandom random;
    std::vector<iam::Credential> all(1);
    all[0].access_key_id = "AKIDEXAMPLE";
    all[0].secret_access_key = iam::draw_secret_access_key(random);
    return iam::CredentialSnapshot(std::move(all));
  }();
  static const iam::SigV4Verifier made(credentials, iam::RegionPolicy::any());
  return made;
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<Header> headers;
  iam::SignedRequest request{"POST", "/", {}, {}};
  if (text.starts_with('\0')) {
    headers = {{"Host", "localhost"},
               {"X-Amz-Date", kDate},
               {"X-Amz-Target", "TrentService.ListKeys"},
               {"Authorization", text.substr(1)}};
  } else {
    const std::string_view first = take_line(text);
    request.method = first.substr(0, first.find(' '));
    request.target = first.substr(std::min(first.size(), request.method.size() + 1));
    for (std::string_view line = take_line(text); !line.empty(); line = take_line(text)) {
      const std::size_t colon = std::min(line.find(':'), line.size());
      headers.push_back({line.substr(0, colon), line.substr(std::min(line.size(), colon + 1))});
    }
    request.body = as_bytes(text);
  }
  request.headers = headers;
  if (verifier().verify(request, *iam::parse_basic_iso8601(kDate))) std::abort();
  return 0;
}
