// The files of tests/vectors, read. Their shape is described in tests/vectors/README.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/key_spec.h"

namespace keyhold::vectors {

/// What a vector says of itself. Acceptable: implementations may go either way.
enum class Result : std::uint8_t { kValid, kInvalid, kAcceptable };
std::string to_string(Result result);

struct Case {
  int id = 0;
  Result result = Result::kInvalid;
  std::map<std::string, std::string> members;

  /// A member that is written in hexadecimal. Throws if there is none.
  Bytes bytes(const std::string& name) const;
};

/// Cases that share a key, an algorithm, or both.
struct Group {
  std::map<std::string, std::string> members;
  /// Its signatures are made with other parameters than the algorithm that verifies them has.
  bool foreign = false;
  std::vector<Case> cases;

  bool has(const std::string& name) const { return members.contains(name); }
  const std::string& text(const std::string& name) const { return members.at(name); }
  Bytes bytes(const std::string& name) const;
  /// The group's words for these, of KMS.
  KeySpec spec() const;
  const AlgorithmRow& algorithm() const;
};

struct VectorFile {
  std::string name;  ///< without folder and ending
  std::vector<Group> groups;

  /// Calls `judge` with each case and its group.
  template <typename Judge>
  void for_each(Judge judge) const {
    for (const Group& group : groups) {
      for (const Case& each : group.cases) judge(group, each);
    }
  }
};

/// All files of a folder of tests/vectors, in the order of their names. A file that cannot be read
/// or holds no case is a failure of the test that asks for it.
std::vector<VectorFile> read_vectors(const std::string& folder);

}  // namespace keyhold::vectors
