// Calls and service events on their way to the audit trail: JSON lines in CloudTrail's shape in
// `calls`, and EventBridge's records beside them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "api/call.h"
#include "app/identity_change.h"
#include "audit/writer.h"
#include "base/clock.h"
#include "base/random.h"
#include "http/tls.h"
#include "iam/sigv4.h"
#include "kms/service.h"
#include "sts/service.h"

namespace keyhold::app {

/// A call that was answered, whoever it was from.
struct RecordedCall {
  const iam::Caller& caller;
  const api::Requester& requester;
  const api::CallRecord& record;
  std::string_view user_agent;
  std::string_view peer_address;
  std::string_view request_id;
  std::string_view event_id;
  std::string_view host;
  const http::TlsFacts& tls;
};

/// A call of STS that was answered.
struct RecordedSessionCall {
  const iam::Caller* caller;  ///< null: the call was not signed
  const sts::Record& record;
  std::string_view region;
  std::string_view user_agent;
  std::string_view peer_address;
  std::string_view request_id;
  std::string_view host;
  const http::TlsFacts& tls;
};

class EventRecorder final : public kms::EventSink {
 public:
  /// Opens `events.jsonl` (CloudTrail) and `eventbridge.jsonl` in the folder, making it if absent.
  /// `clock` gives the events their time.
  /// `usages`: when events of uses of keys are on the disk.
  static Result<std::unique_ptr<EventRecorder>> open(
      const std::filesystem::path& folder, const Clock& clock,
      audit::Durability usages = audit::Durability::kLater);

  /// The id that a call's event will have.
  static std::string draw_event_id();

  /// Changes are on disk when this returns; uses of keys follow within the writer's bound, unless
  /// they are to be there before.
  Result<void> record_call(const RecordedCall& call);
  /// On disk when this returns.
  Result<void> record_session_call(const RecordedSessionCall& call);
  /// A change that is made, under the name of its event; to be called before its command is
  /// answered. On disk when this returns, and told in the log. kValidation with a sentence for the
  /// operator if the trail does not take it.
  Result<void> record_change(std::string_view event_name, const Operator& by,
                             const IdentityChange& change,
                             std::string_view previous_access_key_id = {});

  /// kKmsInternal, with a detail, while events are refused because the disk takes none.
  Result<void> check() const;
  /// Of events that are not on the disk yet.
  std::size_t queued_bytes() const;

  /// Everything handed in is on disk when this returns; nothing is taken after it.
  void close();

  Result<void> key_rotated(const kms::RotationEvent& event) override;
  Result<void> key_deleted(const kms::DeletionEvent& event) override;
  Result<void> material_expired(const kms::MaterialExpiryEvent& event) override;
  Result<void> wrapping_key_rotated(const kms::WrappingKeyRotationEvent& event) override;

 private:
  EventRecorder(const Clock& clock, audit::Durability usages, std::unique_ptr<audit::Writer> trail,
                std::unique_ptr<audit::Writer> bus)
      : clock_(clock), usages_(usages), trail_(std::move(trail)), bus_(std::move(bus)) {}

  const Clock& clock_;
  const audit::Durability usages_;
  SystemRandom random_;
  std::unique_ptr<audit::Writer> trail_;
  std::unique_ptr<audit::Writer> bus_;
};

}  // namespace keyhold::app
