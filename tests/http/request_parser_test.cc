#include "http/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/bytes.h"

namespace keyhold::http {
namespace {

using Outcome = RequestParser::Outcome;

constexpr RequestParser::Limits kLimits{.head = 1024, .body = 4096};

struct Parsed {
  Outcome outcome = Outcome::kNeedMore;
  ProtocolError error = ProtocolError::kInternal;
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool keep_alive = false;
  std::string rest;  // not consumed
};

// Feeds `bytes` in pieces of `piece` bytes, keeping what is not consumed, as a connection does.
Parsed parse(RequestParser& parser, std::string_view bytes, std::size_t piece) {
  Parsed parsed;
  std::string unread;
  while (parsed.outcome != Outcome::kComplete && parsed.outcome != Outcome::kRefused) {
    if (parsed.outcome == Outcome::kNeedMore) {
      if (bytes.empty()) break;
      unread.append(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    const RequestParser::Step step = parser.feed(as_bytes(unread));
    unread.erase(0, step.consumed);
    parsed.outcome = step.outcome;
    parsed.error = step.error;
    if (step.outcome == Outcome::kHead && unread.empty()) parsed.outcome = Outcome::kNeedMore;
  }
  if (parsed.outcome == Outcome::kComplete) {
    Request request;
    parser.fill(request);
    parsed.method = request.method;
    parsed.target = request.target;
    for (const Header& header : request.headers) {
      parsed.headers.emplace_back(header.name, header.value);
    }
    parsed.body = as_text(request.body);
    parsed.keep_alive = parser.keep_alive();
  }
  parsed.rest = unread + std::string(bytes);
  return parsed;
}

Parsed parse(std::string_view bytes, std::size_t piece = SIZE_MAX) {
  RequestParser parser(kLimits);
  return parse(parser, bytes, piece);
}

TEST(RequestParser, KeepsOrderSpellingAndRepetitionOfFields) {
  const Parsed parsed = parse(
      "POST /a%20b?q=1 HTTP/1.1\r\nHost: h\r\nX-B: 1\r\nx-a:2\r\nX-b:  two  words \r\n"
      "X-Empty:\r\nContent-Length: 3\r\nx-A: 4\r\n\r\nabc");
  ASSERT_EQ(parsed.outcome, Outcome::kComplete);
  EXPECT_EQ(parsed.method, "POST");
  EXPECT_EQ(parsed.target, "/a%20b?q=1");
  EXPECT_THAT(parsed.headers,
              testing::ElementsAre(
                  testing::Pair("Host", "h"), testing::Pair("X-B", "1"), testing::Pair("x-a", "2"),
                  testing::Pair("X-b", "two  words"), testing::Pair("X-Empty", ""),
                  testing::Pair("Content-Length", "3"), testing::Pair("x-A", "4")));
  EXPECT_EQ(parsed.body, "abc");
}

TEST(RequestParser, TakesARequestInPiecesOfAnySize) {
  const std::string with_length = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;name=value\r\nhel\r\n002\r\nlo\r\n0\r\nX-Trailer: t\r\n\r\n";
  for (const std::string& request : {with_length, chunked}) {
    for (std::size_t piece = 1; piece <= request.size(); ++piece) {
      const Parsed parsed = parse(request + "NEXT", piece);
      ASSERT_EQ(parsed.outcome, Outcome::kComplete) << piece << "\n" << request;
      EXPECT_EQ(parsed.body, "hello") << piece << "\n" << request;
      EXPECT_EQ(parsed.rest, "NEXT") << piece << "\n" << request;
    }
  }
}

TEST(RequestParser, LeavesTheNextRequestUnread) {
  RequestParser parser(kLimits);
  const std::string second = "GET /second HTTP/1.1\r\nHost: h\r\n\r\n";
  const Parsed first = parse(
      parser, "POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi" + second, SIZE_MAX);
  EXPECT_EQ(first.target, "/first");
  EXPECT_EQ(first.body, "hi");
  ASSERT_EQ(first.rest, second);
  parser.reset();
  const Parsed next = parse(parser, first.rest, SIZE_MAX);
  EXPECT_EQ(next.target, "/second");
  EXPECT_EQ(next.body, "");
  EXPECT_THAT(next.headers, testing::ElementsAre(testing::Pair("Host", "h")));
}

TEST(RequestParser, PassesEveryByteValueOfABody) {
  std::string body;
  for (int round = 0; round < 4; ++round) {
    for (int byte = 0; byte < 256; ++byte) body.push_back(static_cast<char>(byte));
  }
  const Parsed parsed =
      parse("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n\r\n" + body,
            7);
  EXPECT_EQ(parsed.body, body);
}

TEST(RequestParser, DropsTheTrailer) {
  const Parsed parsed = parse(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\na\r\n0\r\nX-Amz-Target: Evil\r\nHost: other\r\n\r\n");
  ASSERT_EQ(parsed.outcome, Outcome::kComplete);
  EXPECT_THAT(parsed.headers, testing::ElementsAre(testing::Pair("Host", "h"),
                                                   testing::Pair("Transfer-Encoding", "chunked")));
}

// RFC 9112 section 2.2: "a server that is expecting to receive and parse a request-line SHOULD
// ignore at least one empty line (CRLF) received prior to the request-line."
TEST(RequestParser, SkipsAFewEmptyLinesBeforeARequestAndNoMore) {
  const std::string request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, SIZE_MAX}) {
    EXPECT_EQ(parse("\r\n\r\n" + request, piece).target, "/x");
    const Parsed many = parse("\r\n\r\n\r\n\r\n\r\n\r\n" + request, piece);
    EXPECT_EQ(many.outcome, Outcome::kRefused);
    EXPECT_EQ(many.error, ProtocolError::kMalformed);
  }
  RequestParser parser(kLimits);
  EXPECT_EQ(parser.feed(as_bytes("\r\n\r")).consumed, 2U);
  EXPECT_FALSE(parser.started());
  parser.feed(as_bytes("G"));
  EXPECT_TRUE(parser.started());
}

TEST(RequestParser, KnowsWhetherTheConnectionGoesOn) {
  const struct {
    const char* head;
    bool keep_alive;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: h\r\nConnection: foo, Close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
  };
  for (const auto& test : cases) {
    const Parsed parsed = parse(test.head);
    ASSERT_EQ(parsed.outcome, Outcome::kComplete) << test.head;
    EXPECT_EQ(parsed.keep_alive, test.keep_alive) << test.head;
  }
}

struct Refusal {
  const char* name;
  std::string request;
  ProtocolError error = ProtocolError::kMalformed;
};

class RequestParserRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(RequestParserRefuses, WholeAndByteByByte) {
  for (const std::size_t piece : {SIZE_MAX, std::size_t{1}, std::size_t{13}}) {
    const Parsed parsed = parse(GetParam().request, piece);
    EXPECT_EQ(parsed.outcome, Outcome::kRefused) << piece;
    EXPECT_EQ(parsed.error, GetParam().error) << piece;
  }
}

std::string with_fields(const std::string& fields, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body;
}

std::string with_chunks(const std::string& chunks) {
  return with_fields("Transfer-Encoding: chunked\r\n", chunks);
}

std::string with_nul(const char* before, const char* after) {
  return before + std::string(1, '\0') + after;
}

INSTANTIATE_TEST_SUITE_P(
    Smuggling, RequestParserRefuses,
    testing::Values(
        Refusal{"LengthThenChunked",
                with_fields("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        Refusal{"ChunkedThenLength",
                with_fields("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n")},
        Refusal{"DifferingLengths",
                with_fields("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")},
        Refusal{"ListOfLengths", with_fields("Content-Length: 3, 3\r\n", "abc")},
        Refusal{"SignedLength", with_fields("Content-Length: +3\r\n", "abc")},
        Refusal{"NegativeLength", with_fields("Content-Length: -3\r\n", "abc")},
        Refusal{"HexLength", with_fields("Content-Length: 0x3\r\n", "abc")},
        Refusal{"LengthWithSpace", with_fields("Content-Length: 3 3\r\n", "abc")},
        Refusal{"EmptyLength", with_fields("Content-Length:\r\n")},
        Refusal{"LengthThatOverflows", with_fields("Content-Length: 18446744073709551617\r\n")},
        Refusal{"UnknownCoding", with_fields("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")},
        Refusal{"IdentityCoding", with_fields("Transfer-Encoding: identity\r\n")},
        Refusal{"StackedCodings", with_fields("Transfer-Encoding: gzip, chunked\r\n")},
        Refusal{"ChunkedNotLast", with_fields("Transfer-Encoding: chunked, gzip\r\n")},
        Refusal{"CodingTwice",
                with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
        Refusal{"CodingTwiceSecondUnknown",
                with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n")},
        Refusal{"CodingWithVerticalTab", with_fields("Transfer-Encoding: \vchunked\r\n")},
        Refusal{"CodingInHttp10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        Refusal{"SpaceBeforeColon", with_fields("Content-Length : 3\r\n", "abc")},
        Refusal{"FoldedField", with_fields("X-A: 1\r\n 2\r\n")},
        Refusal{"FoldedFieldByTab", with_fields("Transfer-Encoding:\r\n\tchunked\r\n")},
        Refusal{"FirstFieldIndented", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
        Refusal{"BareLineFeed", with_fields("X-A: 1\nContent-Length: 3\r\n", "abc")},
        Refusal{"BareCarriageReturn", with_fields("X-A: 1\rContent-Length: 3\r\n", "abc")},
        Refusal{"NulInValue", with_fields(with_nul("X-A: 1", "2\r\n"))},
        Refusal{"NulInName", with_fields(with_nul("X", "A: 1\r\n"))},
        Refusal{"NoHost", "GET / HTTP/1.1\r\n\r\n"},
        Refusal{"TwoHosts", with_fields("Host: other\r\n")}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Malformed, RequestParserRefuses,
    testing::Values(Refusal{"TlsClientHello", std::string("\x16\x03\x01\x02\x00\x01", 6)},
                    Refusal{"Noise", "\xff\xfe\xfd"},
                    Refusal{"NoVersion", "GET /\r\nHost: h\r\n\r\n"},
                    Refusal{"OtherProtocol", "GET / ICY/1.1\r\nHost: h\r\n\r\n"},
                    Refusal{"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
                    Refusal{"Http12", "GET / HTTP/1.2\r\nHost: h\r\n\r\n"},
                    Refusal{"TwoSpaces", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
                    Refusal{"NoTarget", "GET HTTP/1.1\r\nHost: h\r\n\r\n"},
                    Refusal{"NoName", with_fields(": x\r\n")},
                    Refusal{"NoColon", with_fields("nonsense\r\n")},
                    Refusal{"ControlInTarget", "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Chunks, RequestParserRefuses,
    testing::Values(Refusal{"NoSize", with_chunks("\r\nabc\r\n0\r\n\r\n")},
                    Refusal{"NotHex", with_chunks("g\r\nabc\r\n0\r\n\r\n")},
                    Refusal{"Prefixed", with_chunks("0x3\r\nabc\r\n0\r\n\r\n")},
                    Refusal{"Signed", with_chunks("+3\r\nabc\r\n0\r\n\r\n")},
                    Refusal{"Overflow", with_chunks("10000000000000003\r\nabc\r\n0\r\n\r\n")},
                    Refusal{"DataTooLong", with_chunks("2\r\nabc\r\n0\r\n\r\n")},
                    Refusal{"LineFeedOnly", with_chunks("3\nabc\n0\n\n\r\n\r\n")},
                    Refusal{"EndlessExtension", with_chunks("1;" + std::string(2000, 'e'))},
                    Refusal{"EndlessTrailer", with_chunks("0\r\nX: " + std::string(2000, 't'))}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Limits, RequestParserRefuses,
    testing::Values(
        Refusal{"LongTarget", "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n",
                ProtocolError::kHeadersTooLarge},
        Refusal{"LongField", with_fields("X: " + std::string(2000, 'a') + "\r\n"),
                ProtocolError::kHeadersTooLarge},
        Refusal{"ManyFields",
                [] {
                  std::string fields;
                  for (int i = 0; i < 200; ++i) fields += "X: value\r\n";
                  return with_fields(fields);
                }(),
                ProtocolError::kHeadersTooLarge},
        Refusal{"HeadWithoutEnd", std::string(1024, 'G'), ProtocolError::kHeadersTooLarge},
        Refusal{"LengthOverTheLimit", with_fields("Content-Length: 4097\r\n"),
                ProtocolError::kBodyTooLarge},
        Refusal{"HugeLength", with_fields("Content-Length: 9223372036854775807\r\n"),
                ProtocolError::kBodyTooLarge},
        Refusal{"OneChunkOverTheLimit", with_chunks("1001\r\n"), ProtocolError::kBodyTooLarge},
        Refusal{"HugeChunk", with_chunks("ffffffffffffffff\r\n"), ProtocolError::kBodyTooLarge},
        Refusal{"ChunksOverTheLimit",
                with_chunks("1000\r\n" + std::string(4096, 'b') + "\r\n1\r\nb\r\n0\r\n\r\n"),
                ProtocolError::kBodyTooLarge},
        Refusal{"OtherExpectation", with_fields("Expect: the-spanish-inquisition\r\n"),
                ProtocolError::kExpectationFailed}),
    [](const auto& test) { return test.param.name; });

TEST(RequestParser, TakesAHeadAndABodyOfExactlyTheLimit) {
  const std::string start = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4096\r\nX: ";
  const std::string head = start + std::string(kLimits.head - start.size() - 4, 'x') + "\r\n\r\n";
  ASSERT_EQ(head.size(), kLimits.head);
  const std::string body(kLimits.body, 'b');
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, SIZE_MAX}) {
    EXPECT_EQ(parse(head + body, piece).body, body);
  }
  const std::string longer = start + std::string(kLimits.head - start.size() - 3, 'x') + "\r\n\r\n";
  EXPECT_EQ(parse(longer + body).error, ProtocolError::kHeadersTooLarge);

  EXPECT_EQ(parse(with_chunks("1000\r\n" + body + "\r\n0\r\n\r\n"), 11).body, body);
}

TEST(RequestParser, TakesABodyOfOneByteChunks) {
  std::string chunks;
  for (std::size_t i = 0; i < kLimits.body; ++i) chunks += "1\r\nx\r\n";
  const Parsed parsed = parse(with_chunks(chunks + "0\r\n\r\n"));
  ASSERT_EQ(parsed.outcome, Outcome::kComplete);
  EXPECT_EQ(parsed.body, std::string(kLimits.body, 'x'));
}

TEST(RequestParser, RefusesABodyThatIsNearlyAllChunkExtensions) {
  std::string chunks;
  for (int i = 0; i < 100; ++i) chunks += "1;" + std::string(900, 'e') + "\r\nx\r\n";
  const Parsed parsed = parse(with_chunks(chunks + "0\r\n\r\n"), 512);
  EXPECT_EQ(parsed.outcome, Outcome::kRefused);
  EXPECT_EQ(parsed.error, ProtocolError::kMalformed);
}

TEST(RequestParser, TakesTheSameLengthTwice) {
  EXPECT_EQ(parse(with_fields("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")).body, "abc");
}

TEST(RequestParser, HoldsNoMoreMemoryThanTheBodyThatCameAndGivesItBack) {
  RequestParser parser({.head = 1024, .body = 1024 * 1024});
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n";
  ASSERT_EQ(parser.feed(as_bytes(head)).outcome, Outcome::kHead);
  ASSERT_EQ(parser.feed(as_bytes("x")).outcome, Outcome::kNeedMore);
  EXPECT_LE(parser.body_memory(), 64U * 1024);  // a length that is claimed costs little
  const std::string rest(1048575, 'x');
  ASSERT_EQ(parser.feed(as_bytes(rest)).outcome, Outcome::kComplete);
  EXPECT_LE(parser.body_memory(), 1024U * 1024);
  parser.reset();
  EXPECT_EQ(parser.body_memory(), 0U);
}

TEST(RequestParser, LetsTheBodyBeChangedInPlace) {
  RequestParser parser(kLimits);
  const std::string bytes = with_fields("Content-Length: 3\r\n", "abc");
  std::size_t consumed = parser.feed(as_bytes(bytes)).consumed;
  ASSERT_EQ(parser.feed(as_bytes(bytes).subspan(consumed)).outcome, Outcome::kComplete);
  Request request;
  parser.fill(request);
  request.body[1] = 'X';
  EXPECT_EQ(as_text(request.body), "aXc");
  EXPECT_NE(bytes.find("abc"), std::string::npos);
}

}  // namespace
}  // namespace keyhold::http
