#!/usr/bin/env python3
"""Who may do what, through a current boto3, unmodified: two accounts, roles assumed for web
identities, key policies, permissions by tags, conditions on the encryption context, and grants that
are made, used through their tokens, retired and revoked. Each refusal has AWS's code and text.
"""

import json
import os
import unittest
import unittest.mock

import boto3
import botocore.config
import botocore.exceptions

import oidc
import service

REGION = "us-east-1"
OWNER = "111122223333"
PARTNER = "444455556666"


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions, **more):
    return {"Effect": "Allow", "Action": actions, "Resource": "*", **more}


def arn(account, name):
    return f"arn:aws:iam::{account}:{name}"


class Permissions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = service.Service({"account": OWNER})
        cls.addClassCleanup(cls.service.close)
        cls.issuer = oidc.Issuer()
        cls.authority = oidc.Authority(cls.service.root)
        cls.keys = oidc.KeyServer(cls.authority.server_certificate("127.0.0.1"))
        cls.addClassCleanup(cls.keys.close)
        cls.keys.serve("/keys", cls.issuer.key_set())
        provider = {
            "issuer": oidc.ISSUER,
            "account": PARTNER,
            "audiences": ["sts.amazonaws.com"],
            "keys": cls.keys.address("/keys"),
            "certificateAuthorities": "authority.pem",
        }
        principals = cls.service.root + "/principals.json"
        with open(principals, "w", encoding="utf-8") as file:
            json.dump({"providers": [provider]}, file)
        cls.service.start(principals__file=principals)
        if cls.service.run("principal", "list").returncode != 0:
            raise unittest.SkipTest("this program has no commands that make principals")
        cls.admin = cls.client(cls.service.credentials())

    @classmethod
    def client(cls, credentials):
        session = boto3.Session(
            aws_access_key_id=credentials[0],
            aws_secret_access_key=credentials[1],
            region_name=REGION,
        )
        return session.client(
            "kms",
            endpoint_url=cls.service.endpoint,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def command(self, *words, text=None):
        path = None
        if text is not None:
            path = self.service.root + "/definition.json"
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            words += (path,)
        done = self.service.run(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def user(self, name, *statements, account=OWNER, tags=None):
        """A client of a new user with these identity policies."""
        definition = {"type": "user", "account": account, "name": name, "tags": tags or {}}
        if statements:
            definition["policies"] = {"inline": json.loads(document(*statements))}
        self.command("principal", "put", text=json.dumps(definition))
        made = json.loads(
            self.command("credential", "create", "--account", account, f"user/{name}")
        )
        return self.client((made["accessKeyId"], made["secretAccessKey"]))

    def key(self, *statements, **members):
        if statements:
            account = allow("kms:*", Principal={"AWS": arn(OWNER, "root")})
            members["Policy"] = document(account, *statements)
        return self.admin.create_key(**members)["KeyMetadata"]["Arn"]

    def refused(self, code, call, *words):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call()
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        for word in words:
            self.assertIn(word, error["Message"])

    def denied(self, call, *words):
        self.refused("AccessDeniedException", call, *words)

    def test_an_account_decides_by_identity_policies_where_the_key_policy_lets_it(self):
        key = self.key()
        reader = self.user("reader", allow("kms:DescribeKey"))
        self.assertEqual(reader.describe_key(KeyId=key)["KeyMetadata"]["Arn"], key)
        self.denied(
            lambda: reader.disable_key(KeyId=key),
            f"User: {arn(OWNER, 'user/reader')} is not authorized to perform: kms:DisableKey on "
            f"resource: {key} because no identity-based policy allows the kms:DisableKey action",
        )

    def test_two_accounts_need_both_sides(self):
        partner = self.user("partner", allow("kms:*"), account=PARTNER)
        closed = self.key()
        self.denied(
            lambda: partner.describe_key(KeyId=closed),
            "on this resource because the resource does not exist in this Region",
        )
        opened = self.key(
            allow(["kms:Encrypt", "kms:Decrypt"], Principal={"AWS": arn(PARTNER, "root")})
        )
        blob = partner.encrypt(KeyId=opened, Plaintext=b"shared")["CiphertextBlob"]
        self.assertEqual(partner.decrypt(CiphertextBlob=blob)["Plaintext"], b"shared")
        self.denied(lambda: partner.describe_key(KeyId=opened))
        nobody = self.user("nobody", account=PARTNER)
        self.denied(lambda: nobody.encrypt(KeyId=opened, Plaintext=b"x"))
        self.denied(
            lambda: nobody.decrypt(CiphertextBlob=blob),
            "The ciphertext refers to a customer master key that does not exist",
        )

    def pod(self, role, subject):
        """What an SDK does in a cluster: a role and a file with the pod's token, in the environment."""
        path = self.service.root + "/token"
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.issuer.token(sub=subject))
        environment = {
            "AWS_ROLE_ARN": role,
            "AWS_WEB_IDENTITY_TOKEN_FILE": path,
            "AWS_ROLE_SESSION_NAME": "pod",
            "AWS_ENDPOINT_URL_STS": self.service.endpoint,
            "AWS_ENDPOINT_URL_KMS": self.service.endpoint,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with unittest.mock.patch.dict(os.environ, environment):
            session = boto3.Session(region_name=REGION)
            session.get_credentials().get_frozen_credentials()
            return session.client(
                "kms", config=botocore.config.Config(retries={"total_max_attempts": 1})
            )

    def put_role(self, name, *statements, account=PARTNER):
        """A role that pods of the issuer may assume, each for the namespace that is its tag."""
        host = oidc.ISSUER.removeprefix("https://")
        trust = {
            "Effect": "Allow",
            "Principal": {"Federated": arn(account, f"oidc-provider/{host}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{host}:aud": "sts.amazonaws.com"},
                "StringLike": {f"{host}:sub": "system:serviceaccount:shop:*"},
            },
        }
        definition = {
            "type": "role",
            "account": account,
            "name": name,
            "tags": {"team": "shop"},
            "trustPolicy": json.loads(document(trust)),
            "policies": {"inline": json.loads(document(*statements))},
        }
        self.command("principal", "put", text=json.dumps(definition))
        return arn(account, f"role/{name}")

    def test_a_pod_of_another_account_uses_a_key_through_policy_and_grant(self):
        role = self.put_role("shop", allow(["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"]))
        session = f"arn:aws:sts::{PARTNER}:assumed-role/shop/pod"
        pod = self.pod(role, "system:serviceaccount:shop:app")
        key = self.key(
            allow(
                ["kms:Encrypt", "kms:Decrypt"],
                Principal={"AWS": role},
                Condition={
                    "StringEquals": {
                        "kms:EncryptionContext:team": "${aws:PrincipalTag/team}",
                        "kms:CallerAccount": PARTNER,
                    }
                },
            )
        )
        context = {"team": "shop"}
        blob = pod.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
        self.assertEqual(
            pod.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"], b"x"
        )
        unseen = "resource does not exist in this Region, no resource-based policies allow access"
        for action, call in (
            ("Encrypt", lambda: pod.encrypt(KeyId=key, Plaintext=b"x")),
            (
                "Encrypt",
                lambda: pod.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"team": "x"}),
            ),
            ("DescribeKey", lambda: pod.describe_key(KeyId=key)),
            ("DisableKey", lambda: pod.disable_key(KeyId=key)),
        ):
            self.denied(call, f"User: {session} is not authorized to perform: kms:{action}", unseen)
        # A grant to the role lets the pod do what the policy does not; its context must fit.
        made = self.admin.create_grant(
            KeyId=key,
            GranteePrincipal=role,
            Operations=["GenerateDataKey", "DescribeKey", "RetireGrant"],
            Constraints={"EncryptionContextEquals": {"job": "1"}},
        )
        tokens = [made["GrantToken"]]
        pod.generate_data_key(
            KeyId=key, KeySpec="AES_256", EncryptionContext={"job": "1"}, GrantTokens=tokens
        )
        self.assertEqual(
            pod.describe_key(KeyId=key, GrantTokens=tokens)["KeyMetadata"]["Arn"], key
        )
        self.denied(
            lambda: pod.generate_data_key(
                KeyId=key,
                KeySpec="AES_256",
                EncryptionContext={"job": "1", "more": "1"},
                GrantTokens=tokens,
            ),
            unseen,
        )
        pod.retire_grant(GrantToken=tokens[0])
        self.denied(lambda: pod.describe_key(KeyId=key, GrantTokens=tokens), unseen)
        # And once more through a grant that is revoked.
        made = self.admin.create_grant(
            KeyId=key, GranteePrincipal=session, Operations=["DescribeKey"]
        )
        pod.describe_key(KeyId=key)
        self.admin.revoke_grant(KeyId=key, GrantId=made["GrantId"])
        self.denied(lambda: pod.describe_key(KeyId=key), unseen)

    def test_a_pod_that_the_role_does_not_trust_gets_no_credentials(self):
        role = self.put_role("shop", allow("kms:*"))
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            self.pod(role, "system:serviceaccount:other:app")
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "AccessDenied")
        self.assertEqual(
            error["Message"], "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        )

    def test_sessions_end_when_their_role_is_revoked(self):
        role = self.put_role("brief", allow("kms:*"))
        pod = self.pod(role, "system:serviceaccount:shop:app")
        pod.list_keys()
        self.command("principal", "revoke", "--account", PARTNER, "--role", "role/brief")
        self.refused(
            "UnrecognizedClientException",
            pod.list_keys,
            "The security token included in the request is invalid.",
        )
        self.pod(role, "system:serviceaccount:shop:app").list_keys()

    def test_tags_let_a_team_use_its_own_keys(self):
        by_team = allow(
            ["kms:Encrypt", "kms:UntagResource"],
            Condition={"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
        )
        red = self.user("red", by_team, tags={"team": "red"})
        red_key = self.key(Tags=[{"TagKey": "team", "TagValue": "red"}])
        blue_key = self.key(Tags=[{"TagKey": "team", "TagValue": "blue"}])
        red.encrypt(KeyId=red_key, Plaintext=b"x")
        self.denied(lambda: red.encrypt(KeyId=blue_key, Plaintext=b"x"))
        red.untag_resource(KeyId=red_key, TagKeys=["team"])
        self.denied(lambda: red.encrypt(KeyId=red_key, Plaintext=b"x"))

    def test_key_policies_ask_for_the_encryption_context(self):
        auditor = self.user("auditor")
        key = self.key(
            allow(
                "kms:Encrypt",
                Principal={"AWS": arn(OWNER, "user/auditor")},
                Condition={"StringEquals": {"kms:EncryptionContext:purpose": "audit"}},
            )
        )
        auditor.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"purpose": "audit"})
        self.denied(lambda: auditor.encrypt(KeyId=key, Plaintext=b"x"))
        self.denied(
            lambda: auditor.encrypt(
                KeyId=key, Plaintext=b"x", EncryptionContext={"purpose": "other"}
            )
        )

    def test_a_policy_that_locks_out_is_refused_and_the_default_is_given_as_aws_has_it(self):
        key = self.key()
        policy = self.admin.get_key_policy(KeyId=key)["Policy"]
        self.assertEqual(json.loads(policy)["Id"], "key-default-1")
        self.refused(
            "MalformedPolicyDocumentException",
            lambda: self.admin.put_key_policy(
                KeyId=key,
                Policy=document(allow("kms:*", Principal={"AWS": arn(OWNER, "user/other")})),
            ),
            "The new key policy will not allow you to update the key policy in the future.",
        )
        self.assertEqual(self.admin.get_key_policy(KeyId=key)["Policy"], policy)

    def test_grants_are_made_used_retired_and_revoked(self):
        worker = self.user("worker")
        clerk = self.user("clerk")
        key = self.key()
        self.denied(lambda: worker.encrypt(KeyId=key, Plaintext=b"x"))
        made = self.admin.create_grant(
            KeyId=key,
            GranteePrincipal=arn(OWNER, "user/worker"),
            RetiringPrincipal=arn(OWNER, "user/clerk"),
            Operations=["Encrypt", "Decrypt"],
            Constraints={"EncryptionContextSubset": {"job": "7"}},
        )
        tokens = [made["GrantToken"]]
        context = {"job": "7", "part": "1"}
        blob = worker.encrypt(
            KeyId=key, Plaintext=b"x", EncryptionContext=context, GrantTokens=tokens
        )["CiphertextBlob"]
        self.assertEqual(
            worker.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"], b"x"
        )
        self.denied(lambda: worker.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=tokens))
        self.denied(lambda: worker.generate_data_key(KeyId=key, KeySpec="AES_256"))
        self.denied(lambda: worker.retire_grant(GrantToken=tokens[0]))
        clerk.retire_grant(GrantToken=tokens[0])
        self.denied(
            lambda: worker.encrypt(
                KeyId=key, Plaintext=b"x", EncryptionContext=context, GrantTokens=tokens
            )
        )
        again = self.admin.create_grant(
            KeyId=key, GranteePrincipal=arn(OWNER, "user/worker"), Operations=["DescribeKey"]
        )
        worker.describe_key(KeyId=key)
        self.admin.revoke_grant(KeyId=key, GrantId=again["GrantId"])
        self.denied(lambda: worker.describe_key(KeyId=key))
        self.refused(
            "NotFoundException",
            lambda: self.admin.revoke_grant(KeyId=key, GrantId=again["GrantId"]),
        )
        self.assertEqual(self.admin.list_grants(KeyId=key)["Grants"], [])

    def test_grants_and_policies_outlive_a_kill(self):
        worker = self.user("survivor")
        key = self.key(allow("kms:Encrypt", Principal={"AWS": arn(OWNER, "user/survivor")}))
        self.admin.create_grant(
            KeyId=key, GranteePrincipal=arn(OWNER, "user/survivor"), Operations=["DescribeKey"]
        )
        self.admin.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
        credentials = worker._request_signer._credentials
        self.service.kill()
        self.service.start()
        type(self).admin = self.client(self.service.credentials())
        worker = self.client((credentials.access_key, credentials.secret_key))
        worker.encrypt(KeyId=key, Plaintext=b"x")
        worker.describe_key(KeyId=key)
        self.denied(lambda: worker.disable_key(KeyId=key))
        self.assertEqual(
            self.admin.list_resource_tags(KeyId=key)["Tags"], [{"TagKey": "a", "TagValue": "b"}]
        )


if __name__ == "__main__":
    unittest.main()
