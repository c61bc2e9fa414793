#!/usr/bin/env python3
"""Temporary credentials for the tokens of OpenID providers."""

import json
import os
import re
import time
import unittest

import oidc
import service
import sts_test

HOST_AND_PATH = oidc.ISSUER.removeprefix("https://")
SUBJECT = "system:serviceaccount:shop:app"


def principals(*providers):
    """A file with the providers, and a role that trusts the issuer."""
    policy = sts_test.trust(
        {"Federated": f"arn:aws:iam::{sts_test.ACCOUNT}:oidc-provider/{HOST_AND_PATH}"},
        "sts:AssumeRoleWithWebIdentity",
        StringEquals={
            f"{HOST_AND_PATH}:sub": SUBJECT,
            f"{HOST_AND_PATH}:aud": "sts.amazonaws.com",
        },
    )
    role = {
        "type": "role",
        "name": "app",
        "trustPolicy": policy,
        "policies": {"all": sts_test.ALLOW_ALL},
    }
    return {"providers": list(providers), "principals": [role]}


def provider(keys, **members):
    return {"issuer": oidc.ISSUER, "audiences": ["sts.amazonaws.com"], "keys": keys, **members}


def write_file(folder, name, content):
    """Puts a file of JSON in place, whole."""
    path = os.path.join(folder, name)
    with open(path + ".draft", "w", encoding="utf-8") as file:
        json.dump(content, file)
    os.rename(path + ".draft", path)
    return path


class WebIdentityCase(sts_test.StsCase):
    """AssumeRoleWithWebIdentity, as SDKs in a cluster call it: unsigned."""

    @classmethod
    def setUpClass(cls):
        cls.service = service.Service()
        cls.addClassCleanup(cls.service.close)
        cls.issuer = oidc.Issuer()

    def assume_with(self, token, role=sts_test.ROLE):
        return self.caller().sts(
            "AssumeRoleWithWebIdentity", RoleArn=role, RoleSessionName="pod", WebIdentityToken=token
        )


class TokensOfProviders(WebIdentityCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        write_file(cls.service.root, "keys.json", cls.issuer.key_set())
        path = write_file(cls.service.root, "principals.json", principals(provider("keys.json")))
        cls.service.start(principals__file=path)

    def test_gives_credentials_for_a_token_of_either_algorithm(self):
        for kid in ("r", "e"):
            answer = self.assume_with(self.issuer.token(kid))
            self.assertEqual(
                answer["SubjectFromWebIdentityToken"], "system:serviceaccount:shop:app"
            )
            self.assertEqual(answer["Audience"], "sts.amazonaws.com")
            session = self.session(answer)
            self.assertEqual(
                session.sts("GetCallerIdentity")["Arn"],
                f"arn:aws:sts::{sts_test.ACCOUNT}:assumed-role/app/pod",
            )
            session.kms("CreateKey")

    def test_refuses_tokens_that_prove_nothing(self):
        now = int(time.time())
        good = self.issuer.token()
        head, claims, made = good.split(".")
        unsigned = oidc.base64url(json.dumps({"alg": "none", "kid": "r"}).encode())
        for token, code in (
            ("x", "InvalidIdentityToken"),
            (f"{head}.{claims}", "InvalidIdentityToken"),
            (f"{unsigned}.{claims}.", "InvalidIdentityToken"),
            (f"{head}.{claims}.{made[:-8]}AAAAAAAA", "InvalidIdentityToken"),
            (oidc.Issuer().token(), "InvalidIdentityToken"),
            (self.issuer.token("unknown"), "InvalidIdentityToken"),
            (self.issuer.token("r", "ES256"), "InvalidIdentityToken"),
            (self.issuer.token("r", "HS256"), "InvalidIdentityToken"),
            (self.issuer.token("e", "RS256"), "InvalidIdentityToken"),
            (self.issuer.token(header=[("crit", ["b64"])]), "InvalidIdentityToken"),
            (self.issuer.token(iss="https://other.example.com"), "InvalidIdentityToken"),
            (self.issuer.token(aud="another"), "InvalidIdentityToken"),
            (self.issuer.token(aud=None), "InvalidIdentityToken"),
            (self.issuer.token(exp=now - 1), "ExpiredTokenException"),
            (self.issuer.token(exp=None), "InvalidIdentityToken"),
            (self.issuer.token(exp="soon"), "InvalidIdentityToken"),
            (self.issuer.token(nbf=now + 3600), "IDPRejectedClaim"),
            (self.issuer.token(sub=None), "IDPRejectedClaim"),
            (self.issuer.token(sub="system:serviceaccount:shop:other"), "AccessDenied"),
        ):
            self.denied(code, self.assume_with, token)
        self.denied("AccessDenied", self.assume_with, good, sts_test.ROLE.replace("app", "none"))

    def test_a_token_is_not_kept_in_any_log(self):
        token = self.issuer.token()
        self.assume_with(token)
        with open(os.path.join(self.service.data, "audit", "events.jsonl"), encoding="utf-8") as log:
            text = log.read()
        self.assertNotIn(token, text + self.service.log())
        self.assertTrue(re.search(r'"type":"WebIdentityUser"', text))


class KeysOverHttps(WebIdentityCase):
    """A provider whose key set is at an address."""

    # Between two questions to one address (sts::FetchedKeys).
    INTERVAL = 10

    def setUp(self):
        self.service = service.Service()
        self.addCleanup(self.service.close)
        self.authority = oidc.Authority(self.service.root)
        self.server = self.open_server()

    def open_server(self, host="127.0.0.1"):
        server = oidc.KeyServer(self.authority.server_certificate(host))
        self.addCleanup(server.close)
        return server

    def start(self, address, authorities="authority.pem"):
        members = {"certificateAuthorities": authorities} if authorities else {}
        path = write_file(self.service.root, "principals.json", principals(provider(address, **members)))
        self.service.start(principals__file=path)

    def unreachable(self, *words):
        """The address gave no keys, and the log says why."""
        message = self.denied("IDPCommunicationError", self.assume_with, self.issuer.token())
        self.assertNotIn("127.0.0.1", message)
        for word in words:
            self.assertIn(word, self.service.log())

    def test_gives_credentials_and_asks_once(self):
        self.server.serve("/keys", self.issuer.key_set())
        self.start(self.server.address("/keys"))
        self.assertEqual(self.server.asked, [])
        for kid in ("r", "e", "r"):
            self.assume_with(self.issuer.token(kid))
        self.assertEqual(self.server.asked, ["/keys"])

    def test_the_file_read_anew_is_no_reason_to_ask_again(self):
        self.server.serve("/keys", self.issuer.key_set())
        self.start(self.server.address("/keys"))
        self.assume_with(self.issuer.token())
        self.assertEqual(self.service.run("principal", "reload").returncode, 0)
        self.assume_with(self.issuer.token())
        self.assertEqual(self.server.asked, ["/keys"])

    def test_follows_an_issuer_that_changes_its_keys_and_outlives_its_absence(self):
        self.server.serve("/keys", self.issuer.key_set())
        self.start(self.server.address("/keys"))
        self.assume_with(self.issuer.token())
        new = oidc.Issuer()
        keys = self.issuer.key_set()["keys"] + [
            {**key, "kid": "new-" + key["kid"]} for key in new.key_set()["keys"]
        ]
        self.server.serve("/keys", {"keys": keys})
        for _ in range(5):
            self.denied("InvalidIdentityToken", self.assume_with, new.token("new-r"))
        self.assertEqual(self.server.asked, ["/keys"], "a made-up key makes no flood")
        time.sleep(self.INTERVAL)
        self.assume_with(new.token("new-r"))
        self.assertEqual(self.server.asked, ["/keys"] * 2)
        self.server.serve("/keys", b"", status=503)
        time.sleep(self.INTERVAL)
        self.denied("InvalidIdentityToken", self.assume_with, new.token("another"))
        self.assertEqual(self.server.asked, ["/keys"] * 3)
        self.assertIn("503", self.service.log())
        self.assume_with(new.token("new-r"))
        self.assume_with(self.issuer.token())

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        self.server.serve("/keys", self.issuer.key_set())
        self.start(self.server.address("/keys"), authorities=None)
        self.unreachable("certificate")
        self.assertEqual(self.server.asked, [])

    def test_a_certificate_for_another_host_is_refused(self):
        server = self.open_server("127.0.0.2")
        server.serve("/keys", self.issuer.key_set())
        self.start(server.address("/keys"))
        self.unreachable("certificate")
        self.assertEqual(server.asked, [])

    def test_a_redirect_is_not_followed(self):
        self.server.serve("/keys", self.issuer.key_set())
        headers = {"Location": self.server.address("/keys")}
        self.server.serve("/elsewhere", b"", status=302, headers=headers)
        self.start(self.server.address("/elsewhere"))
        self.unreachable("302")
        self.assertEqual(self.server.asked, ["/elsewhere"])

    def test_an_answer_without_end_is_cut_off(self):
        padding = {"padding": "x" * (256 * 1024)}
        self.server.serve("/keys", {**self.issuer.key_set(), **padding})
        self.start(self.server.address("/keys"))
        self.unreachable("key set of")

    def test_what_is_no_key_set_gives_no_keys(self):
        self.server.serve("/keys", b"<html>")
        self.start(self.server.address("/keys"))
        self.unreachable("not a JSON Web Key Set")

    def test_a_server_that_does_not_answer_is_not_waited_for(self):
        self.server.serve("/keys", self.issuer.key_set(), seconds=30)
        self.start(self.server.address("/keys"))
        self.unreachable("timed out")
        # Nobody else waits either.
        began = time.monotonic()
        self.unreachable()
        self.assertLess(time.monotonic() - began, 5)

    def test_places_that_are_none_end_the_start(self):
        for keys, members, word in (
            ("http://127.0.0.1/keys", {}, "https://"),
            ("file:///etc/passwd", {}, "https://"),
            ("https://127.0.0.1/keys", {"certificateAuthorities": "none.pem"}, "none.pem"),
            ("none.json", {}, "none.json"),
        ):
            path = write_file(self.service.root, "principals.json", principals(provider(keys, **members)))
            with self.assertRaises(service.StartFailed) as caught:
                self.service.start(principals__file=path)
            self.assertEqual(caught.exception.code, 2)
            self.assertIn(word, caught.exception.stderr)


if __name__ == "__main__":
    unittest.main()
