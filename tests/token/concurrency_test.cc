// Many threads in one token.
#include <atomic>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

class ConcurrencyTest : public TokenTest {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    open({"message_keys.max_messages=20"});
  }

  void run(std::vector<std::function<void()>> bodies) {
    std::vector<std::thread> threads;
    for (auto& body : bodies) {
      threads.emplace_back([this, body] {
        while (!failed_ && rounds_.fetch_add(1) < 300) body();
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_FALSE(failed_);
  }
  template <typename T>
  void expect(const Result<T>& result) {
    if (result) return;
    failed_ = true;
    ADD_FAILURE() << why(result);
  }

  std::atomic<int> rounds_{0};
  std::atomic<bool> failed_{false};
};

TEST_F(ConcurrencyTest, GeneratingListingDestroyingAndUsingDoNotDisturbEachOther) {
  const Material material = generate();
  const auto use = [&] {
    SystemRandom random;
    std::array<std::uint8_t, 12> iv{};
    random.fill(iv);
    const auto key = token_->encryption_key(material);
    expect(key);
    if (!key) return;
    const auto ciphertext = token_->encrypt(**key, iv, as_bytes("aad"), as_bytes("text"));
    expect(ciphertext);
    if (!ciphertext) return;
    const auto again = token_->decryption_key(material, (*key)->salt(), (*key)->header_tag());
    expect(again);
    if (again) expect(token_->decrypt(**again, iv, as_bytes("aad"), *ciphertext));
  };
  const auto make = [&] {
    const ObjectName name = draw_name();
    expect(token_->generate_material(name, "a key", {}));
    expect(token_->adopt_material(name, {}));
    expect(token_->destroy_material(name));
  };
  const auto list = [&] { expect(token_->list_objects()); };
  run({use, use, make, make, list, list});
}

TEST_F(ConcurrencyTest, AMaterialThatManyOpenAtOnceIsOpenedOnce) {
  const Material material = generate();
  const auto before = token_->usage().session_objects_made;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { expect(token_->encryption_key(material)); });
  }
  for (std::thread& thread : threads) thread.join();
  // Check key, header key and one message key.
  EXPECT_EQ(token_->usage().session_objects_made, before + 3);
}

TEST_F(ConcurrencyTest, ADestroyedMaterialIsUsedByNoThreadThatUsedItBefore) {
  const Material material = generate();
  std::promise<void> destroyed;
  const std::shared_future<void> gone = destroyed.get_future().share();
  std::vector<std::promise<void>> used(3);
  std::vector<std::thread> threads;
  std::vector<MessageKeyPtr> held(used.size());
  for (std::size_t i = 0; i < used.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto key = token_->encryption_key(material);
      expect(key);
      if (key) held[i] = *key;  // so that the key itself lives on
      used[i].set_value();
      gone.wait();
      EXPECT_FALSE(token_->encryption_key(material));
      if (key) {
        EXPECT_FALSE(token_->decryption_key(material, (*key)->salt(), (*key)->header_tag()));
      }
    });
  }
  for (auto& each : used) each.get_future().wait();
  expect(token_->destroy_material(material.object_name));
  destroyed.set_value();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace keyhold::token::test
