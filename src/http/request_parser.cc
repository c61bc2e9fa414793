#include "http/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/secret.h"

namespace keyhold::http {
namespace {

namespace beast = boost::beast;
using boost::beast::error_code;

// A body whose Content-Length is believed so far before its bytes are there.
constexpr std::size_t kTrustedBodySize = 64UL * 1024;
// Body memory that is kept from one request to the next.
constexpr std::size_t kKeptBodyMemory = 8UL * 1024;
// Bytes on the wire a body byte may cost: a chunk of one byte takes six, "1\r\nx\r\n".
constexpr std::size_t kMaxWireBytesPerBodyByte = 8;
// Empty lines tolerated before a request line (RFC 9112 section 2.2 asks for at least one).
constexpr std::size_t kMaxLeadingLines = 4;

constexpr std::string_view kHeadEnd = "\r\n\r\n";

// RFC 9110 section 5.6.2.
bool is_token_char(std::uint8_t c) {
  constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         kSymbols.find(static_cast<char>(c)) != std::string_view::npos;
}

bool is_decimal(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Where a piece of the head lies in the text that keeps it.
struct Place {
  std::size_t at = 0;
  std::size_t size = 0;
};

struct FieldPlace {
  Place name;
  Place value;
};

// One message. Beast's parser cannot be used again, so there is a new one for each request; the
// memory behind it is handed on.
class Message final : public beast::http::basic_parser<true> {
 public:
  Message(const RequestParser::Limits& limits, Wiped<char>& text, std::vector<FieldPlace>& fields,
          Wiped<std::uint8_t>& body)
      : limits_(limits), text_(text), fields_(fields), body_(body) {
    header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(limits.head, UINT32_MAX)));
    body_limit(limits.body);
    eager(true);
  }

  Place method;
  Place target;
  int version = 0;
  std::optional<ProtocolError> refusal;  // a reason Beast has no code for
  bool expects_continue = false;

 private:
  Place keep(std::string_view piece) {
    const Place place{text_.size(), piece.size()};
    append(text_, std::span<const char>(piece));
    return place;
  }

  void refuse(ProtocolError why, error_code& ec) {
    refusal = why;
    ec = beast::http::error::bad_field;
  }

  void on_request_impl(beast::http::verb /*verb*/, beast::string_view method_text,
                       beast::string_view target_text, int version_number,
                       error_code& /*ec*/) override {
    method = keep({method_text.data(), method_text.size()});
    target = keep({target_text.data(), target_text.size()});
    version = version_number;
  }

  void on_response_impl(int /*code*/, beast::string_view /*reason*/, int /*version*/,
                        error_code& ec) override {
    ec = beast::http::error::bad_method;
  }

  void on_field_impl(beast::http::field /*field*/, beast::string_view name_text,
                     beast::string_view value_text, error_code& ec) override {
    // A trailer comes after the fields that a signature covers and proxies have looked at.
    if (is_header_done()) return;
    const std::string_view name{name_text.data(), name_text.size()};
    const std::string_view value{value_text.data(), value_text.size()};
    if (same_name(name, "transfer-encoding")) {
      // Beast takes any coding that it does not know for "no body".
      if (version < 11 || !same_name(value, "chunked")) {
        return refuse(ProtocolError::kMalformed, ec);
      }
    } else if (same_name(name, "content-length")) {
      // RFC 9110 section 8.6 has digits only; Beast also takes a list of equal numbers.
      if (!is_decimal(value)) return refuse(ProtocolError::kMalformed, ec);
    } else if (same_name(name, "host")) {
      ++hosts_;
    } else if (same_name(name, "expect")) {
      if (!same_name(value, "100-continue")) return refuse(ProtocolError::kExpectationFailed, ec);
      // RFC 9110 section 10.1.1: the expectation of an HTTP/1.0 client is ignored.
      expects_continue = version >= 11;
    }
    const Place kept_name = keep(name);
    fields_.push_back({kept_name, keep(value)});
  }

  void on_header_impl(error_code& ec) override {
    // RFC 9112 section 3.2: 400 to an HTTP/1.1 request without Host, and to any with two.
    if (hosts_ > 1 || (hosts_ == 0 && version >= 11)) refuse(ProtocolError::kMalformed, ec);
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length,
                         error_code& /*ec*/) override {
    if (length) {
      body_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, kTrustedBodySize)));
    }
  }

  std::size_t on_body_impl(beast::string_view piece, error_code& /*ec*/) override {
    take(piece);
    return piece.size();
  }

  void on_chunk_header_impl(std::uint64_t /*size*/, beast::string_view /*extensions*/,
                            error_code& /*ec*/) override {}

  std::size_t on_chunk_body_impl(std::uint64_t /*remaining*/, beast::string_view piece,
                                 error_code& /*ec*/) override {
    take(piece);
    return piece.size();
  }

  void on_finish_impl(error_code& /*ec*/) override {}

  void take(beast::string_view piece) {
    const std::size_t needed = body_.size() + piece.size();
    // Doubling, but never past the limit: the memory a connection can hold is bounded by it.
    if (needed > body_.capacity()) {
      body_.reserve(std::max(needed, std::min(2 * body_.capacity(), limits_.body)));
    }
    append(body_, as_bytes(piece));
  }

  const RequestParser::Limits& limits_;
  Wiped<char>& text_;
  std::vector<FieldPlace>& fields_;
  Wiped<std::uint8_t>& body_;
  std::size_t hosts_ = 0;
};

}  // namespace

struct RequestParser::Impl {
  explicit Impl(Limits given) : limits(given) { message.emplace(limits, text, fields, body); }

  const Limits limits;
  Wiped<char> text;
  std::vector<FieldPlace> fields;
  Wiped<std::uint8_t> body;
  std::optional<Message> message;
  std::size_t scanned = 0;        // bytes of an incomplete head already searched for its end
  std::size_t leading_lines = 0;  // empty lines skipped before the request line
  std::size_t body_wire_bytes = 0;
  bool started = false;

  std::string_view at(Place place) const { return {text.data() + place.at, place.size}; }

  ProtocolError reason(const error_code& ec) const {
    if (message->refusal) return *message->refusal;
    if (ec == beast::http::error::body_limit) return ProtocolError::kBodyTooLarge;
    if (ec == beast::http::error::header_limit) return ProtocolError::kHeadersTooLarge;
    return ProtocolError::kMalformed;
  }

  // How many bytes of `data` are empty lines before the request line; nothing if they are too many.
  std::optional<std::size_t> skip_leading_lines(std::string_view data) {
    std::size_t skipped = 0;
    while (data.substr(skipped).starts_with("\r\n")) {
      if (++leading_lines > kMaxLeadingLines) return std::nullopt;
      skipped += 2;
    }
    return skipped;
  }

  Step feed_head(std::string_view data) {
    Step step;
    if (!started) {
      const std::optional<std::size_t> skipped = skip_leading_lines(data);
      if (!skipped) return {0, Outcome::kRefused, ProtocolError::kMalformed};
      step.consumed = *skipped;
      data.remove_prefix(*skipped);
      if (data.empty() || data == "\r") return step;
      started = true;
      // Told early, so that a TLS client or binary noise is not waited for until its deadline.
      if (!is_token_char(static_cast<std::uint8_t>(data.front()))) {
        return {step.consumed, Outcome::kRefused, ProtocolError::kMalformed};
      }
    }

    const std::string_view searched = data.substr(0, limits.head);
    const std::size_t end = searched.find(kHeadEnd, scanned);
    if (end == std::string_view::npos) {
      if (searched.size() >= limits.head) {
        return {step.consumed, Outcome::kRefused, ProtocolError::kHeadersTooLarge};
      }
      scanned = searched.size() >= kHeadEnd.size() ? searched.size() - (kHeadEnd.size() - 1) : 0;
      return step;
    }

    // Beast gets the head as one piece: fed by parts, it forgets what it has consumed when it
    // compares with its limit.
    const std::string_view head = data.substr(0, end + kHeadEnd.size());
    // RFC 9112 section 5.2: a folded line is answered with 400. Beast would unfold it.
    if (head.find("\r\n ") != std::string_view::npos ||
        head.find("\r\n\t") != std::string_view::npos) {
      return {step.consumed, Outcome::kRefused, ProtocolError::kMalformed};
    }
    text.reserve(head.size());
    error_code ec;
    const std::size_t taken = message->put(boost::asio::buffer(head.data(), head.size()), ec);
    if (ec || taken != head.size() || !message->is_header_done()) {
      return {step.consumed, Outcome::kRefused, reason(ec)};
    }
    step.consumed += taken;
    step.outcome = message->is_done() ? Outcome::kComplete : Outcome::kHead;
    return step;
  }

  Step feed_body(std::string_view data) {
    if (data.empty()) return {};
    // Beast 1.81 asserts that the last chunk is not shown to it in four bytes, "0\r\n\r".
    constexpr std::size_t kShortestChunkedBody = 5;
    if (message->chunked() && body_wire_bytes == 0 && data.size() < kShortestChunkedBody) return {};
    error_code ec;
    Step step;
    step.consumed = message->put(boost::asio::buffer(data.data(), data.size()), ec);
    body_wire_bytes += step.consumed;
    if (ec && ec != beast::http::error::need_more) {
      return {step.consumed, Outcome::kRefused, reason(ec)};
    }
    if (message->is_done()) {
      step.outcome = Outcome::kComplete;
    } else if (data.size() - step.consumed >= limits.head ||
               body_wire_bytes > limits.head + kMaxWireBytesPerBodyByte * limits.body) {
      // A chunk header or trailer without end, or a body that is nearly all chunk extensions.
      return {step.consumed, Outcome::kRefused, ProtocolError::kMalformed};
    }
    return step;
  }
};

RequestParser::RequestParser(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

RequestParser::Step RequestParser::feed(std::span<const std::uint8_t> data) {
  const std::string_view text = as_text(data);
  return impl_->message->is_header_done() ? impl_->feed_body(text) : impl_->feed_head(text);
}

void RequestParser::reset() {
  Impl& impl = *impl_;
  wipe(impl.text.data(), impl.text.size());
  impl.text.clear();
  impl.fields.clear();
  wipe(impl.body.data(), impl.body.size());
  impl.body.clear();
  if (impl.body.capacity() > kKeptBodyMemory) Wiped<std::uint8_t>().swap(impl.body);
  impl.message.emplace(impl.limits, impl.text, impl.fields, impl.body);
  impl.scanned = 0;
  impl.leading_lines = 0;
  impl.body_wire_bytes = 0;
  impl.started = false;
}

bool RequestParser::started() const { return impl_->started; }
bool RequestParser::expects_continue() const { return impl_->message->expects_continue; }
bool RequestParser::keep_alive() const { return impl_->message->keep_alive(); }
int RequestParser::version() const { return impl_->message->version; }
std::size_t RequestParser::body_memory() const { return impl_->body.capacity(); }

void RequestParser::fill(Request& request) {
  const Impl& impl = *impl_;
  request.method = impl.at(impl.message->method);
  request.target = impl.at(impl.message->target);
  request.headers.clear();
  request.headers.reserve(impl.fields.size());
  for (const FieldPlace& field : impl.fields) {
    request.headers.push_back({impl.at(field.name), impl.at(field.value)});
  }
  request.body = {};
  if (impl.message->is_done()) request.body = impl_->body;
}

}  // namespace keyhold::http
