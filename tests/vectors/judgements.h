// Where somebody judges otherwise than the vectors, held against the list that knows of it.
#pragma once

#include <map>
#include <set>
#include <string>

#include "vector_file.h"

namespace keyhold::vectors {

/// What came of a case. Accepted: the signature verified, or the answer is the vector's.
struct Outcome {
  enum class Kind : std::uint8_t { kAccepted, kRefused, kOther } kind;
  std::string why = {};  ///< the code of a refusal

  static Outcome accepted() { return {Kind::kAccepted}; }
  static Outcome refused(std::string why = {}) { return {Kind::kRefused, std::move(why)}; }
  /// Another answer than the vector has, without a complaint.
  static Outcome other() { return {Kind::kOther}; }
};

/// Collects the cases of which vector and judge do not say the same, and those that may go either
/// way. They have to be the lines of tests/golden/vectors/JUDGE.txt, where each stands with its
/// reason: `file: what the vector says -> what came of it: numbers of the cases`.
class Judgements {
 public:
  Judgements(std::string judge, const VectorFile& file);
  /// Compares with the list.
  ~Judgements();
  Judgements(const Judgements&) = delete;
  Judgements& operator=(const Judgements&) = delete;

  void add(const Case& judged, const Outcome& outcome) { add(judged, judged.result, outcome); }
  /// With `says` in place of the case's own result, where the parameters make it another.
  void add(const Case& judged, Result says, const Outcome& outcome);

 private:
  const std::string judge_;
  const std::string file_;
  std::map<std::string, std::set<int>> differences_;
  int judged_ = 0;
};

}  // namespace keyhold::vectors
