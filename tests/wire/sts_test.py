#!/usr/bin/env python3
"""Principals, access keys and temporary credentials, over the command line and the wire."""

import base64
import datetime
import json
import os
import time
import unittest
import urllib.parse
import xml.etree.ElementTree as xml

import service
import signing

NAMESPACE = "{https://sts.amazonaws.com/doc/2011-06-15/}"
ACCOUNT = "000000000000"
OTHER = "444455556666"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
ALLOW_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}


def trust(principal, action="sts:AssumeRole", **condition):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


class StsError(Exception):
    def __init__(self, status, code, message):
        super().__init__(f"{code} ({status}): {message}")
        self.status, self.code, self.message = status, code, message


class Caller:
    """Calls STS, and KMS, with one set of credentials, or STS with none."""

    def __init__(self, endpoint, access_key=None, secret=None, token=None):
        self.client = signing.Client(endpoint, access_key, secret)
        self.access_key, self.secret, self.token = access_key, secret, token

    def close(self):
        self.client.close()

    def extra(self):
        return [("X-Amz-Security-Token", self.token)] if self.token else []

    def sts(self, action, **parameters):
        form = {"Action": action, "Version": "2011-06-15", **parameters}
        return self.post(urllib.parse.urlencode(form).encode())

    def post(self, body):
        pairs = [
            ("Host", self.client.host),
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("X-Amz-Date", signing.amz_date()),
        ] + self.extra()
        if self.access_key:
            pairs.append(
                (
                    "Authorization",
                    signing.sign(
                        pairs, body, self.access_key, self.secret, "us-east-1", service="sts"
                    ),
                )
            )
        answer = self.client.exchange(pairs, body)
        root = xml.fromstring(answer.body)
        if answer.status != 200:
            error = root.find(NAMESPACE + "Error")
            raise StsError(
                answer.status,
                error.findtext(NAMESPACE + "Code"),
                error.findtext(NAMESPACE + "Message"),
            )
        assert answer.headers["content-type"] == "text/xml"
        return {
            element.tag.removeprefix(NAMESPACE): element.text
            for element in root.iter()
            if element.text is not None
        }

    def kms(self, operation, **members):
        body = json.dumps(members).encode()
        answer = self.client.post(operation, body, extra=self.extra())
        if answer.status != 200:
            raise signing.KmsError(answer)
        return answer.json() if answer.body else {}


class StsCase(service.ServiceCase):
    """A service with a few principals."""

    def setUp(self):
        super().setUp()
        self.admin = self.caller(*self.service.credentials())

    def caller(self, *credentials):
        made = Caller(self.service.endpoint, *credentials)
        self.addCleanup(made.close)
        return made

    def command(self, *arguments):
        done = self.service.run(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout else {}

    def put(self, definition):
        path = os.path.join(self.service.root, "definition.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(definition, file, indent=2)
        return self.command("principal", "put", path)

    def put_role(self, trust_policy, **members):
        return self.put({"type": "role", "name": "app", "trustPolicy": trust_policy, **members})

    def new_user(self, name, account=ACCOUNT, **members):
        self.put({"type": "user", "account": account, "name": name, **members})
        key = self.command("credential", "create", f"user/{name}", "--account", account)
        return self.caller(key["accessKeyId"], key["secretAccessKey"])

    def assume(self, caller, role=ROLE, name="s1", **parameters):
        return caller.sts("AssumeRole", RoleArn=role, RoleSessionName=name, **parameters)

    def session(self, answer):
        return self.caller(
            answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"]
        )

    def denied(self, code, call, *arguments, status=None, **parameters):
        with self.assertRaises(StsError) as caught:
            call(*arguments, **parameters)
        self.assertEqual(caught.exception.code, code, caught.exception.message)
        if status is not None:
            self.assertEqual(caught.exception.status, status)
        return caught.exception.message

    def kms_denied(self, code, caller, operation="ListKeys", **members):
        with self.assertRaises(signing.KmsError) as caught:
            caller.kms(operation, **members)
        self.assertEqual(caught.exception.code, code, caught.exception.message)
        return caught.exception.message


class Principals(StsCase):
    def test_are_made_listed_and_removed(self):
        self.put({"type": "group", "name": "readers", "policies": {"all": ALLOW_ALL}})
        self.put({"type": "user", "name": "ann", "groups": ["readers"], "tags": {"team": "a"}})
        listed = {
            (one["type"], one["name"]): one
            for one in self.command("principal", "list")["principals"]
        }
        self.assertEqual(listed[("user", "ann")]["tags"], {"team": "a"})
        self.assertEqual(json.loads(listed[("group", "readers")]["policies"]["all"]), ALLOW_ALL)
        self.command("principal", "remove", "user/ann")
        names = [one["name"] for one in self.command("principal", "list")["principals"]]
        self.assertNotIn("ann", names)
        self.assertIn("admin", names)

    def test_survive_a_restart(self):
        self.put({"type": "user", "name": "bea", "policies": {"all": ALLOW_ALL}})
        self.restart()
        names = [one["name"] for one in self.command("principal", "list")["principals"]]
        self.assertIn("bea", names)

    def test_that_are_not_right_change_nothing(self):
        before = self.command("principal", "list")
        for definition, text in (
            ({"type": "user", "name": "a b"}, "user name"),
            ({"type": "robot", "name": "a"}, "type"),
            ({"type": "user", "name": "a", "colour": "red"}, "colour"),
            ({"type": "role", "name": "a"}, "trust policy"),
            ({"type": "user", "name": "a", "trustPolicy": ALLOW_ALL}, "trust policy"),
            ({"type": "user", "name": "a", "policies": {"p": {"Statement": []}}}, "p: Syntax"),
            ({"type": "user", "name": "a", "policies": {"p": "x"}}, "p: the policy is not"),
            ({"type": "user", "name": "a", "tags": {"k": "1", "K": "2"}}, "two tags"),
        ):
            path = os.path.join(self.service.root, "bad.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(definition, file)
            done = self.service.run("principal", "put", path)
            self.assertEqual(done.returncode, 2, definition)
            self.assertIn(text, done.stderr)
        self.assertEqual(self.command("principal", "list"), before)
        self.assertEqual(self.service.run("principal", "remove", "user/nobody").returncode, 2)

    def test_an_access_key_that_is_disabled_calls_no_more(self):
        carl = self.new_user("carl", policies={"all": ALLOW_ALL})
        self.assertTrue(carl.sts("GetCallerIdentity")["Arn"].endswith(":user/carl"))
        self.command("credential", "disable", carl.access_key)
        self.denied("InvalidClientTokenId", carl.sts, "GetCallerIdentity", status=403)
        self.kms_denied("UnrecognizedClientException", carl)
        self.command("credential", "enable", carl.access_key)
        carl.sts("GetCallerIdentity")
        listed = self.command("credential", "list")["credentials"]
        self.assertNotIn("secret", json.dumps(listed).lower())


class PrincipalFile(StsCase):
    """Principals of a file, which is read again when it changes."""

    @classmethod
    def setUpClass(cls):
        cls.service = service.Service()
        cls.addClassCleanup(cls.service.close)
        cls.path = os.path.join(cls.service.root, "principals.json")
        cls.write([{"type": "user", "name": "eve"}])
        cls.service.start(principals__file=cls.path)

    @classmethod
    def write(cls, principals):
        with open(cls.path + ".new", "w", encoding="utf-8") as file:
            json.dump({"principals": principals}, file)
        os.rename(cls.path + ".new", cls.path)

    def names(self):
        return [one["name"] for one in self.command("principal", "list")["principals"]]

    def wait_for(self, condition):
        deadline = time.monotonic() + service.START_TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_is_read_at_start_and_when_it_changes(self):
        self.write([{"type": "user", "name": "fay"}])
        self.restart()
        self.assertIn("fay", self.names())
        self.write([{"type": "user", "name": "gus"}])
        self.wait_for(lambda: "gus" in self.names())
        self.assertNotIn("fay", self.names())

    def test_that_is_not_right_leaves_everything_as_it_was(self):
        self.write([{"type": "user", "name": "hal"}])
        self.wait_for(lambda: "hal" in self.names())
        self.write([{"type": "user", "name": "ida", "policies": {"p": {}}}])
        self.wait_for(lambda: "principals stay as they were" in self.service.log())
        self.assertIn("hal", self.names())
        self.assertEqual(self.service.run("principal", "reload").returncode, 2)

    def test_goes_before_commands(self):
        self.write([{"type": "user", "name": "jan"}])
        self.wait_for(lambda: "jan" in self.names())
        self.assertEqual(self.service.run("principal", "remove", "user/jan").returncode, 2)


class AssumeRole(StsCase):
    def test_the_caller_is_told_who_they_are(self):
        answer = self.admin.sts("GetCallerIdentity")
        self.assertEqual(answer["Arn"], f"arn:aws:iam::{ACCOUNT}:user/admin")
        self.assertEqual(answer["Account"], ACCOUNT)
        self.assertRegex(answer["UserId"], "^AIDA[A-Z2-7]{17}$")

    def test_gives_credentials_that_call(self):
        self.put_role(trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), policies={"all": ALLOW_ALL})
        answer = self.assume(self.admin)
        self.assertRegex(answer["AccessKeyId"], "^ASIA[A-Z2-7]{16}$")
        self.assertEqual(answer["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/app/s1")
        self.assertRegex(answer["AssumedRoleId"], "^AROA[A-Z2-7]{17}:s1$")
        expires = datetime.datetime.fromisoformat(answer["Expiration"].replace("Z", "+00:00"))
        left = (expires - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        self.assertTrue(3000 < left <= 3600, left)
        session = self.session(answer)
        identity = session.sts("GetCallerIdentity")
        self.assertEqual(identity["Arn"], answer["Arn"])
        self.assertEqual(identity["UserId"], answer["AssumedRoleId"])
        key = session.kms("CreateKey")["KeyMetadata"]
        self.assertEqual(key["AWSAccountId"], ACCOUNT)

    def test_a_session_outlives_a_restart(self):
        self.put_role(trust({"AWS": ACCOUNT}), policies={"all": ALLOW_ALL})
        answer = self.assume(self.admin)
        self.restart()
        self.session(answer).sts("GetCallerIdentity")

    def test_a_token_opens_for_its_own_access_key_alone(self):
        self.put_role(trust({"AWS": ACCOUNT}), policies={"all": ALLOW_ALL})
        first, second = self.assume(self.admin), self.assume(self.admin)
        token = first["SessionToken"]
        self.session(first).sts("GetCallerIdentity")
        changed = base64.b64decode(token)
        for position in (0, 3, 12, 40, len(changed) // 2, len(changed) - 1):
            broken = bytearray(changed)
            broken[position] ^= 1
            forged = {**first, "SessionToken": base64.b64encode(bytes(broken)).decode()}
            self.denied("InvalidClientTokenId", self.session(forged).sts, "GetCallerIdentity")
            self.kms_denied("UnrecognizedClientException", self.session(forged))
        swapped = {**second, "SessionToken": token}
        self.denied("InvalidClientTokenId", self.session(swapped).sts, "GetCallerIdentity")
        with_own_secret = {**first, "SecretAccessKey": second["SecretAccessKey"]}
        self.denied("SignatureDoesNotMatch", self.session(with_own_secret).sts, "GetCallerIdentity")
        # A long-term key with a token, a temporary one without.
        admin = self.caller(*self.service.credentials(), token)
        self.denied("InvalidClientTokenId", admin.sts, "GetCallerIdentity")
        bare = self.caller(first["AccessKeyId"], first["SecretAccessKey"])
        self.denied("InvalidClientTokenId", bare.sts, "GetCallerIdentity")

    def test_what_was_revoked_calls_no_more(self):
        self.put_role(trust({"AWS": ACCOUNT}), policies={"all": ALLOW_ALL})
        one, other = self.session(self.assume(self.admin)), self.session(self.assume(self.admin))
        self.command("principal", "revoke", "--access-key", one.access_key)
        self.denied("InvalidClientTokenId", one.sts, "GetCallerIdentity")
        other.sts("GetCallerIdentity")
        self.command("principal", "revoke", "--role", "role/app")
        self.denied("InvalidClientTokenId", other.sts, "GetCallerIdentity")
        self.restart()
        self.denied("InvalidClientTokenId", self.session_again(other).sts, "GetCallerIdentity")
        time.sleep(0.002)  # sessions of a later millisecond are later ones
        admin = self.caller(*self.service.credentials())
        self.session(self.assume(admin)).sts("GetCallerIdentity")

    def session_again(self, caller):
        return self.caller(caller.access_key, caller.secret, caller.token)

    def test_a_session_ends_with_its_role(self):
        self.put_role(trust({"AWS": ACCOUNT}), policies={"all": ALLOW_ALL})
        session = self.session(self.assume(self.admin))
        self.command("principal", "remove", "role/app")
        self.denied("InvalidClientTokenId", session.sts, "GetCallerIdentity")

    def test_needs_the_trust_of_the_role(self):
        dora = self.new_user("dora", policies={"all": ALLOW_ALL})
        self.put_role(trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"}))
        self.assume(self.admin)
        self.assertEqual(
            self.denied("AccessDenied", self.assume, dora, status=403),
            f"User: arn:aws:iam::{ACCOUNT}:user/dora is not authorized to perform: "
            f"sts:AssumeRole on resource: {ROLE}",
        )
        self.denied("AccessDenied", self.assume, self.admin, ROLE.replace("app", "none"))

    def test_needs_an_identity_policy_where_the_role_trusts_the_account(self):
        self.put_role(trust({"AWS": ACCOUNT}))
        emil = self.new_user("emil")
        self.denied("AccessDenied", self.assume, emil)
        self.new_user("emil", policies={"all": ALLOW_ALL})
        self.assume(emil)  # the next call sees the change

    def test_across_accounts_both_sides_must_allow(self):
        stranger = self.new_user("dora", OTHER)
        self.put_role(trust({"AWS": f"arn:aws:iam::{OTHER}:user/dora"}))
        self.denied("AccessDenied", self.assume, stranger)
        self.new_user("dora", OTHER, policies={"all": ALLOW_ALL})
        self.assume(stranger)
        self.put_role(trust({"AWS": ACCOUNT}))
        self.denied("AccessDenied", self.assume, stranger)

    def test_a_deputy_is_asked_for_the_external_id(self):
        self.put_role(
            trust({"AWS": ACCOUNT}, StringEquals={"sts:ExternalId": "shop-7"}),
        )
        self.denied("AccessDenied", self.assume, self.admin)
        self.denied("AccessDenied", self.assume, self.admin, ExternalId="shop-8")
        self.assume(self.admin, ExternalId="shop-7")

    def test_tags_need_a_permission_of_their_own(self):
        tags = {"Tags.member.1.Key": "team", "Tags.member.1.Value": "blue"}
        self.put_role(trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"}))
        self.assertIn("sts:TagSession", self.denied("AccessDenied", self.assume, self.admin, **tags))
        self.put_role(
            trust(
                {"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"},
                ["sts:AssumeRole", "sts:TagSession"],
                StringEqualsIfExists={"aws:RequestTag/team": "blue"},
            )
        )
        self.assume(self.admin, **tags)
        tags["Tags.member.1.Value"] = "red"
        self.denied("AccessDenied", self.assume, self.admin, **tags)

    def test_parameters_out_of_bounds_are_named(self):
        self.put_role(trust({"AWS": ACCOUNT}))
        for parameters, text in (
            ({"RoleArn": ROLE}, "Value null at 'roleSessionName'"),
            ({"RoleSessionName": "s1"}, "Value null at 'roleArn'"),
            ({"RoleArn": "x", "RoleSessionName": "s1"}, "greater than or equal to 20"),
            ({"RoleArn": "x" * 30, "RoleSessionName": "s1"}, "Request ARN is invalid"),
            ({"RoleArn": ROLE, "RoleSessionName": "a b"}, "regular expression pattern"),
            ({"RoleArn": ROLE, "RoleSessionName": "a"}, "greater than or equal to 2"),
            ({"RoleArn": ROLE, "RoleSessionName": "a" * 65}, "less than or equal to 64"),
            ({"RoleArn": ROLE, "RoleSessionName": "s1", "DurationSeconds": "899"}, "'899'"),
            ({"RoleArn": ROLE, "RoleSessionName": "s1", "DurationSeconds": "43201"}, "43200"),
            ({"RoleArn": ROLE, "RoleSessionName": "s1", "DurationSeconds": "3601"}, "MaxSession"),
            ({"RoleArn": ROLE, "RoleSessionName": "s1", "SourceIdentity": "x"}, "not supported"),
        ):
            self.assertIn(
                text, self.denied("ValidationError", self.admin.sts, "AssumeRole", **parameters)
            )
        self.denied("MalformedPolicyDocument", self.assume, self.admin, Policy="{")
        self.denied("PackedPolicyTooLarge", self.assume, self.admin, Policy=" " * 2049)
        self.denied("InvalidAction", self.admin.sts, "AssumeRoleWithSAML")
        self.denied("MissingAction", self.admin.post, b"Version=2011-06-15")
        self.denied("ValidationError", self.admin.post, b"Action=%4")
        self.denied("ValidationError", self.admin.post, b"Action=a&Action=b")
        self.denied(
            "MissingAuthenticationToken", self.caller().sts, "GetCallerIdentity", status=403
        )

    def test_a_chained_session_is_an_hour_at_most(self):
        self.put_role(trust({"AWS": ACCOUNT}), policies={"all": ALLOW_ALL}, maxSessionDuration=7200)
        session = self.session(self.assume(self.admin, DurationSeconds="7200"))
        self.assume(session)
        self.assertIn(
            "role chaining",
            self.denied("ValidationError", self.assume, session, DurationSeconds="3601"),
        )

    def test_leaves_an_event_without_secrets(self):
        self.put_role(trust({"AWS": ACCOUNT}), policies={"all": ALLOW_ALL})
        answer = self.assume(self.admin, name="recorded")
        with open(os.path.join(self.service.data, "audit", "events.jsonl"), encoding="utf-8") as log:
            text = log.read()
        self.assertNotIn(answer["SecretAccessKey"], text)
        self.assertNotIn(answer["SessionToken"], text)
        events = [json.loads(line) for line in text.splitlines()]
        event = next(
            event
            for event in events
            if event["eventName"] == "AssumeRole"
            and event["requestParameters"]["roleSessionName"] == "recorded"
        )
        self.assertEqual(event["eventSource"], "sts.amazonaws.com")
        self.assertEqual(event["userIdentity"]["userName"], "admin")
        self.assertEqual(
            event["responseElements"]["credentials"]["accessKeyId"], answer["AccessKeyId"]
        )
        self.assertNotIn(answer["SecretAccessKey"], self.service.log())


if __name__ == "__main__":
    unittest.main()
