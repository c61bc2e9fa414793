// Keyhold's HTTP server with a handler that does nothing: what is left of a request when nothing of
// a key service is in it.
//
//   keyhold-bare-server ANSWER_SIZE plain|tls
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "http/server.h"

int main(int argc, char** argv) {
  using namespace keyhold;
  if (argc < 3) {
    std::cerr << "usage: keyhold-bare-server ANSWER_SIZE plain|tls\n";
    return 2;
  }
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  const Secret body(std::string(std::stoul(argv[1]), 'x'));
  const auto answer = [&body](http::Request&) {
    http::Response response;
    response.content_type = "application/x-amz-json-1.1";
    response.body = body;
    return response;
  };
  http::ServerOptions options;
  options.light_work = http::LightWork::kInPlace;
  if (argv[2] == std::string_view("tls")) {
    auto certificate = http::make_self_signed_certificate({"127.0.0.1"});
    if (!certificate) return 1;
    options.tls.emplace();
    options.tls->certificate_chain = certificate->certificate;
    options.tls->private_key = certificate->private_key;
  }
  const auto server = http::Server::start(options, answer, answer, [](http::ProtocolError error) {
    http::Response response;
    response.status = http::default_status(error);
    return response;
  });
  if (!server) {
    std::cerr << server.error().message() << "\n";
    return 1;
  }
  std::cout << "ready at " << (*server)->port() << std::endl;
  int signal = 0;
  sigwait(&ending, &signal);
  return 0;
}
