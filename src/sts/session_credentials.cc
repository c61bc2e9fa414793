#include "sts/session_credentials.h"

#include <atomic>
#include <cstring>
#include <span>

#include "base/base64.h"
#include "base/json.h"

namespace keyhold::sts {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kKeyIdSize = 8;
constexpr std::string_view kDomain = "keyhold security token";
constexpr std::string_view kTemporaryPrefix = "ASIA";  // of access key ids, as AWS's

std::string text_of(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  return std::string(member ? member->string().value_or("") : "");
}

TimePoint time_of(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  return TimePoint(milliseconds(member ? member->integer().value_or(0) : 0));
}

Secret render(const SessionGrant& grant, const std::string& access_key_id, const Secret& secret,
              TimePoint issued_at, TimePoint expires_at) {
  json::Writer writer;
  writer.begin_object().key("accessKeyId").string(access_key_id);
  writer.key("secretAccessKey").string(secret.text());
  writer.key("account").string(grant.role->principal.account);
  writer.key("role").string(grant.role->principal.arn);
  writer.key("roleName").string(grant.role->principal.name);
  writer.key("session").string(grant.session_name);
  if (grant.policy) writer.key("policy").string(*grant.policy);
  if (!grant.provider.empty()) writer.key("provider").string(grant.provider);
  writer.key("tags").begin_array();
  for (const iam::Tag& tag : grant.tags) {
    writer.begin_object().key("key").string(tag.key).key("value").string(tag.value).end_object();
  }
  writer.end_array();
  writer.key("issued").integer(issued_at.time_since_epoch().count());
  writer.key("expires").integer(expires_at.time_since_epoch().count()).end_object();
  return writer.take_secret();
}

}  // namespace

SessionCredentials::SessionCredentials(TokenSealer& sealer,
                                       const iam::IdentityDirectory& identities,
                                       const iam::SessionRevocations& revocations, Random& random,
                                       iam::KnowsKey known)
    : sealer_(sealer),
      identities_(identities),
      revocations_(revocations),
      random_(random),
      knows_key_(known) {}

// Of a SHA-256, any eight bytes are as good as a hash of it.
std::size_t SessionCredentials::DigestHash::operator()(const iam::Sha256& digest) const {
  std::size_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

SessionCredentials::Stripe& SessionCredentials::stripe() const {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t mine = threads.fetch_add(1) % kStripes;
  return stripes_[mine];
}

std::shared_ptr<const iam::Credential> SessionCredentials::Stripe::find(const iam::Sha256& digest) {
  const std::lock_guard lock(mutex);
  const auto place = places.find(digest);
  if (place == places.end()) return nullptr;
  cached.splice(cached.begin(), cached, place->second);
  return place->second->second;
}

void SessionCredentials::Stripe::insert(const iam::Sha256& digest,
                                        std::shared_ptr<const iam::Credential> credential) {
  const std::lock_guard lock(mutex);
  if (places.contains(digest)) return;
  cached.emplace_front(digest, std::move(credential));
  places[digest] = cached.begin();
  if (cached.size() <= kMaxCached) return;
  places.erase(cached.back().first);
  cached.pop_back();
}

Bytes SessionCredentials::aad(std::string_view access_key_id) const {
  Bytes bytes;
  append(bytes, as_bytes(kDomain));
  bytes.push_back(kVersion);
  append(bytes, sealer_.key_id());
  append(bytes, as_bytes(access_key_id));
  return bytes;
}

Result<IssuedCredentials> SessionCredentials::issue(const SessionGrant& grant, TimePoint now) {
  IssuedCredentials issued;
  issued.access_key_id = iam::draw_access_key_id(random_);
  issued.access_key_id.replace(0, kTemporaryPrefix.size(), kTemporaryPrefix);
  issued.secret_access_key = iam::draw_secret_access_key(random_);
  issued.principal = iam::session_principal(grant.role->principal, grant.session_name);
  // Whole seconds, as the answer shows them.
  issued.expires_at = std::chrono::floor<std::chrono::seconds>(now + grant.duration);
  const Secret session =
      render(grant, issued.access_key_id, issued.secret_access_key, now, issued.expires_at);
  TRY_ASSIGN(const Bytes sealed, sealer_.seal(session.view(), aad(issued.access_key_id)));
  Bytes token{kVersion};
  append(token, sealer_.key_id());
  append(token, sealed);
  issued.session_token = to_base64(token);
  return issued;
}

std::shared_ptr<const iam::Credential> SessionCredentials::open(std::string_view access_key_id,
                                                                std::string_view token) const {
  const auto bytes = from_base64(token);
  if (!bytes || bytes->size() < 1 + kKeyIdSize || bytes->front() != kVersion) return nullptr;
  const ByteView view(*bytes);
  const auto key_id = sealer_.key_id();
  if (!equal_in_constant_time(view.subspan(1, kKeyIdSize), key_id)) return nullptr;
  auto session = sealer_.open(view.subspan(1 + kKeyIdSize), aad(access_key_id));
  if (!session) return nullptr;
  const auto document = json::Document::parse({session->data(), session->size()});
  if (!document) return nullptr;
  const json::Value root = document->root();
  const auto role = identities_.find(iam::IdentityKind::kRole, text_of(root, "account"),
                                     text_of(root, "roleName"));
  if (!role || role->principal.arn != text_of(root, "role")) return nullptr;

  auto credential = std::make_shared<iam::Credential>();
  credential->access_key_id = access_key_id;
  const auto secret = root.member("secretAccessKey");
  if (!secret || !secret->string()) return nullptr;
  credential->secret_access_key = Secret(*secret->string());
  credential->principal = iam::session_principal(role->principal, text_of(root, "session"));
  credential->principal.provider = text_of(root, "provider");
  if (const auto tags = root.member("tags")) {
    for (std::size_t i = 0; i < tags->size(); ++i) {
      const json::Value tag = tags->element(i);
      credential->principal.tags.push_back({text_of(tag, "key"), text_of(tag, "value")});
    }
  }
  credential->session.emplace();
  credential->session->issued_at = time_of(root, "issued");
  credential->session->expires_at = time_of(root, "expires");
  if (const auto policy = root.member("policy")) {
    auto parsed =
        iam::PolicyDocument::parse(policy->string().value_or(""), iam::DocumentKind::kSessionPolicy,
                                   "session policy", knows_key_);
    // Without its policy the session could do more than it was made for.
    if (!parsed) return nullptr;
    credential->session->policies.push_back(
        std::make_shared<const iam::PolicyDocument>(std::move(*parsed)));
  }
  return credential;
}

std::shared_ptr<const iam::Credential> SessionCredentials::find(std::string_view access_key_id,
                                                                std::string_view token) const {
  const iam::Sha256 digest = iam::sha256(as_bytes(token));
  Stripe& own = stripe();
  auto credential = own.find(digest);
  if (!credential) {
    credential = open(access_key_id, token);
    if (!credential) return nullptr;
    own.insert(digest, credential);
  }
  // The cache knows the token, not who shows it.
  if (credential->access_key_id != access_key_id) return nullptr;
  const iam::Principal& principal = credential->principal;
  if (revocations_.is_revoked(principal.role_arn, credential->access_key_id,
                              credential->session->issued_at)) {
    return nullptr;
  }
  const auto role = identities_.find(iam::IdentityKind::kRole, principal.account, principal.name);
  return role && role->principal.arn == principal.role_arn ? credential : nullptr;
}

}  // namespace keyhold::sts
