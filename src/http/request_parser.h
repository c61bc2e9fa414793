// Bytes in, one HTTP/1.x request out. Knows no sockets, so that it can be tested and fuzzed alone.
//
// Beast's parser does the grammar; what it would let pass and a front end might read differently
// (request smuggling) is refused here: RFC 9112 section 6.1 allows, and section 11.2 advises, to
// answer 400 to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "http/message.h"

namespace keyhold::http {

class RequestParser {
 public:
  struct Limits {
    /// Request line, fields and the empty line after them, in bytes. Also the most that one chunk
    /// header or the trailer of a chunked body may take.
    std::size_t head;
    std::size_t body;  ///< in bytes, without the transfer coding
  };

  enum class Outcome : std::uint8_t {
    kNeedMore,  ///< feed again when more bytes are there
    kHead,      ///< the head is complete and a body follows; told once a request
    kComplete,  ///< request() is whole
    kRefused,   ///< see `error`; the connection cannot go on
  };

  struct Step {
    std::size_t consumed = 0;  ///< bytes at the front of `data` that are not needed any more
    Outcome outcome = Outcome::kNeedMore;
    ProtocolError error = ProtocolError::kMalformed;  ///< meaningful with kRefused alone
  };

  explicit RequestParser(Limits limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Takes what it can from the front of `data`, which are all bytes received and not consumed. A
  /// head is consumed only as a whole, so the caller keeps up to Limits::head bytes. Not to be
  /// called after kComplete or kRefused before reset().
  Step feed(std::span<const std::uint8_t> data);

  /// Wipes the request and makes ready for the next one. A large body's memory is given back.
  void reset();

  bool started() const;           ///< whether a byte of the request line has been seen
  bool expects_continue() const;  ///< after the head: the client waits for 100 Continue
  bool keep_alive() const;        ///< after the head: the client means to go on (RFC 9112 9.3)
  int version() const;            ///< after the head: 10 or 11

  /// Memory held for the body, in bytes.
  std::size_t body_memory() const;

  /// Method, target, headers and body; after the head, and whole after kComplete. The body is
  /// empty before kComplete. Views into this parser, until reset().
  void fill(Request& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyhold::http
