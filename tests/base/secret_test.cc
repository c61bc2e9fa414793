#include "base/secret.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "base/base64.h"
#include "base/json.h"

// This program's own operator new and delete see every block that is given back: what is left in
// one is what a core dump or another part of the process could find.
namespace {

constexpr std::string_view kSecretText = "kH-9f3c-unmistakable-secret-text";
std::atomic<bool> g_watching{false};
std::atomic<int> g_left_behind{0};

void look_at(void* block) {
  if (block == nullptr || !g_watching.load(std::memory_order_relaxed)) return;
  if (::memmem(block, ::malloc_usable_size(block), kSecretText.data(), kSecretText.size()) !=
      nullptr) {
    ++g_left_behind;
  }
}

}  // namespace

void* operator new(std::size_t size) {
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void operator delete(void* block) noexcept {
  look_at(block);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  look_at(block);
  std::free(block);
}

namespace keyhold {
namespace {

/// How many freed blocks held the secret text while `act` ran.
template <typename Act>
int left_behind(const Act& act) {
  g_left_behind = 0;
  g_watching = true;
  act();
  g_watching = false;
  return g_left_behind;
}

TEST(Secret, WatchSeesWhatAnOrdinaryBufferLeavesBehind) {
  EXPECT_GT(left_behind([] { const std::string text(kSecretText); }), 0);
}

TEST(Secret, IsWipedWhenItDies) {
  EXPECT_EQ(left_behind([] { const Secret secret(kSecretText); }), 0);
}

TEST(Secret, IsWipedWhereItGrewOutOf) {
  EXPECT_EQ(left_behind([] {
              Secret secret(kSecretText);
              for (int i = 0; i < 100; ++i) secret.append(as_bytes("0123456789abcdef"));
              secret.resize(100'000);
            }),
            0);
}

TEST(Secret, IsWipedWhenShortenedCopiedMovedAndAssignedOver) {
  EXPECT_EQ(left_behind([] {
              Secret secret(kSecretText);
              const Secret copy = secret;
              Secret moved = std::move(secret);
              moved.resize(4);
              moved = Secret(std::size_t{3});
              Secret assigned(kSecretText);
              assigned = copy;
            }),
            0);
}

TEST(Secret, IsWipedWhenDecodedFromBase64) {
  const std::string encoded = to_base64(as_bytes(kSecretText));
  EXPECT_EQ(left_behind([&] { ASSERT_TRUE(secret_from_base64(encoded)); }), 0);
}

TEST(Secret, IsWipedOutOfAJsonWriterAndItsText) {
  EXPECT_EQ(left_behind([] {
              json::Writer writer;
              writer.begin_array();
              for (int i = 0; i < 100; ++i) writer.string(kSecretText);
              writer.end_array();
              const Secret text = writer.take_secret();
              ASSERT_GT(text.size(), 100 * kSecretText.size());
            }),
            0);
}

TEST(Secret, HoldsWhatItWasGiven) {
  Secret secret(std::string_view("abc"));
  EXPECT_EQ(secret.text(), "abc");
  secret.append(as_bytes("def"));
  EXPECT_EQ(secret.size(), 6U);
  EXPECT_EQ(secret.text(), "abcdef");
  EXPECT_TRUE(Secret().empty());
  EXPECT_EQ(Secret(std::size_t{3}).view()[2], 0);
}

}  // namespace
}  // namespace keyhold
