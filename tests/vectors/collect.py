#!/usr/bin/env python3
"""Takes from Wycheproof and NIST's validation suites the cases that concern Keyhold's algorithms.

usage: collect.py WYCHEPROOF NIST
  WYCHEPROOF  the folder of Wycheproof's *_test.json files
  NIST        the folder cryptography_vectors of the Python package of that name

Writes <algorithm>/<origin>_<name>.json beside this file, in one shape for all: groups of cases that
share a key and an algorithm, under KMS's words for both; bytes in hexadecimal; one case a line.
Of cases that are alike in result, flags and comment, the first few stand for all.
"""

import collections
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
ALIKE = 3
HASHES = {"SHA-1": "1", "SHA-224": "224", "SHA-256": "256", "SHA-384": "384", "SHA-512": "512"}
CURVES = {
    "P-256": ("ECC_NIST_P256", 32, "3059301306072a8648ce3d020106082a8648ce3d030107034200"),
    "P-384": ("ECC_NIST_P384", 48, "3076301006072a8648ce3d020106052b81040022036200"),
    "P-521": ("ECC_NIST_P521", 66, "30819b301006072a8648ce3d020106052b8104002303818600"),
}


def write(folder, name, source, groups):
    groups = [group for group in groups if group["tests"]]
    assert groups, name
    lines = []
    for group in groups:
        head = {key: value for key, value in group.items() if key != "tests"}
        tests = ",\n".join(json.dumps(test, separators=(",", ":")) for test in group["tests"])
        words = "".join(f"{json.dumps(key)}:{json.dumps(value)}," for key, value in head.items())
        lines.append("{" + words + '"tests":[\n' + tests + "\n]}")
    text = '{"source":' + json.dumps(source) + ',"groups":[\n' + ",\n".join(lines) + "\n]}\n"
    json.loads(text)
    place = HERE / folder / (name + ".json")
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    print(
        f"{place.relative_to(HERE)}: {sum(len(group['tests']) for group in groups)} cases, {len(text)} bytes"
    )


def thin(groups, alike=ALIKE, by="comment"):
    """Of each kind of case the first few, across all groups of a file."""
    seen = collections.Counter()
    for group in groups:
        kept = []
        for test in group["tests"]:
            kind = (test["result"], tuple(test["flags"]))
            if by == "comment":  # in which numbers (sizes, positions) do not make another kind
                kind += (re.sub(r"(0x)?[0-9a-f]*[0-9][0-9a-f]*", "#", test["comment"]), )
            seen[kind] += 1
            if seen[kind] <= alike:
                kept.append(test)
        group["tests"] = kept
    return groups


# ---------------------------------------------------------------------------------------- Wycheproof


class Wycheproof:

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def take(self,
             folder,
             name,
             head,
             members,
             wanted=lambda group: True,
             alike=ALIKE,
             by="comment"):
        """`head`: of a group, what its cases share; `members`: what a case has beside the verdict.
        Cases with a context are left out: no algorithm of KMS takes one."""
        document = json.loads((self.folder / f"{name}_test.json").read_text())
        groups = []
        for group in document["testGroups"]:
            if not wanted(group):
                continue
            tests = [{
                "id": test["tcId"],
                "comment": test["comment"],
                "flags": test["flags"],
                "result": test["result"],
                **{
                    member: test[member]
                    for member in members
                },
            } for test in group["tests"] if not test.get("ctx")]
            groups.append({**head(group), "tests": tests})
        write(folder, "wycheproof_" + name, f"Wycheproof, {name}_test.json",
              thin(groups, alike, by))

    def collect(self):
        self.take(
            "aes_gcm", "aes_gcm", lambda group: {}, ["key", "iv", "aad", "msg", "ct", "tag"],
            lambda group: (group["keySize"], group["ivSize"], group["tagSize"]) == (256, 96, 128),
            40)
        self.take("aes_cmac", "aes_cmac", lambda group: {}, ["key", "msg", "tag"], lambda group:
                  (group["keySize"], group["tagSize"]) == (256, 128), 20)
        for name, algorithm in [("aes_wrap", "CKM_AES_KEY_WRAP"),
                                ("aes_kwp", "CKM_AES_KEY_WRAP_PAD")]:
            self.take("aes_key_wrap", name, lambda group: {"algorithm": algorithm},
                      ["key", "msg", "ct"], lambda group: group["keySize"] == 256, 10)
        for size in ("224", "256", "384", "512"):
            self.take("hmac", f"hmac_sha{size}", lambda group: {"algorithm": f"HMAC_SHA_{size}"},
                      ["key", "msg", "tag"], lambda group: group["tagSize"] == int(size), 12)
        for size, hash_, salt in [(2048, 256, 32), (2048, 384, 48), (3072, 256, 32),
                                  (4096, 512, 64)]:
            self.take("rsa_pss",
                      f"rsa_pss_{size}_sha{hash_}_mgf1_{salt}",
                      self.rsa("PSS"), ["msg", "sig"],
                      alike=2,
                      by="comment" if size == 2048 else "flags")
        # Another salt, another hash of the mask: no signatures of KMS's algorithms, valid as they are.
        for name in ("rsa_pss_2048_sha256_mgf1_0", "rsa_pss_2048_sha256_mgf1sha1_20"):
            self.take("rsa_pss",
                      name,
                      lambda group: {
                          **self.rsa("PSS")(group), "foreign": True
                      }, ["msg", "sig"],
                      alike=8,
                      by="flags")
        # Where files of several sizes differ by their numbers alone, one is taken whole.
        for size, hash_ in [(2048, 256), (3072, 384), (4096, 512)]:
            self.take("rsa_pkcs1",
                      f"rsa_signature_{size}_sha{hash_}",
                      self.rsa("PKCS1_V1_5"), ["msg", "sig"],
                      alike=1 if size == 2048 else 4,
                      by="comment" if size == 2048 else "flags")
        for name in ("2048_sha1_mgf1sha1", "2048_sha256_mgf1sha256", "3072_sha256_mgf1sha256",
                     "4096_sha256_mgf1sha256"):
            self.take("rsa_oaep",
                      "rsa_oaep_" + name,
                      lambda group: {
                          "spec": f"RSA_{group['keySize']}",
                          "algorithm": f"RSAES_OAEP_SHA_{HASHES[group['sha']]}",
                          "private_key": group["privateKeyPkcs8"]
                      }, ["msg", "ct", "label"],
                      by="comment" if name.startswith("2048") else "flags")
        for name, spec, hash_ in [("secp256r1", "ECC_NIST_P256", 256),
                                  ("secp384r1", "ECC_NIST_P384", 384),
                                  ("secp521r1", "ECC_NIST_P521", 512),
                                  ("secp256k1", "ECC_SECG_P256K1", 256)]:
            self.take("ecdsa",
                      f"ecdsa_{name}_sha{hash_}",
                      lambda group: {
                          "spec": spec,
                          "algorithm": f"ECDSA_SHA_{hash_}",
                          "public_key": group["publicKeyDer"]
                      }, ["msg", "sig"],
                      alike=2 if name == "secp256r1" else 8,
                      by="comment" if name == "secp256r1" else "flags")
        for name, spec in [("secp256r1", "ECC_NIST_P256"), ("secp384r1", "ECC_NIST_P384"),
                           ("secp521r1", "ECC_NIST_P521")]:
            self.take("ecdh",
                      f"ecdh_{name}",
                      lambda group: {
                          "spec": spec,
                          "algorithm": "ECDH"
                      }, ["public", "private", "shared"],
                      alike=6,
                      by="flags")
        self.take("ed25519",
                  "ed25519",
                  lambda group: {
                      "spec": "ECC_NIST_EDWARDS25519",
                      "algorithm": "ED25519_SHA_512",
                      "public_key": group["publicKeyDer"]
                  }, ["msg", "sig"],
                  alike=30)
        # A signature has some thousand bytes, so that the smallest size stands for what all share.
        for size in (44, 65, 87):
            self.take("mldsa",
                      f"mldsa_{size}_verify",
                      lambda group: {
                          "spec": f"ML_DSA_{size}",
                          "algorithm": "ML_DSA_SHAKE_256",
                          "public_key": group["publicKeyDer"]
                      }, ["msg", "sig"],
                      alike=3 if size == 44 else 1,
                      by="flags")

    @staticmethod
    def rsa(scheme):
        return lambda group: {
            "spec": f"RSA_{group['keySize']}",
            "algorithm": f"RSASSA_{scheme}_SHA_{HASHES[group['sha']]}",
            "public_key": group["publicKeyDer"]
        }


# ---------------------------------------------------------------------------------------------- NIST


def response(path):
    """The records of a response file: (section headers in force, fields) for each."""
    sections, fields = {}, {}
    for line in path.read_text().splitlines() + [""]:
        line = line.strip()
        if line.startswith("["):
            for part in line.strip("[]").split(","):
                name, _, value = part.partition("=")
                sections[name.strip()] = value.strip()
            last_section = line.strip("[]")
        elif line.startswith("#"):
            continue
        elif " = " in line or line.endswith("=") or line == "FAIL":
            name, _, value = line.partition("=")
            fields[name.strip()] = value.strip()
        elif not line and fields:
            yield {**sections, "section": last_section if sections else ""}, fields
            fields = {}


def der(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else bytes(
        [0x81, size]) if size < 256 else bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def integer(number):
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def rsa_public_key(n, e):
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    key = der(0x30, integer(int(n, 16)) + integer(int(e, 16)))
    return der(0x30, algorithm + der(0x03, b"\0" + key)).hex()


def point(curve, x, y):
    """SubjectPublicKeyInfo of a point given by its coordinates; on the curve or not."""
    _, width, prefix = CURVES[curve]
    return prefix + "04" + x.zfill(2 * width)[-2 * width:] + y.zfill(2 * width)[-2 * width:]


def passed(fields):
    return "valid" if fields["Result"].startswith("P") else "invalid"


def reason(fields):
    return fields["Result"].partition("(")[2].rstrip(") ").partition("- ")[2].strip()


class Nist:

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.count = 0

    def test(self, comment, result, **members):
        self.count += 1
        return {"id": self.count, "comment": comment, "flags": [], "result": result, **members}

    def write(self, folder, name, source, groups, alike=ALIKE):
        self.count = 0
        write(folder, name, source, thin(groups, alike))

    def collect(self):
        self.gcm()
        self.cmac()
        self.key_wrap()
        self.rsa_pkcs1()  # the salts of SigVerPSS have ten bytes, which no algorithm of KMS has
        self.ecdsa()
        self.ecdh()
        self.ed25519()

    def gcm(self):
        per_section = collections.Counter()
        tests = []
        for sections, fields in response(self.folder / "ciphers/AES/GCM/gcmDecrypt256.rsp"):
            if "Key" not in fields or sections["IVlen"] != "96" or sections["Taglen"] != "128":
                continue
            failed = "PT" not in fields
            where = (sections["PTlen"], sections["AADlen"], failed)
            per_section[where] += 1
            if per_section[where] > 2:
                continue
            tests.append(
                self.test(f"plaintext {sections['PTlen']}, AAD {sections['AADlen']} bits",
                          "invalid" if failed else "valid",
                          key=fields["Key"],
                          iv=fields["IV"],
                          aad=fields["AAD"],
                          msg=fields.get("PT", ""),
                          ct=fields["CT"],
                          tag=fields["Tag"]))
        self.write("aes_gcm", "nist_gcm_decrypt_256", "NIST CAVP, gcmDecrypt256.rsp",
                   [{
                       "tests": tests
                   }], 1000)

    def cmac(self):
        tests = [
            self.test("", "valid", key=fields["KEY"], msg=fields["MESSAGE"], tag=fields["OUTPUT"])
            for _, fields in response(self.folder / "CMAC/nist-800-38b-aes256.txt")
        ]
        self.write("aes_cmac", "nist_sp800_38b", "NIST SP 800-38B, appendix D.3", [{
            "tests": tests
        }], 10)

    def key_wrap(self):
        for name, algorithm in [("KW", "CKM_AES_KEY_WRAP"), ("KWP", "CKM_AES_KEY_WRAP_PAD")]:
            tests = []
            for sections, fields in response(self.folder /
                                             f"keywrap/kwtestvectors/{name}_AD_256.txt"):
                size = sections["PLAINTEXT LENGTH"]
                tests.append(
                    self.test(f"plaintext {size} bits",
                              "invalid" if "FAIL" in fields else "valid",
                              key=fields["K"],
                              msg=fields.get("P", ""),
                              ct=fields["C"]))
            self.write("aes_key_wrap", f"nist_{name.lower()}_ad_256",
                       f"NIST CAVP, {name}_AD_256.txt", [{
                           "algorithm": algorithm,
                           "tests": tests
                       }], 8)

    def rsa_pkcs1(self):
        groups, modulus = {}, {}
        for sections, fields in response(self.folder /
                                         "asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp"):
            if "n" in fields:
                modulus = fields
            if "SHAAlg" not in fields or sections["mod"] not in ("2048", "3072", "4096"):
                continue
            hash_ = fields["SHAAlg"].removeprefix("SHA")
            if hash_ not in ("256", "384", "512"):
                continue
            key = rsa_public_key(modulus["n"], fields["e"])
            group = groups.setdefault(
                (sections["mod"], hash_, key), {
                    "spec": f"RSA_{sections['mod']}",
                    "algorithm": f"RSASSA_PKCS1_V1_5_SHA_{hash_}",
                    "public_key": key,
                    "tests": []
                })
            group["tests"].append(
                self.test(f"SHA-{hash_}, {sections['mod']}: {reason(fields)}",
                          passed(fields),
                          msg=fields["Msg"],
                          sig=fields["S"]))
        self.write("rsa_pkcs1", "nist_sigver15", "NIST CAVP, SigVer15_186-3.rsp",
                   list(groups.values()), 3)

    def ecdsa(self):
        groups = []
        for sections, fields in response(self.folder / "asymmetric/ECDSA/FIPS_186-3/SigVer.rsp"):
            curve, _, hash_ = sections["section"].partition(",")
            wanted = {"P-256": "SHA-256", "P-384": "SHA-384", "P-521": "SHA-512"}
            if wanted.get(curve) != hash_:
                continue
            signature = der(0x30,
                            integer(int(fields["R"], 16)) + integer(int(fields["S"], 16))).hex()
            groups.append({
                "spec":
                CURVES[curve][0],
                "algorithm":
                f"ECDSA_SHA_{HASHES[hash_]}",
                "public_key":
                point(curve, fields["Qx"], fields["Qy"]),
                "tests": [
                    self.test(f"{curve}: {reason(fields)}",
                              passed(fields),
                              msg=fields["Msg"],
                              sig=signature)
                ]
            })
        self.write("ecdsa", "nist_sigver", "NIST CAVP, ECDSA SigVer.rsp (FIPS 186-3)", groups, 1000)

    def ecdh(self):
        groups = []
        name = "KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax"
        sizes = {"EC": "P-256", "ED": "P-384", "EE": "P-521"}
        tests = {curve: [] for curve in sizes.values()}
        for sections, fields in response(self.folder / "asymmetric/ECDH" / name):
            curve = sizes.get(sections["section"].partition(" ")[0])
            # Those about keys of one's own that are no keys are about making them.
            if curve is None or "Z" not in fields or "IUT" in reason(fields):
                continue
            # A changed Z is found by comparing, a changed public key by looking at the point.
            tests[curve].append(
                self.test(f"{curve}: {reason(fields)}",
                          passed(fields),
                          public=point(curve, fields["QsCAVSx"], fields["QsCAVSy"]),
                          private=fields["dsIUT"],
                          shared=fields["Z"]))
        groups = [{
            "spec": CURVES[curve][0],
            "algorithm": "ECDH",
            "tests": cases
        } for curve, cases in tests.items()]
        self.write("ecdh", "nist_kas_zzonly", f"NIST CAVP, {name}", groups, 1000)

    def ed25519(self):
        """The reference implementation's own list, of which RFC 8032 prints some: seed and public
        key, public key, message, signature and message."""
        groups = []
        for line in (self.folder / "asymmetric/Ed25519/sign.input").read_text().splitlines()[:40]:
            private, public, message, signed, _ = line.split(":")
            groups.append({
                "spec":
                "ECC_NIST_EDWARDS25519",
                "algorithm":
                "ED25519_SHA_512",
                "public_key":
                "302a300506032b6570032100" + public,
                "tests":
                [self.test("", "valid", private=private[:64], msg=message, sig=signed[:128])]
            })
        self.write("ed25519", "reference_sign", "ed25519.cr.yp.to, sign.input", groups, 1000)


def main():
    Wycheproof(sys.argv[1]).collect()
    Nist(sys.argv[2]).collect()


if __name__ == "__main__":
    main()
