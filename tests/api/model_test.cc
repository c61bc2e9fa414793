// Every operation against AWS's API model: members, requiredness, types, bounds, patterns, words
// and errors. The model is not part of the source; where it is not at hand, this is skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "api/operation.h"
#include "base/json.h"
#include "tests/support/places.h"

namespace keyhold::api {
namespace {

using json::Value;

/// Members of answers that Keyhold never has anything to say in.
const std::set<std::string> kUnusedAnswerMembers = {
    "KeyMetadata.CloudHsmClusterId",
    "KeyMetadata.CustomKeyStoreId",
    "KeyMetadata.ExpirationModel",
    "KeyMetadata.KeyAgreementAlgorithms",
    "KeyMetadata.MacAlgorithms",
    "KeyMetadata.MultiRegionConfiguration",
    "KeyMetadata.PendingDeletionWindowInDays",
    "KeyMetadata.SigningAlgorithms",
    "KeyMetadata.ValidTo",
    "KeyMetadata.XksKeyConfiguration",
    "Rotations.ExpirationModel",
    "Rotations.ImportState",
    "Rotations.KeyMaterialDescription",
    "Rotations.ValidTo",
    "CiphertextForRecipient",
    "Grants.GranteeServicePrincipal",
    "Grants.RetiringServicePrincipal",
    "NextMarker",
};
/// Those of the elements of a list that is always empty.
constexpr std::string_view kCustomKeyStores = "CustomKeyStores.";

/// Patterns that AWS enforces and its model does not have.
const std::set<std::string> kUnmodelledPatterns = {"^\\p{ASCII}+$"};
/// Members that are kept out of texts though the model does not call them sensitive.
const std::set<std::string> kKeptSecret = {"GrantToken", "GrantTokens", "ImportToken"};

class Model {
 public:
  static const Model* load() {
    static const Model model;
    return model.document_ ? &model : nullptr;
  }

  Value root() const { return document_->root(); }
  Value shape(std::string_view name) const { return *root().member("shapes")->member(name); }
  Value operation(std::string_view name) const {
    return *root().member("operations")->member(name);
  }
  std::set<std::string> operation_names() const {
    std::set<std::string> names;
    root().member("operations")->for_each_member([&](std::string_view name, Value) {
      names.emplace(name);
      return true;
    });
    return names;
  }

 private:
  Model() {
    const char* named = std::getenv("KEYHOLD_API_MODEL");
    std::ifstream file(named != nullptr ? named
                                        : keyhold::test::source_folder() +
                                              "/../shared/aws-kms-model/service-2.json");
    if (!file) return;
    std::stringstream text;
    text << file.rdbuf();
    text_ = text.str();
    auto parsed =
        json::Document::parse({reinterpret_cast<std::uint8_t*>(text_.data()), text_.size()});
    if (parsed) document_ = std::make_unique<json::Document>(std::move(*parsed));
  }

  std::string text_;
  std::unique_ptr<json::Document> document_;
};

std::set<std::string> strings(const std::optional<Value>& list) {
  std::set<std::string> all;
  if (!list) return all;
  for (std::size_t i = 0; i < list->size(); ++i) all.emplace(*list->element(i).string());
  return all;
}

std::set<std::string> words(Words list) { return {list.begin(), list.end()}; }

std::string_view modelled_type(Kind kind) {
  switch (kind) {
    case Kind::kString:
      return "string";
    case Kind::kBlob:
      return "blob";
    case Kind::kInteger:
      return "integer";
    case Kind::kBoolean:
      return "boolean";
    case Kind::kTimestamp:
      return "timestamp";
    case Kind::kStringMap:
      return "map";
    case Kind::kStringList:
    case Kind::kStructureList:
      return "list";
    case Kind::kStructure:
      return "structure";
  }
  return "";
}

class ModelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = Model::load();
    if (model_ == nullptr) GTEST_SKIP() << "no API model; KEYHOLD_API_MODEL names one";
  }

  void compare_rule(const std::string& where, const Rule& rule, Value shape) {
    SCOPED_TRACE(where);
    const auto number = [&](std::string_view name) {
      const auto value = shape.member(name);
      return value ? value->integer() : std::nullopt;
    };
    EXPECT_EQ(rule.min, number("min"));
    EXPECT_EQ(rule.max, number("max"));
    const auto pattern = shape.member("pattern");
    const std::string ours(expression(rule.pattern));
    if (pattern) {
      EXPECT_EQ(ours, *pattern->string());
    } else {
      EXPECT_TRUE(ours.empty() || kUnmodelledPatterns.contains(ours)) << ours;
    }
    EXPECT_EQ(words(rule.words), strings(shape.member("enum")));
    const bool sensitive = shape.member("sensitive").has_value();
    const std::string leaf = where.substr(where.rfind('.') + 1);
    EXPECT_EQ(rule.privacy == Privacy::kSensitive, sensitive || kKeptSecret.contains(leaf));
  }

  enum class Side { kRequest, kAnswer };

  void compare_structure(const std::string& where, const Description& ours, Value structure,
                         Side side) {
    std::map<std::string_view, const MemberDescription*> by_name;
    for (const auto& member : ours) by_name.emplace(member.name, &member);
    EXPECT_EQ(by_name.size(), ours.size()) << where << ": a member is declared twice";
    const auto required_names = strings(structure.member("required"));
    std::size_t found = 0;
    structure.member("members")->for_each_member([&](std::string_view name, Value reference) {
      const std::string path = where.empty() ? std::string(name) : where + "." + std::string(name);
      const auto at = by_name.find(name);
      if (at == by_name.end()) {
        const bool unused = side == Side::kAnswer && (kUnusedAnswerMembers.contains(path) ||
                                                      path.starts_with(kCustomKeyStores));
        EXPECT_TRUE(unused) << path << " is in the model and not in the shape";
        return true;
      }
      ++found;
      compare_member(path, *at->second, required_names.contains(std::string(name)),
                     *reference.member("shape")->string(), side);
      return true;
    });
    EXPECT_EQ(found, ours.size()) << where << ": a member is not in the model";
  }

  void compare_member(const std::string& path, const MemberDescription& ours, bool required,
                      std::string_view shape_name, Side side) {
    SCOPED_TRACE(path);
    const Value shape = model_->shape(shape_name);
    EXPECT_EQ(ours.presence == Presence::kRequired, required);
    EXPECT_EQ(modelled_type(ours.kind), *shape.member("type")->string());
    compare_rule(path, ours.rule, shape);
    if (ours.kind == Kind::kStructure) compare_structure(path, ours.structure, shape, side);
    if (ours.kind != Kind::kStringList && ours.kind != Kind::kStructureList) return;
    const Value element = model_->shape(*shape.member("member")->member("shape")->string());
    if (ours.kind == Kind::kStructureList) {
      compare_structure(path, ours.structure, element, side);
    } else {
      ASSERT_NE(ours.rule.element, nullptr) << "no rule for the list's elements";
      compare_rule(path, *ours.rule.element, element);
    }
  }

  void compare_side(const Operation& operation, std::string_view side_name, const Description& ours,
                    Side side) {
    SCOPED_TRACE(std::string(operation.name) + " " + std::string(side_name));
    const auto reference = model_->operation(operation.name).member(side_name);
    if (!reference) {
      EXPECT_TRUE(ours.empty());
      return;
    }
    compare_structure("", ours, model_->shape(*reference->member("shape")->string()), side);
  }

  const Model* model_ = nullptr;
};

TEST_F(ModelTest, HasEveryRequestAsWeDeclareIt) {
  for (const Operation* operation : operations()) {
    compare_side(*operation, "input", operation->handler.request_shape(), Side::kRequest);
  }
}

TEST_F(ModelTest, HasEveryAnswerAsWeDeclareIt) {
  for (const Operation* operation : operations()) {
    compare_side(*operation, "output", operation->handler.response_shape(), Side::kAnswer);
  }
}

// Of the model's errors a row lists those that Keyhold knows; the others nothing can raise.
TEST_F(ModelTest, HasTheErrorsOfEveryRow) {
  for (const Operation* operation : operations()) {
    std::set<std::string> modelled;
    const auto errors = model_->operation(operation->name).member("errors");
    for (std::size_t i = 0; i < errors->size(); ++i) {
      const std::string name(*errors->element(i).member("shape")->string());
      if (error_code(name)) modelled.insert(name);
    }
    std::set<std::string> ours;
    for (const ErrorCode code : operation->errors) ours.emplace(error_row(code).wire_name);
    EXPECT_EQ(ours, modelled) << operation->name;
  }
}

TEST_F(ModelTest, HasTheOperationsThatAreImplementedAndThoseThatAreMissing) {
  std::set<std::string> ours;
  for (const Operation* operation : operations()) {
    EXPECT_TRUE(ours.emplace(operation->name).second) << operation->name;
  }
  for (const auto& missing : missing_operations()) {
    EXPECT_TRUE(ours.emplace(missing.name).second) << missing.name;
  }
  EXPECT_EQ(ours, model_->operation_names());
}

}  // namespace
}  // namespace keyhold::api
