#include "token/wrapping_probe.h"

#include <algorithm>
#include <vector>

#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/key_wrapping.h"
#include "token/native_key.h"
#include "token/token_error.h"

namespace keyhold::token {
namespace {

constexpr std::string_view kLabel = "keyhold probe";

class WrappingProbe {
 public:
  WrappingProbe(TokenLink& link, Random& random) : link_(link), random_(random) {}

  Result<WrappingCapability> run(const Capabilities& capabilities) {
    std::vector<MaterialKind> kinds;
    for (const KeySpecRow& row : key_spec_rows()) {
      const MaterialKind kind{row.spec, *row.usages.begin()};
      if (!is_pair(row.spec) && capabilities.check_kind(kind)) kinds.push_back(kind);
    }
    WrappingCapability best;
    std::ptrdiff_t most = -1;
    for (const CK_MECHANISM_TYPE type : wrap_mechanisms_of(link_.profile())) {
      TRY_ASSIGN(WrappingCapability seen, try_mechanism(type, kinds));
      const auto count = std::ranges::count_if(
          seen.kinds, [](const auto& row) { return row.second.place == Place::kToken; });
      // Of those by which none comes back, the last one tells most of why: it is the oldest.
      if (count < most || (count == most && count != 0)) continue;
      most = count;
      best = std::move(seen);
      if (count == std::ssize(kinds)) break;
    }
    if (most <= 0) best.mechanism = 0;
    return best;
  }

 private:
  Result<WrappingCapability> try_mechanism(CK_MECHANISM_TYPE type,
                                           const std::vector<MaterialKind>& kinds) {
    WrappingCapability seen{.mechanism = type};
    const auto wrapping_key =
        link_.objects().generate(pkcs11::Mechanism::plain(CKM_AES_KEY_GEN),
                                 custody_wrapping_key_template(link_.profile(), Residence::kSession,
                                                               as_bytes(kLabel), kLabel));
    for (const MaterialKind kind : kinds) {
      const auto tried = wrapping_key ? round_trip(type, wrapping_key->handle(), kind)
                                      : pkcs11::Result<void>(wrapping_key.error());
      if (!tried && is_gone(tried.error())) return to_error(tried.error(), "trying to wrap");
      seen.kinds[kind.spec] =
          tried
              ? Capability{Place::kToken, {}, {}}
              : Capability{Place::kNowhere, "the token does not wrap such keys and bring them back",
                           tried.error().text()};
    }
    return seen;
  }

  /// Whether a key that was wrapped comes back as the same one.
  pkcs11::Result<void> round_trip(CK_MECHANISM_TYPE type, pkcs11::ObjectHandle wrapping_key,
                                  MaterialKind kind) {
    const Profile& profile = link_.profile();
    const auto generation =
        pkcs11::Mechanism::plain(generation_of(profile, *find_kind(row_of(kind.spec).form)));
    PKCS11_TRY_ASSIGN(
        const SessionObject key,
        link_.objects().generate(generation, generated_to_wrap_template(profile, kind)));
    PKCS11_TRY_ASSIGN(
        const SessionObject unwrapped,
        wrap_and_unwrap(link_, type, wrapping_key, key.handle(),
                        unwrapped_to_use_template(profile, kind, construction_of(profile, kind))));
    if (row_of(kind.spec).form != KeyForm::kAes) {
      PKCS11_TRY_ASSIGN(const Bytes before, make_check_value(link_, kind, key.handle(), nullptr));
      PKCS11_TRY_ASSIGN(const Bytes after,
                        make_check_value(link_, kind, unwrapped.handle(), nullptr));
      return equal_in_constant_time(before, after) ? pkcs11::Result<void>()
                                                   : another_key_came_back();
    }
    Material material;
    material.construction = construction_of(profile, kind);
    PKCS11_TRY_ASSIGN(const auto before, MaterialObject::open(link_, material, key.handle()));
    PKCS11_TRY_ASSIGN(material.check_value, before->make_check_value(link_, random_));
    PKCS11_TRY_ASSIGN(const auto after, MaterialObject::open(link_, material, unwrapped.handle()));
    PKCS11_TRY_ASSIGN(const Proof proof, after->prove(link_));
    return proof == Proof::kHolds ? pkcs11::Result<void>() : another_key_came_back();
  }

  TokenLink& link_;
  Random& random_;
};

}  // namespace

Result<void> WrappingCapability::check(MaterialKind kind) const {
  const auto found = kinds.find(kind.spec);
  if (found != kinds.end() && found->second.place == Place::kToken) return {};
  const Capability& seen = found == kinds.end() ? Capability() : found->second;
  return Error(ErrorCode::kUnsupportedOperation,
               "KeySpec " + std::string(to_string(kind.spec)) +
                   " is not supported in wrapped custody: " +
                   (seen.lacks.empty() ? "the token wraps no such keys" : seen.lacks) + ".",
               seen.said);
}

Result<WrappingCapability> probe_wrapping(TokenLink& link, const Capabilities& capabilities,
                                          Random& random) {
  auto seen = WrappingProbe(link, random).run(capabilities);
  link.objects().collect();
  return seen;
}

}  // namespace keyhold::token
