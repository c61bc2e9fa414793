#!/usr/bin/env python3
"""`keyhold policy explain`, beside the calls that it speaks of."""

import json
import os
import unittest

import signing
import sts_test


class Explanation(sts_test.StsCase):
    """`keyhold policy explain`: the decision that the call itself would meet."""

    def explain(self, principal, action, key, *arguments):
        return self.command(
            "policy", "explain", "--principal", principal, "--action", action, "--key", key,
            *arguments,
        )

    def test_names_the_statement_that_decides(self):
        key = self.admin.kms("CreateKey")["KeyMetadata"]["KeyId"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "OnlyShop",
                    "Effect": "Allow",
                    "Action": "kms:Encrypt",
                    "Resource": "*",
                    "Condition": {"StringEquals": {"kms:EncryptionContext:app": "shop"}},
                }
            ],
        }
        kim = self.new_user("kim", policies={"shop": policy})
        arn = f"arn:aws:iam::{sts_test.ACCOUNT}:user/kim"
        allowed = self.explain(arn, "kms:Encrypt", key, "--context", "app=shop")
        self.assertEqual(allowed["decision"], "allowed")
        self.assertIn('"OnlyShop"', allowed["reason"])
        refused = self.explain(arn, "kms:Encrypt", key)
        self.assertEqual(refused["decision"], "denied")
        members = {"KeyId": key, "Plaintext": signing.blob(b"x")}
        kim.kms("Encrypt", EncryptionContext={"app": "shop"}, **members)
        text = self.kms_denied("AccessDeniedException", kim, "Encrypt", **members)
        self.assertEqual(refused["message"], text)

    def test_names_the_grant_that_decides(self):
        key = self.admin.kms("CreateKey")["KeyMetadata"]["KeyId"]
        kai = self.new_user("kai")
        arn = f"arn:aws:iam::{sts_test.ACCOUNT}:user/kai"
        self.assertEqual(self.explain(arn, "kms:Encrypt", key)["decision"], "denied")
        grant = self.admin.kms(
            "CreateGrant",
            KeyId=key,
            GranteePrincipal=arn,
            Operations=["Encrypt"],
            Constraints={"EncryptionContextSubset": {"app": "shop"}},
        )["GrantId"]
        allowed = self.explain(arn, "kms:Encrypt", key, "--context", "app=shop")
        self.assertEqual(allowed["decision"], "allowed")
        self.assertEqual(allowed["reason"], f"allowed by grant {grant}")
        # What is not within the grant is refused as the call is.
        members = {"KeyId": key, "Plaintext": signing.blob(b"x")}
        for action, context in (("kms:Encrypt", {"app": "other"}), ("kms:Encrypt", {})):
            words = [f"{name}={value}" for name, value in context.items()]
            refused = self.explain(arn, action, key, *(["--context", *words] if words else []))
            self.assertEqual(refused["decision"], "denied")
            text = self.kms_denied(
                "AccessDeniedException", kai, "Encrypt", EncryptionContext=context, **members
            )
            self.assertEqual(refused["message"], text)
        kai.kms("Encrypt", EncryptionContext={"app": "shop"}, **members)
        # The event of the call gives the same reason.
        self.admin.kms("UpdateKeyDescription", KeyId=key, Description="x")  # is written at once
        with open(os.path.join(self.service.data, "audit", "events.jsonl"), encoding="utf-8") as log:
            self.assertIn(f"kms:Encrypt: allowed by grant {grant}", log.read())
        deny = {**sts_test.ALLOW_ALL["Statement"][0], "Sid": "Never", "Effect": "Deny"}
        self.put(
            {
                "type": "user",
                "name": "kai",
                "policies": {"no": {"Version": "2012-10-17", "Statement": [deny]}},
            }
        )
        denied = self.explain(arn, "kms:Encrypt", key, "--context", "app=shop")
        self.assertEqual(denied["decision"], "denied")
        self.assertIn('"Never"', denied["reason"])

    def test_an_operation_that_is_for_the_own_account_alone_is_refused_to_another(self):
        statements = [
            {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": account}}
            for account in (sts_test.ACCOUNT, sts_test.OTHER)
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        key = self.admin.kms("CreateKey", Policy=policy)["KeyMetadata"]["Arn"]
        partner = self.new_user("pat", account=sts_test.OTHER, policies={"all": sts_test.ALLOW_ALL})
        arn = f"arn:aws:iam::{sts_test.OTHER}:user/pat"
        self.assertEqual(self.explain(arn, "kms:DescribeKey", key)["decision"], "allowed")
        partner.kms("DescribeKey", KeyId=key)
        refused = self.explain(arn, "kms:DisableKey", key)
        self.assertEqual(refused["decision"], "denied")
        text = self.kms_denied("AccessDeniedException", partner, "DisableKey", KeyId=key)
        self.assertEqual(refused["message"], text)

    def test_a_session_is_judged_by_its_role(self):
        key = self.admin.kms("CreateKey")["KeyMetadata"]["KeyId"]
        self.put_role(sts_test.trust({"AWS": sts_test.ACCOUNT}), policies={"all": sts_test.ALLOW_ALL})
        arn = f"arn:aws:sts::{sts_test.ACCOUNT}:assumed-role/app/s1"
        self.assertEqual(self.explain(arn, "kms:Decrypt", key)["decision"], "allowed")
        self.session(self.assume(self.admin)).kms("DescribeKey", KeyId=key)

    def test_what_cannot_be_asked_is_refused(self):
        for arguments in (
            ("nobody", "kms:Encrypt", "x"),
            (f"arn:aws:iam::{sts_test.ACCOUNT}:user/admin", "s3:GetObject", "x"),
            (f"arn:aws:iam::{sts_test.ACCOUNT}:user/admin", "kms:Encrypt", "no-such-key"),
            (f"arn:aws:sts::{sts_test.ACCOUNT}:assumed-role/none/s1", "kms:Encrypt", "x"),
        ):
            done = self.service.run(
                "policy", "explain", "--principal", arguments[0], "--action", arguments[1],
                "--key", arguments[2],
            )
            self.assertEqual(done.returncode, 2, arguments)

    def test_a_policy_with_an_unknown_key_of_kms_is_refused(self):
        policy = {**sts_test.ALLOW_ALL}
        policy["Statement"] = [
            {**sts_test.ALLOW_ALL["Statement"][0], "Condition": {"Bool": {"kms:NoSuchKey": "true"}}}
        ]
        path = os.path.join(self.service.root, "bad.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"type": "user", "name": "lou", "policies": {"p": policy}}, file)
        done = self.service.run("principal", "put", path)
        self.assertEqual(done.returncode, 2)
        self.assertIn("kms:NoSuchKey", done.stderr)


if __name__ == "__main__":
    unittest.main()
