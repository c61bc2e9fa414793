// What http hands to its one caller and takes back: a request as it came, and an answer to it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/header.h"
#include "base/secret.h"
#include "http/tls.h"

namespace keyhold::http {

/// A complete request. Everything here, views included, is valid until the handler returns and no
/// longer: the buffers behind it belong to the connection, which wipes and reuses them.
struct Request {
  std::string_view method;  ///< as sent: methods are case-sensitive
  std::string_view target;  ///< as sent: neither decoded nor normalised
  /// The field lines in order of arrival, names as spelled, values without the white space around
  /// them. Fields of a chunked body's trailer are dropped and never appear here.
  std::vector<Header> headers;
  /// The body without its transfer coding. The handler may change it, to parse it in place. It lies
  /// in memory that is wiped, because it may hold a plaintext.
  std::span<std::uint8_t> body;
  std::string peer_address;  ///< numeric, without port; an IPv4-mapped IPv6 address as IPv4
  std::string request_id;    ///< a lower-case UUID, drawn for this request
  TlsFacts tls;              ///< empty without TLS
};

/// One field line of an answer.
struct ResponseHeader {
  std::string name;
  std::string value;
};

/// An answer. The server adds Content-Length, Date, Connection and the request id itself; a handler
/// that names one of these, or Transfer-Encoding, or a field that is not well-formed, has a bug and
/// its request is answered with ProtocolError::kInternal.
struct Response {
  int status = 200;          ///< 200 to 599
  std::string content_type;  ///< sent even when the body is empty; left out if this is empty
  Secret body;
  /// Further fields. One that bears the name of a default field (ServerOptions::default_headers)
  /// replaces it; with an empty value it only removes it.
  std::vector<ResponseHeader> headers;
};

/// Why the server answers by itself. All but kInternal close the connection after the answer.
enum class ProtocolError : std::uint8_t {
  kMalformed,          ///< not HTTP/1.x, or framed ambiguously
  kHeadersTooLarge,    ///< request line and fields longer than ServerOptions::header_limit
  kBodyTooLarge,       ///< body longer than ServerOptions::body_limit
  kExpectationFailed,  ///< an Expect other than 100-continue
  kInternal,           ///< the handler threw, or returned an answer that cannot be sent
};

/// The status HTTP has for the error: 400, 431, 413, 417 or 500.
int default_status(ProtocolError error);

/// Whether two field names are the same: ASCII letters compare without case.
bool same_name(std::string_view a, std::string_view b);

}  // namespace keyhold::http
