#include "http/response_writer.h"

#include <gtest/gtest.h>

#include <vector>

namespace keyhold::http {
namespace {

const std::vector<ResponseHeader> kDefaults = {{"Cache-Control", "no-cache"}, {"Expires", "0"}};

HeadContext context() {
  HeadContext context;
  context.default_headers = kDefaults;
  context.request_id_name = "x-id";
  context.request_id = "42";
  context.date = "today";
  return context;
}

std::string head_of(const Response& response, const HeadContext& with = context()) {
  std::string head = "left over";
  write_head(response, with, head);
  return head;
}

TEST(WriteHead, HasAllFieldsOnce) {
  Response response;
  response.content_type = "text/plain";
  response.body = Secret(std::string_view("hello"));
  response.headers = {{"X-More", "yes"}};
  EXPECT_EQ(head_of(response),
            "HTTP/1.1 200 OK\r\nx-id: 42\r\nCache-Control: no-cache\r\nExpires: 0\r\n"
            "X-More: yes\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nDate: today\r\n\r\n");
}

TEST(WriteHead, KeepsTheContentTypeOfAnEmptyBody) {
  Response response;
  response.content_type = "application/x-amz-json-1.1";
  const std::string head = head_of(response);
  EXPECT_NE(head.find("\r\nContent-Type: application/x-amz-json-1.1\r\n"), std::string::npos);
  EXPECT_NE(head.find("\r\nContent-Length: 0\r\n"), std::string::npos);
}

TEST(WriteHead, LetsTheAnswerReplaceOrRemoveADefaultField) {
  Response response;
  response.headers = {{"cache-control", "max-age=60"}, {"EXPIRES", ""}};
  const std::string head = head_of(response);
  EXPECT_NE(head.find("\r\ncache-control: max-age=60\r\n"), std::string::npos);
  EXPECT_EQ(head.find("Cache-Control"), std::string::npos);
  EXPECT_EQ(head.find("Expires"), std::string::npos);
  EXPECT_EQ(head.find("EXPIRES"), std::string::npos);
}

TEST(WriteHead, SaysWhatBecomesOfTheConnectionWhereTheVersionDoesNot) {
  HeadContext with = context();
  EXPECT_EQ(head_of({}, with).find("Connection"), std::string::npos);
  with.request_version = 10;
  EXPECT_NE(head_of({}, with).find("\r\nConnection: keep-alive\r\n"), std::string::npos);
  with.after = AfterAnswer::kClose;
  EXPECT_NE(head_of({}, with).find("\r\nConnection: close\r\n"), std::string::npos);
}

// RFC 9110 section 8.6: "A server MUST NOT send a Content-Length header field in any response with
// a status code of 1xx (Informational) or 204 (No Content)."
TEST(WriteHead, Gives204NoLength) {
  Response response;
  response.status = 204;
  EXPECT_EQ(head_of(response).find("Content-Length"), std::string::npos);
}

TEST(IsSendable, RefusesFieldsThatAreTheServersOwnOrIllFormed) {
  const auto sendable = [](std::string name, std::string value) {
    Response response;
    response.headers = {{std::move(name), std::move(value)}};
    return is_sendable(response, "x-id");
  };
  EXPECT_TRUE(sendable("X-A", "1"));
  EXPECT_TRUE(sendable("X-A", "caf\xc3\xa9\tcr\xc3\xa8me"));
  for (const char* own :
       {"content-LENGTH", "Transfer-Encoding", "connection", "Date", "X-ID", "Content-Type"}) {
    EXPECT_FALSE(sendable(own, "1")) << own;
  }
  EXPECT_FALSE(sendable("", "1"));
  EXPECT_FALSE(sendable("X A", "1"));
  EXPECT_FALSE(sendable("X:", "1"));
  EXPECT_FALSE(sendable("X-A", "1\r\nX-B: 2"));
  EXPECT_FALSE(sendable("X-A", std::string("1\0", 2)));

  Response response;
  for (const int status : {0, 100, 199, 600, -200}) {
    response.status = status;
    EXPECT_FALSE(is_sendable(response, "x-id")) << status;
  }
  response.status = 200;
  response.content_type = "text/plain\r\nX-B: 2";
  EXPECT_FALSE(is_sendable(response, "x-id"));
}

TEST(HasBody, FollowsMethodAndStatus) {
  EXPECT_TRUE(has_body("POST", 200));
  EXPECT_TRUE(has_body("head", 200));
  EXPECT_FALSE(has_body("HEAD", 200));
  EXPECT_FALSE(has_body("POST", 204));
  EXPECT_FALSE(has_body("POST", 304));
}

TEST(HttpDate, HasTheFormOfTheStandard) {
  HttpDate date;
  EXPECT_EQ(date.at(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110
  EXPECT_EQ(date.at(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(date.at(1709210096), "Thu, 29 Feb 2024 12:34:56 GMT");
}

}  // namespace
}  // namespace keyhold::http
