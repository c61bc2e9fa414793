#include "iam/authorization_header.h"

#include <algorithm>
#include <array>

#include "iam/sigv4_stages.h"

namespace keyhold::iam {
namespace {

// Objects, so that the searches for them are inlined.
constexpr auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
constexpr auto is_separator = [](char c) { return is_blank(c) || c == ','; };

Error incomplete(std::string message) {
  return Error(ErrorCode::kIncompleteSignature, std::move(message));
}

struct Parameter {
  std::string_view name;
  std::string_view value;
};

constexpr std::size_t kCredential = 0;
constexpr std::size_t kSignature = 1;
constexpr std::size_t kSignedHeaders = 2;

/// Fills the values of `parameters` from `text`. A blank parts two parameters as a comma does, so
/// one inside a value leaves a piece without an equal sign.
Result<void> read_parameters(std::string_view text, std::string_view header,
                             std::array<Parameter, 3>& parameters) {
  for (;;) {
    const auto begin = std::find_if_not(text.begin(), text.end(), is_separator);
    if (begin == text.end()) return {};
    const auto end = std::find_if(begin, text.end(), is_separator);
    const std::string_view piece(begin, end);
    text = std::string_view(end, text.end());
    const std::size_t equals = piece.find('=');
    if (equals == std::string_view::npos) {
      return incomplete("'" + printable(piece) +
                        "' not a valid key=value pair (missing equal-sign) in Authorization "
                        "header: '" +
                        printable(header) + "'.");
    }
    const std::string_view name = piece.substr(0, equals);
    const auto known = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const Parameter& p) { return p.name == name; });
    if (known == parameters.end()) {
      return incomplete("Authorization header has the unknown parameter '" + printable(name) +
                        "'. Authorization=" + printable(header));
    }
    if (!known->value.empty()) {
      return incomplete("Authorization header has more than one '" + std::string(name) +
                        "' parameter. Authorization=" + printable(header));
    }
    known->value = piece.substr(equals + 1);
  }
}

}  // namespace

std::string printable(std::string_view text) {
  std::string clean(text);
  for (char& c : clean) {
    if (c < ' ' || c > '~') c = '?';
  }
  return clean;
}

Result<AuthorizationHeader> parse_authorization_header(std::string_view value, DateHeader date) {
  const auto algorithm_end = std::find_if(value.begin(), value.end(), is_blank);
  const std::string_view algorithm(value.begin(), algorithm_end);
  if (algorithm != sigv4::kAlgorithm)
    return incomplete("Unsupported AWS 'algorithm': '" + printable(algorithm) + "'.");

  // In the order in which AWS complains of their absence.
  std::array<Parameter, 3> parameters = {
      {{"Credential", {}}, {"Signature", {}}, {"SignedHeaders", {}}}};
  TRY(read_parameters(std::string_view(algorithm_end, value.end()), value, parameters));

  std::string missing;
  for (const Parameter& parameter : parameters) {
    if (parameter.value.empty()) {
      missing.append("Authorization header requires '").append(parameter.name);
      missing += "' parameter. ";
    }
  }
  if (date == DateHeader::kAbsent) {
    missing +=
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
        "header. ";
  }
  if (!missing.empty()) return incomplete(missing + "Authorization=" + printable(value));

  const std::string_view credential = parameters[kCredential].value;
  std::array<std::string_view, 5> elements;
  std::size_t at = 0;
  const auto slashes = std::count(credential.begin(), credential.end(), '/');
  if (slashes != static_cast<std::ptrdiff_t>(elements.size()) - 1) {
    return incomplete(
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term, got '" +
        printable(credential) + "'");
  }
  for (std::string_view& element : elements) {
    const std::size_t end = std::min(credential.find('/', at), credential.size());
    element = credential.substr(at, end - at);
    at = end + 1;
  }

  AuthorizationHeader header;
  header.access_key_id = elements[0];
  header.date = elements[1];
  header.region = elements[2];
  header.service = elements[3];
  header.terminator = elements[4];
  header.signed_headers = parameters[kSignedHeaders].value;
  header.signature = parameters[kSignature].value;
  return header;
}

}  // namespace keyhold::iam
