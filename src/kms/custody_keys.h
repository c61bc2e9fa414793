// Custody keys: what materials of wrapped custody are wrapped and sealed under in the token. The
// first is made when it is needed; kms/rewrapping.h replaces one by another.
#pragma once

#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/store.h"
#include "token/token.h"

namespace keyhold::kms {

struct Domain;

/// What is stored of them, in memory: never more than a few. Safe from many threads.
class CustodyKeyDirectory {
 public:
  /// Adds the record or replaces the one of its name.
  void put(const store::CustodyKeyRecord& record);
  void erase(const ObjectName& name);
  std::vector<store::CustodyKeyRecord> all() const;
  std::optional<store::CustodyKeyRecord> current() const;
  /// Those in that state.
  std::vector<store::CustodyKeyRecord> in(store::CustodyKeyState state) const;

 private:
  mutable std::mutex mutex_;
  std::vector<store::CustodyKeyRecord> records_;
};

inline token::CustodyKey to_token(const store::CustodyKeyRecord& record) {
  return {record.object_name, record.check_value};
}

/// Key material for use under that name and by that key, in the custody that the token's profile
/// asks for. See Token::generate_material() and generate_wrapped_material().
Result<token::GeneratedMaterial> make_material(Domain& domain, const ObjectName& name,
                                               std::string_view key_id, token::MaterialKind kind);

/// The one that new materials are wrapped under; made if there is none.
Result<store::CustodyKeyRecord> provide_custody_key(Domain& domain);

// --- The steps of a new one. The caller holds Domain::custody_changes ---

/// Step 1. Draws the name and writes the row. A kill leaves it; reconcile withdraws it.
Result<store::CustodyKeyRecord> begin_custody_key(Domain& domain);
/// Step 2. Makes and proves both objects under that name. A kill leaves them, whole or not, and the
/// row; nothing was ever wrapped under them, so that reconcile destroys them.
Result<void> generate_custody_key(Domain& domain, store::CustodyKeyRecord& record);
/// Step 3. One transaction: it is current, and the one before is retiring. A kill leaves a custody
/// key that the next material is wrapped under.
Result<void> finish_custody_key(Domain& domain, store::CustodyKeyRecord record);

/// All three. What fails is withdrawn at once, or later if the token is away.
Result<store::CustodyKeyRecord> make_custody_key(Domain& domain);

/// Destroys what a failure or a crash left of the making of one, then erases its row. A kill in
/// between leaves the row; destroying what is gone succeeds. Answers the names.
Result<std::vector<ObjectName>> withdraw_intended_custody_keys(Domain& domain);

/// The same for whoever does not hold the lock; nothing while somebody does.
Result<std::vector<ObjectName>> settle_custody_keys(Domain& domain);

}  // namespace keyhold::kms
