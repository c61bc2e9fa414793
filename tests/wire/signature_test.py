#!/usr/bin/env python3
"""Who is let in: access keys and signatures.

Needs nothing but Python.
"""

import datetime
import unittest
import urllib.parse

import service
import signing
from service import ServiceCase

MISMATCH_TEXT = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service "
    "documentation for details."
)


class Credentials(ServiceCase):
    """Who is let in."""

    def denied(self, operation="ListKeys", body=b"{}", **options):
        answer = self.kms.post(operation, body, **options)
        self.assertEqual(answer.status, 400)
        self.assertRegex(
            answer.headers["x-amzn-requestid"], "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
        )
        return answer.json()["__type"], answer.json().get("message", "")

    def test_an_unsigned_request_is_told_that_it_is_unsigned_whatever_its_body(self):
        for body in (b"{}", b"garbage", b"\xff\xfe"):
            answer = self.kms.exchange(self.kms.headers("ListKeys"), body)
            self.assertEqual(
                (answer.status, answer.json()["__type"], answer.json()["message"]),
                (400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
            )

    def test_a_wrong_secret_is_a_signature_that_does_not_match(self):
        self.assertEqual(self.denied(secret="wrong"), ("InvalidSignatureException", MISMATCH_TEXT))

    def test_an_unknown_access_key_and_a_foreign_security_token_are_unrecognized(self):
        expected = (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
        self.assertEqual(self.denied(access_key="AKIAIOSFODNN7EXAMPLE"), expected)
        self.assertEqual(self.denied(extra=[("X-Amz-Security-Token", "abc")]), expected)

    def test_an_old_and_a_future_signature_are_outside_the_window_of_five_minutes(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        code, text = self.denied(date=signing.amz_date(now - datetime.timedelta(minutes=6)))
        self.assertEqual(code, "InvalidSignatureException")
        self.assertRegex(
            text,
            r"^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z "
            r"\(\d{8}T\d{6}Z - 5 min\.\)$",
        )
        code, text = self.denied(date=signing.amz_date(now + datetime.timedelta(minutes=6)))
        self.assertEqual(code, "InvalidSignatureException")
        self.assertRegex(
            text,
            r"^Signature not yet current: \d{8}T\d{6}Z is still later than "
            r"\d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 5 min\.\)$",
        )
        for minutes in (-4, 4):
            date = signing.amz_date(now + datetime.timedelta(minutes=minutes))
            self.assertEqual(self.kms.post("ListKeys", b"{}", date=date).status, 200)

    def test_a_changed_body_header_or_operation_does_not_match_its_signature(self):
        pairs = self.kms.signed_headers("ListKeys", b"{}")
        for changed, body in (
            (pairs, b"{ }"),
            (replaced(pairs, "X-Amz-Target", "TrentService.CreateKey"), b"{}"),
            (replaced(pairs, "Host", "example.com"), b"{}"),
            (replaced(pairs, "Content-Type", "application/json"), b"{}"),
        ):
            answer = self.kms.exchange(changed, body)
            self.assertEqual((answer.status, answer.json()["message"]), (400, MISMATCH_TEXT))

    def test_the_hash_of_the_body_is_computed_and_not_believed(self):
        for claim in ("UNSIGNED-PAYLOAD", "0" * 64):
            code, _ = self.denied(extra=[("X-Amz-Content-Sha256", claim)], payload_hash=claim)
            self.assertEqual(code, "InvalidSignatureException")

    def test_a_scope_of_another_service_date_or_terminator_is_refused_by_name(self):
        code, text = self.denied(service="s3")
        self.assertEqual(
            (code, text),
            (
                "InvalidSignatureException",
                "Credential should be scoped to correct service: 'kms'. ",
            ),
        )
        code, text = self.denied(scope_date="20200101")
        self.assertEqual(code, "InvalidSignatureException")
        self.assertIn("Date in Credential scope does not match YYYYMMDD", text)
        code, text = self.denied(terminator="aws4")
        self.assertIn("valid terminator", text)
        code, text = self.denied(region="No_Region")
        self.assertIn("Credential should be scoped to a valid region", text)

    def test_host_and_every_x_amz_header_must_be_signed(self):
        for unsigned in ("host", "x-amz-target", "x-amz-date"):
            names = {"host", "content-type", "x-amz-date", "x-amz-target"} - {unsigned}
            code, text = self.denied(signed=names)
            self.assertEqual(code, "InvalidSignatureException")
            self.assertIn("must be a 'SignedHeader' in the AWS Authorization.", text)

    def test_two_readers_of_a_request_cannot_take_different_headers(self):
        for name, value in (
            ("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e"),
            ("X-Amz-Target", "TrentService.CreateKey"),
            ("X-Amz-Date", signing.amz_date()),
        ):
            pairs = self.kms.signed_headers("ListKeys", b"{}") + [(name, value)]
            answer = self.kms.exchange(pairs, b"{}")
            self.assertEqual(
                (answer.status, answer.json()["__type"]), (400, "IncompleteSignatureException")
            )

    def test_a_presigned_query_and_a_malformed_authorization_are_incomplete(self):
        pairs = self.kms.headers("ListKeys")
        query = urllib.parse.urlencode(
            {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Signature": "0"}
        )
        answer = self.kms.exchange(pairs, b"{}", target="/?" + query)
        self.assertEqual(
            (answer.status, answer.json()["__type"]), (400, "IncompleteSignatureException")
        )
        for value, text in (
            ("Basic dTpw", "Unsupported AWS 'algorithm': 'Basic'."),
            ("AWS4-HMAC-SHA256 nonsense", "missing equal-sign"),
            ("AWS4-HMAC-SHA256 Credential=a/b", "requires 'Signature' parameter"),
        ):
            answer = self.kms.exchange(pairs + [("Authorization", value)], b"{}")
            self.assertEqual(answer.json()["__type"], "IncompleteSignatureException")
            self.assertIn(text, answer.json()["message"])

    def test_the_credential_of_the_environment_is_the_one_that_counts(self):
        keyhold = service.Service(
            environment={
                "AWS_ACCESS_KEY_ID": "AKIAKEYHOLDTESTSONLY",
                "AWS_SECRET_ACCESS_KEY": "from/the+environment",
            }
        )
        self.addCleanup(keyhold.close)
        keyhold.start()
        self.assertEqual(keyhold.client().call("ListKeys"), {"Keys": [], "Truncated": False})


def replaced(pairs, name, value):
    return [(key, value if key == name else old) for key, old in pairs]


if __name__ == "__main__":
    unittest.main()
