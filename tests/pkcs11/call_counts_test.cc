#include "pkcs11/call_counts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace keyhold::pkcs11 {
namespace {

std::uint64_t count_of(const std::string& function, CK_RV rv) {
  for (const CallCount& call : read_call_counts()) {
    if (call.function == function && call.rv == rv) return call.count;
  }
  return 0;
}

TEST(CallCounts, TellFunctionsAndAnswersApart) {
  count_call("C_One", CKR_OK);
  count_call("C_One", CKR_OK);
  count_call("C_One", CKR_DEVICE_ERROR);
  count_call("C_Two", CKR_OK);
  EXPECT_EQ(count_of("C_One", CKR_OK), 2U);
  EXPECT_EQ(count_of("C_One", CKR_DEVICE_ERROR), 1U);
  EXPECT_EQ(count_of("C_Two", CKR_OK), 1U);
}

TEST(CallCounts, LoseNothingOfThreadsThatEnd) {
  constexpr std::uint64_t kCalls = 10'000;
  for (std::uint64_t round = 1; round <= 2; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([] {
        for (std::uint64_t call = 0; call < kCalls; ++call) count_call("C_Threaded", CKR_OK);
      });
    }
    read_call_counts();  // beside them
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(count_of("C_Threaded", CKR_OK), 4 * kCalls * round);
  }
}

TEST(CallCounts, OfMoreAnswersThanThereIsRoomForAreLeftOut) {
  std::thread([] {
    for (CK_RV rv = 0; rv < 1000; ++rv) count_call("C_Many", CKR_VENDOR_DEFINED + rv);
    count_call("C_Many", CKR_VENDOR_DEFINED);
  }).join();
  EXPECT_EQ(count_of("C_Many", CKR_VENDOR_DEFINED), 2U);
}

}  // namespace
}  // namespace keyhold::pkcs11
