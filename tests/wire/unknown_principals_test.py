#!/usr/bin/env python3
"""Key policies and grants that name who is not there."""

import json
import unittest

import service
import sts_test


class UnknownPrincipals(sts_test.StsCase):
    """With `principals.unknown` set to refuse, nobody is named who is not there."""

    @classmethod
    def setUpClass(cls):
        cls.service = service.Service({"principals.unknown": "refuse"})
        cls.addClassCleanup(cls.service.close)
        cls.service.start()

    def policy(self, *principals):
        statements = [
            {"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": principal}}
            for principal in (f"arn:aws:iam::{sts_test.ACCOUNT}:root", *principals)
        ]
        return json.dumps({"Version": "2012-10-17", "Statement": statements})

    def test_are_refused_in_policies_and_grants_and_change_nothing(self):
        nobody = f"arn:aws:iam::{sts_test.ACCOUNT}:user/nobody"
        key = self.admin.kms("CreateKey")["KeyMetadata"]["KeyId"]
        keys = self.admin.kms("ListKeys")["Keys"]
        before = self.admin.kms("GetKeyPolicy", KeyId=key)
        malformed = "MalformedPolicyDocumentException"
        sentence = "Policy contains a statement with one or more invalid principals."
        for operation, members in (("CreateKey", {}), ("PutKeyPolicy", {"KeyId": key})):
            policy = self.policy(nobody)
            for bypass in (False, True):
                message = self.kms_denied(
                    malformed,
                    self.admin,
                    operation,
                    Policy=policy,
                    BypassPolicyLockoutSafetyCheck=bypass,
                    **members,
                )
                self.assertEqual(message, sentence)
        grant = {"KeyId": key, "Operations": ["Encrypt"]}
        root = f"arn:aws:iam::{sts_test.ACCOUNT}:root"
        for members in (
            {"GranteePrincipal": nobody},
            {"GranteePrincipal": nobody, "DryRun": True},
            {"GranteePrincipal": root, "RetiringPrincipal": nobody},
        ):
            message = self.kms_denied(
                "InvalidArnException", self.admin, "CreateGrant", **grant, **members
            )
            self.assertEqual(message, f"ARN does not refer to a valid principal: {nobody}")
        self.assertEqual(self.admin.kms("ListKeys")["Keys"], keys)
        self.assertEqual(self.admin.kms("GetKeyPolicy", KeyId=key), before)
        self.assertEqual(self.admin.kms("ListGrants", KeyId=key)["Grants"], [])

    def test_who_is_there_is_taken_and_may_go_again(self):
        self.new_user("somebody")
        somebody = f"arn:aws:iam::{sts_test.ACCOUNT}:user/somebody"
        stranger = f"arn:aws:iam::{sts_test.OTHER}:root"
        key = self.admin.kms("CreateKey", Policy=self.policy(somebody, stranger))
        key = key["KeyMetadata"]["KeyId"]
        self.admin.kms(
            "CreateGrant", KeyId=key, Operations=["Encrypt"], GranteePrincipal=somebody
        )
        self.command("principal", "remove", "user/somebody")
        # What was put stays and can be read by the next start.
        self.service.restart()
        admin = self.caller(*self.service.credentials())
        self.assertIn("somebody", admin.kms("GetKeyPolicy", KeyId=key)["Policy"])
        self.assertEqual(len(admin.kms("ListGrants", KeyId=key)["Grants"]), 1)
        self.kms_denied(
            "MalformedPolicyDocumentException",
            admin,
            "PutKeyPolicy",
            KeyId=key,
            Policy=self.policy(somebody),
        )


class PrincipalsOfDevMode(sts_test.StsCase):
    def test_may_be_named_before_they_are_there(self):
        nobody = f"arn:aws:iam::{sts_test.ACCOUNT}:user/nobody"
        statement = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
        statement["Principal"] = {"AWS": [nobody, f"arn:aws:iam::{sts_test.ACCOUNT}:root"]}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        key = self.admin.kms("CreateKey", Policy=policy)["KeyMetadata"]["KeyId"]
        self.admin.kms("CreateGrant", KeyId=key, Operations=["Encrypt"], GranteePrincipal=nobody)


if __name__ == "__main__":
    unittest.main()
