#!/usr/bin/env python3
"""What an operator does with commands, beside a service and without one, and what is on record of
it."""

import json
import os
import shutil
import subprocess
import unittest

import service
from serving import ServeCase


class CommandsTest(ServeCase):
    def test_work_with_a_service_and_without_one(self):
        self.init()
        listed = self.keyhold("credential", "list", "--config", self.config).stdout
        self.assertIn(self.access_key, listed)
        self.assertNotIn(self.secret, listed)
        self.start()
        made = json.loads(
            self.keyhold("credential", "create", "user/admin", "--config", self.config).stdout
        )
        client = self.client(made["accessKeyId"], made["secretAccessKey"])
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        turned = json.loads(
            self.keyhold(
                "credential", "rotate", made["accessKeyId"], "--config", self.config
            ).stdout
        )
        self.client(turned["accessKeyId"], turned["secretAccessKey"]).call("ListKeys")
        client.call("ListKeys")  # the old one stays until it is disabled
        self.keyhold("credential", "disable", made["accessKeyId"], "--config", self.config)
        self.assert_fails("UnrecognizedClientException", lambda: client.call("ListKeys"))
        self.assertIn(key, self.keyhold("key", "inspect", key, "--config", self.config).stdout)
        tokens = self.keyhold("token", "list", "--config", self.config).stdout
        self.assertIn("keyhold", tokens)
        self.end()
        self.assertIn(key, self.keyhold("key", "inspect", key, "--config", self.config).stdout)
        self.assertEqual(self.keyhold("token", "list", "--config", self.config).stdout, tokens)
        self.keyhold("reconcile", "--config", self.config)
        self.start()
        self.client(turned["accessKeyId"], turned["secretAccessKey"]).call("DescribeKey", KeyId=key)

    def test_no_access_key_is_made_for_a_user_that_is_not_there(self):
        self.init()
        definition = os.path.join(self.root, "ann")
        with open(definition, "w", encoding="utf-8") as file:
            json.dump({"type": "user", "name": "ann", "path": "/team/"}, file)
        self.keyhold("principal", "put", definition, "--config", self.config)

        def create(principal, code=0):
            return self.keyhold(
                "credential", "create", principal, "--config", self.config, code=code
            )

        said = create("user/nobody", 2).stderr
        self.assertIn("there is no user/nobody in account 000000000000", said)
        create("user/ann", 2)  # who has a path
        for principal in ("user/admin", "root"):
            create(principal)
        key = json.loads(create("user/team/ann").stdout)["accessKeyId"]
        self.keyhold("principal", "remove", "user/ann", "--config", self.config)
        self.keyhold("credential", "rotate", key, "--config", self.config, code=2)

    def test_an_unknown_word_is_named(self):
        for words in (("bogus",), ("principal", "bogus"), ("bogus", "--config", self.config)):
            said = self.keyhold(*words, code=2).stderr
            name = " ".join(word for word in words if not word.startswith(("-", "/")))
            self.assertEqual(said, f"keyhold: there is no command '{name}'; --help names them\n")
        self.assertIn("subcommand", self.keyhold("principal", code=2).stderr)

    @unittest.skipUnless(os.getuid() == 0, "only root can be another user")
    def test_a_user_who_may_not_look_is_told_so(self):
        self.init()
        os.chmod(self.root, 0o755)
        self.start()
        # From a folder that everybody may enter, wherever the program was built.
        program = os.path.join(self.root, "keyhold")
        shutil.copy(service.binary(), program)
        for place, what in (
            (("--config", self.config), f"cannot read {self.data}/keyhold.db: Permission denied"),
            (
                ("--data", self.data),
                f"cannot ask the service at {self.data}/keyhold.sock: Permission denied",
            ),
        ):
            done = subprocess.run(
                [program, "credential", "list", *place],
                capture_output=True,
                text=True,
                check=False,
                user=65534,
                group=65534,
                extra_groups=[],
            )
            self.assertEqual((done.returncode, done.stderr), (2, f"keyhold: {what}\n"))


ACCOUNT = "000000000000"
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
APP = f"arn:aws:iam::{ACCOUNT}:role/app"
DEFINITIONS = {
    "ann": {"type": "user", "name": "ann", "tags": {"team": "one-that-no-event-has"}},
    "app": {
        "type": "role",
        "name": "app",
        "trustPolicy": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}
            ],
        },
    },
}


class OperatorEventsTest(ServeCase):
    """Each change that an operator makes is on record, once."""

    def events(self):
        with open(os.path.join(self.data, "audit", "events.jsonl"), encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def command(self, *words, code=0):
        """What it answers, and the events that were there when it answered."""
        before = len(self.events())
        done = self.keyhold(*words, "--config", self.config, code=code)
        return json.loads(done.stdout) if done.stdout else {}, self.events()[before:]

    def change(self, name, *words, arn=None, key=None, previous=None):
        """A command that leaves one event. `key`: of that access key; True: of the one it made."""
        answer, events = self.command(*words)
        self.assertEqual(len(events), 1, (words, events))
        event = events[0]
        details = {"operator": {"uid": os.getuid()}}
        identity = {"invokedBy": "Operator"}
        resources = []
        if arn:
            details["principalArn"] = arn
            identity["accountId"] = ACCOUNT
            kind = "AWS::IAM::Role" if ":role/" in arn else "AWS::IAM::User"
            resources = [{"accountId": ACCOUNT, "type": kind, "ARN": arn}]
        if key:
            details["accessKeyId"] = answer["accessKeyId"] if key is True else key
        if previous:
            details["previousAccessKeyId"] = previous
        self.assertEqual(event["eventName"], name)
        self.assertEqual(event["eventSource"], "iam.amazonaws.com")
        self.assertEqual(event["eventType"], "AwsServiceEvent")
        self.assertEqual(event["userIdentity"], identity)
        self.assertEqual(event["serviceEventDetails"], details)
        self.assertEqual(event["resources"], resources)
        self.assertFalse(event["readOnly"])
        text = json.dumps(event)
        self.assertNotIn("one-that-no-event-has", text)
        self.assertNotIn("Statement", text)
        if "secretAccessKey" in answer:
            self.secrets.append(answer["secretAccessKey"])
        return answer

    def changes(self):
        """Every command that changes who may call."""
        for name, definition in DEFINITIONS.items():
            with open(os.path.join(self.root, name), "w", encoding="utf-8") as file:
                json.dump(definition, file)
        self.change("PutPrincipal", "principal", "put", os.path.join(self.root, "ann"), arn=ANN)
        self.change("PutPrincipal", "principal", "put", os.path.join(self.root, "app"), arn=APP)
        made = self.change("CreateAccessKey", "credential", "create", "user/ann", arn=ANN, key=True)
        old = made["accessKeyId"]
        self.change(
            "RotateAccessKey", "credential", "rotate", old, arn=ANN, key=True, previous=old
        )
        self.change("DisableAccessKey", "credential", "disable", old, arn=ANN, key=old)
        self.change("EnableAccessKey", "credential", "enable", old, arn=ANN, key=old)
        self.change("RevokeSessions", "principal", "revoke", "--role", "role/app", arn=APP)
        self.change("RevokeSessions", "principal", "revoke", "--access-key", "ASIAX", key="ASIAX")
        self.change("ReloadPrincipals", "principal", "reload")
        self.change("RemovePrincipal", "principal", "remove", "role/app", arn=APP)
        self.change("RemovePrincipal", "principal", "remove", "user/ann", arn=ANN)
        return old

    def no_changes(self, key):
        """What only looks, or fails, leaves no event."""
        for code, *words in (
            (0, "principal", "list"),
            (0, "credential", "list"),
            (2, "principal", "remove", "user/nobody"),
            (2, "principal", "revoke", "--role", "role/nobody"),
            (2, "credential", "disable", key[::-1]),
        ):
            self.assertEqual(self.command(*words, code=code)[1], [], words)

    def test_are_of_each_change_with_a_service_and_without_one(self):
        self.init()
        first = self.events()
        self.assertEqual([event["eventName"] for event in first], ["CreateAccessKey"])
        self.assertEqual(
            first[0]["serviceEventDetails"],
            {
                "operator": {"uid": os.getuid()},
                "principalArn": f"arn:aws:iam::{ACCOUNT}:user/admin",
                "accessKeyId": self.access_key,
            },
        )
        self.keyhold("init", "--config", self.config)
        self.assertEqual(self.events(), first)

        self.secrets = [self.secret]
        self.no_changes(self.changes())
        self.start()
        key = self.changes()
        self.no_changes(key)
        said = [line for line in self.lines() if line["message"].startswith("operator of uid ")]
        self.assertEqual(len(said), 11, said)
        self.assertEqual({line["level"] for line in said}, {"info"})
        self.assertIn(
            f"operator of uid {os.getuid()}: DisableAccessKey of {ANN}, access key {key}",
            [line["message"] for line in said],
        )
        self.end()
        self.assertEqual(len(self.secrets), 5)
        for path in (os.path.join(self.data, "audit", "events.jsonl"), self.log_file):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for secret in self.secrets:
                self.assertNotIn(secret, text)


if __name__ == "__main__":
    unittest.main()
