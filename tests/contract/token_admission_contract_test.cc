// Whether a token is admitted, what it says that it can do, and what costs no key.
#include <set>
#include <thread>

#include "base/wrapping_algorithm.h"
#include "token_contract.h"

namespace keyhold::token::contract {
namespace {

TEST_F(TokenContract, IsAdmittedUnlessItLacksOrAllowsWhatIsKnown) {
  close();
  const auto opened = try_open(AdmissionRule::kEnforced);
  if (known().refusal().empty()) {
    ASSERT_TRUE(opened) << why(opened);
    return;
  }
  ASSERT_FALSE(opened) << "admitted, although it is known: " << known().refusal();
  EXPECT_EQ(opened.error().code(), ErrorCode::kKmsInternal);
  EXPECT_EQ(opened.error().message(), "") << "callers are told nothing of it";
  EXPECT_EQ(opened.error().detail(), known().refusal());
}

TEST_F(TokenContract, SaysOfEachAlgorithmWhatIsKnown) {
  for (const KeySpecRow& row : key_spec_rows()) {
    for (const KeyUsage usage : row.usages) {
      const MaterialKind kind{row.spec, usage};
      SCOPED_TRACE(name_of(kind));
      as_known(token().check_kind(kind), known().lack(kind));
      for (const Algorithm algorithm : algorithms_of(row.spec, usage)) {
        SCOPED_TRACE(to_string(algorithm));
        as_known(token().check_algorithm(kind, Custody::kHostStaged, algorithm),
                 known().lack(row.spec, algorithm));
        // What the service has a hand in is not done with keys that were made without it.
        const auto resident = token().check_algorithm(kind, Custody::kResident, algorithm);
        EXPECT_EQ(resident.has_value(), known().place(row.spec, algorithm) == "token");
      }
    }
  }
}

TEST_F(TokenContract, SaysOfEachImportWhatIsKnown) {
  for (const KeySpecRow& row : key_spec_rows()) {
    for (const KeyUsage usage : row.usages) {
      for (const WrappingAlgorithmRow& way : wrapping_algorithm_rows()) {
        if (wrapping_refusal(row.spec, way.algorithm, KeySpec::kRsa4096)) continue;
        const MaterialKind kind{row.spec, usage};
        SCOPED_TRACE(name_of(kind) + " " + std::string(to_string(way.algorithm)));
        as_known(token().check_import(kind, way.algorithm), known().lack(kind, way.algorithm));
      }
    }
  }
}

TEST_F(TokenContract, IsTheOneOfItsLabelAndAnswers) {
  const TokenIdentity identity = token().identity();
  EXPECT_EQ(identity.label, known().profile().token_label);
  EXPECT_FALSE(identity.serial.empty());
  const auto there = token().check();
  EXPECT_TRUE(there) << why(there);
}

TEST_F(TokenContract, DrawsRandomBytes) {
  std::set<Bytes> drawn;
  for (int i = 0; i < 8; ++i) {
    const auto bytes = token().random(32);
    ASSERT_TRUE(bytes) << why(bytes);
    ASSERT_EQ(bytes->size(), 32U);
    drawn.insert(Bytes(bytes->view().begin(), bytes->view().end()));
  }
  EXPECT_EQ(drawn.size(), 8U);
  for (const std::size_t size : {0U, 1U, 1024U}) {
    const auto bytes = token().random(size);
    ASSERT_TRUE(bytes) << why(bytes);
    EXPECT_EQ(bytes->size(), size);
  }
}

TEST_F(TokenContract, DrawsRandomBytesForManyThreads) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int n = 0; n < 50; ++n) {
        const auto bytes = token().random(16);
        EXPECT_TRUE(bytes) << why(bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(TokenContract, KnowsNothingOfANameThatNothingBears) {
  const ObjectName name = draw_name();
  for (const MaterialKind kind : kinds()) {
    SCOPED_TRACE(name_of(kind));
    const auto adopted = token().adopt_material(name, kind);
    ASSERT_TRUE(adopted) << why(adopted);
    EXPECT_FALSE(adopted->has_value());
  }
  Material material;
  material.object_name = name;
  const auto checked = token().check_material(material);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kKmsInternal) << why(checked);
  EXPECT_FALSE(token().evidence(name));
  const auto destroyed = token().destroy_material(name);
  EXPECT_TRUE(destroyed) << why(destroyed);
}

}  // namespace
}  // namespace keyhold::token::contract
