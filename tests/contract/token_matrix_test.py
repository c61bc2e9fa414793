#!/usr/bin/env python3
"""Every software token that a Debian 12 machine offers, looked at by `keyhold token check`: what each
can do is compared with a golden file, what it says of itself with the profile that is shipped.

With KEYHOLD_UPDATE_GOLDEN=1 the golden files are written instead.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import tomllib
import unittest

import tokens

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "tokens"
PROFILES = ROOT / "hsm-config"
# What a profile says of a token's behaviour, and not of how much of it is wanted.
MEASURED = (
    "derivation", "template_drop", "decrypt_bad_codes", "unwrap_bad_codes", "data_key_pairs"
)


def acts(title, rows):
    return [title] + [
        f"  {row['outcome']}: {row['act']}" + (f" ({row['detail']})" if row["detail"] else "")
        for row in rows
    ]


def rendered(check):
    """The table that a golden file holds."""
    lines = [f"{check['token']['manufacturer']} {check['token']['model']}".strip(), ""]
    lines += acts("needed", check["needed"])
    lines += acts("must not be possible", check["forbidden"])
    lines.append("known answers")
    for row in check["knownAnswers"]:
        word = {"succeeded": "right", "refused": "WRONG"}.get(row["outcome"], "not shown")
        lines.append(f"  {word}: {row['name']}" + (f" ({row['detail']})" if row["detail"] else ""))
    lines.append("algorithms")
    for row in check["algorithms"]:
        why = f", {row['lacks']}" if row["lacks"] else ""
        detail = f" ({row['detail']})" if row["detail"] else ""
        lines.append(f"  {row['keySpec']} {row['algorithm']}: {row['place']}{why}{detail}")
    lines.append("imports")
    for row in check["imports"]:
        why = f", {row['lacks']}" if row["lacks"] else ""
        kind = f"{row['keySpec']} {row['keyUsage']}"
        lines.append(f"  {kind} {row['wrappingAlgorithm']}: {row['place']}{why}")
    lines += acts("wrapped custody", check["wrappedCustody"])
    for row in check["wrappedKinds"]:
        why = f", {row['lacks']} ({row['detail']})" if row["lacks"] else ""
        lines.append(f"  {row['keySpec']}: {row['place']}{why}")
    lines += acts("bad input", check["badInput"])
    lines.append("admitted" if check["admitted"] else check["refusal"])
    return "\n".join(lines) + "\n"


class TokenCase(unittest.TestCase):
    token = None  # of a subclass
    exit_code = 1

    @classmethod
    def setUpClass(cls):
        reason = cls.token.missing() if cls.token else "it is what others are made of"
        if reason:
            raise unittest.SkipTest(reason)
        folder = tempfile.mkdtemp(prefix="keyhold-token-", dir="/tmp")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.made = cls.token(folder)
        cls.made.prepare()

    def ask(self, *arguments, profile=None):
        command = [os.environ["KEYHOLD_BINARY"], "token", "check"]
        if profile:
            command += ["--profile", str(profile)]
        else:
            command += ["--module", self.made.module(), "--label", self.made.label]
        for setting in self.made.settings():
            command += ["--set", setting]
        return self.made.run([*command, "--pin-file", self.made.pin_file, *arguments])

    def check_token(self, **options):
        done = self.ask("--json", **options)
        self.assertEqual(done.returncode, self.exit_code, done.stderr[-2000:])
        return json.loads(done.stdout)

    def test_can_do_what_its_golden_file_says_and_needs_what_its_profile_says(self):
        check = self.check_token()
        golden = GOLDEN / f"{self.made.name}.txt"
        if os.environ.get("KEYHOLD_UPDATE_GOLDEN"):
            golden.write_text(rendered(check), encoding="utf-8")
        self.assertEqual(rendered(check), golden.read_text(encoding="utf-8"))
        profile = PROFILES / f"{self.made.name}.toml"
        shipped = tomllib.loads(profile.read_text(encoding="utf-8"))["keys"]
        draft = tomllib.loads(check["profile"])["keys"]
        for key in MEASURED:
            seen, said = draft.get(key), shipped.get(key)
            # Other versions of the token may answer other codes, and session keys do not show what
            # token objects refuse.
            if key in ("decrypt_bad_codes", "template_drop"):
                self.assertLessEqual(set(seen or []), set(said or []))
            elif isinstance(seen, list):
                self.assertEqual(sorted(seen), sorted(said or []), key)
            else:
                self.assertEqual(seen, said, key)
        # Through the profile that is shipped the token is the same one.
        self.assertEqual(rendered(self.check_token(profile=profile)), rendered(check))


class OfSoftHsm(TokenCase):
    token = tokens.SoftHsm
    exit_code = 0

    def test_of_every_size_of_key(self):
        done = self.ask("--json", "--all")
        self.assertEqual(done.returncode, 0, done.stderr)
        sizes = {
            row["keySpec"]: row["place"]
            for row in json.loads(done.stdout)["algorithms"]
            if row["algorithm"] == "RSASSA_PSS_SHA_512"
        }
        self.assertEqual(sizes, dict.fromkeys(("RSA_2048", "RSA_3072", "RSA_4096"), "token"))

    def test_in_print_ends_with_a_profile_that_can_be_used(self):
        draft = os.path.join(self.made.folder, "draft.toml")
        done = self.ask("--draft", draft)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.endswith("admitted\n"), done.stdout[-200:])
        again = self.made.run(
            [os.environ["KEYHOLD_BINARY"], "token", "check", "--profile", draft, "--json"]
            + ["--pin-file", self.made.pin_file]
        )
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(json.loads(again.stdout)["admitted"], True)

    def test_takes_the_pin_from_where_a_service_takes_it(self):
        credentials = os.path.join(self.made.folder, "credentials")
        os.mkdir(credentials, 0o700)
        tokens.write_secret(os.path.join(credentials, "token-pin"), tokens.PIN)
        settings = [word for setting in self.made.settings() for word in ("--set", setting)]
        keyhold = [os.environ["KEYHOLD_BINARY"], "token", "check", "--json", *settings]
        module = ["--module", self.made.module(), "--label", tokens.LABEL]
        uri = f"pkcs11:token={tokens.LABEL}?module-path={self.made.module()}"
        for arguments, extra in (
            ([*module, "--pin-source", f"file:{self.made.pin_file}"], {}),
            ([*module, "--pin-source", self.made.pin_file], {}),
            ([*module, "--pin-source", "credential:token-pin"], {"CREDENTIALS_DIRECTORY": credentials}),
            ([*module, "--pin-source", "environment:TOKEN_PIN"], {"TOKEN_PIN": tokens.PIN}),
            ([*module, "--pin-file", "-"], {}),
            (["--uri", f"{uri}&pin-source=file:{self.made.pin_file}"], {}),
            # What is said for itself goes before what the URI says.
            (["--uri", f"{uri}&pin-source=file:/none", "--pin-file", self.made.pin_file], {}),
        ):
            done = subprocess.run(
                [*keyhold, *arguments],
                input=tokens.PIN + "\n",
                env={**os.environ, **extra},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            self.assertEqual(done.returncode, 0, (arguments, done.stderr))
            self.assertEqual(json.loads(done.stdout)["token"]["label"], tokens.LABEL)

    def test_leaves_nothing_in_the_token(self):
        listed = [
            os.listdir(path) for path, _, _ in sorted(os.walk(f"{self.made.folder}/tokens"))
        ]
        self.check_token()
        after = [os.listdir(path) for path, _, _ in sorted(os.walk(f"{self.made.folder}/tokens"))]
        self.assertEqual([sorted(files) for files in after], [sorted(files) for files in listed])

    def test_is_not_made_where_the_token_cannot_be_reached(self):
        wrong = os.path.join(self.made.folder, "wrong-pin")
        empty = os.path.join(self.made.folder, "empty")
        open_to_all = os.path.join(self.made.folder, "open-to-all")
        for path, text in ((wrong, "7654321"), (empty, ""), (open_to_all, "7654321")):
            tokens.write_secret(path, text)
        os.chmod(open_to_all, 0o604)
        keyhold = [os.environ["KEYHOLD_BINARY"], "token", "check"]
        module = ["--module", self.made.module()]
        settings = [word for setting in self.made.settings() for word in ("--set", setting)]
        pin = ["--pin-file", self.made.pin_file]
        for arguments, word in (
            ([*module, *settings, "--label", tokens.LABEL, "--pin-file", wrong], "CKR_PIN_INCORRECT"),
            ([*module, *settings, "--label", tokens.LABEL, "--pin-file", empty], "it is empty"),
            ([*module, *settings, "--label", tokens.LABEL, "--pin-file", open_to_all], "chmod o="),
            ([*module, *settings, "--label", tokens.LABEL], "--pin-file"),
            ([*module, *settings, "--pin-source", "7654321"], "never the PIN itself"),
            ([*module, *settings, *pin, "--pin-source", f"file:{wrong}"], "excludes"),
            ([*settings, "--uri", f"pkcs11:token={tokens.LABEL}?pin-value=7654321"], "pin-value"),
            ([*module, *settings, "--label", "another", *pin], "another"),
            (["--module", "/etc/passwd", "--label", tokens.LABEL, *pin], "no PKCS#11 module"),
            (["--label", tokens.LABEL, *pin], "module.path"),
            ([*module, *settings, "--set", "keys.none=1", *pin], "keys.none"),
        ):
            done = self.made.run([*keyhold, *arguments])
            self.assertEqual(done.returncode, 2, (arguments, done.stdout, done.stderr))
            self.assertIn(word, done.stderr)
            self.assertNotIn("7654321", done.stderr)


class OfNss(TokenCase):
    token = tokens.Nss

    def test_names_the_tokens_where_there_are_several(self):
        command = [os.environ["KEYHOLD_BINARY"], "token", "check", "--module", self.made.module()]
        for setting in self.made.settings():
            command += ["--set", setting]
        done = self.made.run([*command, "--pin-file", self.made.pin_file])
        self.assertEqual(done.returncode, 2)
        self.assertIn("NSS Certificate DB", done.stderr)

    def test_is_refused_for_what_it_lets_be_done(self):
        check = self.check_token()
        outcomes = {row["act"]: row["outcome"] for row in check["forbidden"]}
        self.assertEqual(outcomes["wrap a key that is not extractable"], "succeeded")
        self.assertFalse(any(row["served"] for row in check["features"]))


class OfOpenCryptoki(TokenCase):
    token = tokens.OpenCryptoki


class OfTpm(TokenCase):
    token = tokens.Tpm


class OfKryoptic(TokenCase):
    token = tokens.Kryoptic
    exit_code = 0


if __name__ == "__main__":
    unittest.main()
