#!/usr/bin/env python3
"""`keyhold serve`: a service from a configuration file, as its operator meets it."""

import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import threading
import time
import unittest

import service
import signing
from serving import ServeCase


class InitTest(ServeCase):
    def test_makes_everything_once_and_shows_the_secret_once(self):
        self.keyhold("config", "check", "--config", self.config)
        said = self.init()
        self.assertIn("made a SoftHSM token", said)
        again = self.keyhold("init", "--config", self.config).stdout
        self.assertNotIn(self.secret, again)
        self.assertNotIn("made a SoftHSM token", again)
        self.assertIn(self.access_key, again)
        self.start()
        key = self.client().call("CreateKey")["KeyMetadata"]
        self.assertEqual(key["KeyState"], "Enabled")

    def test_what_it_makes_is_its_owners_alone(self):
        self.init()
        self.start()
        self.client().call("CreateKey")
        self.end()
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                if path in (self.config, self.log_file):
                    continue
                self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)

    def test_neither_pin_nor_secret_is_in_log_or_store(self):
        self.settings["log.level"] = "debug"
        self.write_config()
        self.init()
        self.start()
        client = self.client()
        client.decrypt(client.encrypt(client.call("CreateKey")["KeyMetadata"]["KeyId"], b"a text"))
        self.end()
        with open(os.path.join(self.data, "pin"), encoding="utf-8") as file:
            pin = file.read().strip()
        self.assertGreaterEqual(len(pin), 8)
        for folder, _, names in os.walk(self.root):
            for name in names:
                if name == "pin":
                    continue
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                self.assertNotIn(pin.encode(), content, name)
                self.assertNotIn(self.secret.encode(), content, name)

    def test_a_service_is_not_started_where_nothing_is(self):
        os.makedirs(self.data)
        done = self.keyhold("serve", "--config", self.config, code=2)
        self.assertIn("keyhold init", done.stderr)
        self.assertEqual(os.listdir(self.data), [])

    def test_a_wrong_pin_is_tried_once_and_ends_the_start_for_good(self):
        self.init()
        with open(os.path.join(self.data, "pin"), "w", encoding="utf-8") as file:
            file.write("not the pin\n")
        self.assertIn("CKR_PIN", self.keyhold("serve", "--config", self.config, code=2).stderr)

    def test_a_token_that_cannot_be_used_is_said_in_the_operators_words(self):
        def refused(*words):
            for command in (("init",), ("reconcile",)):
                said = self.keyhold(*command, "--config", self.config, code=2).stderr
                self.assertTrue(said.startswith("keyhold: the token cannot be used: "), said)
                for word in words:
                    self.assertIn(word, said)
                self.assertNotIn("KMS key", said)

        self.write_config(token__module="/nowhere/module.so")
        said = self.keyhold("init", "--config", self.config, code=2).stderr
        self.assertRegex(said, "^keyhold: the token cannot be used: .*/nowhere/module.so")
        del self.settings["token.module"]
        self.write_config()
        self.init()
        pin = os.path.join(self.data, "pin")
        shutil.copy(pin, pin + ".right")
        with open(pin, "w", encoding="utf-8") as file:
            file.write("not the pin\n")
        refused("CKR_PIN_INCORRECT", "be sure of it before the next start")
        shutil.copy(pin + ".right", pin)
        self.write_config(token__module="/nowhere/module.so")
        refused("/nowhere/module.so")
        del self.settings["token.module"]
        del self.settings["token.softhsm_folder"]
        configuration = os.path.join(self.token, "softhsm2.conf")
        self.settings["profile.module.env.SOFTHSM2_CONF"] = configuration
        self.write_config(token__uri="pkcs11:token=another")
        refused("finding the token")

    def test_another_token_is_not_taken_for_the_stores(self):
        self.init()
        shutil.move(self.token, self.token + ".away")
        self.settings["data.folder"] = self.data + ".other"
        self.settings["token.pin_source"] = "file:" + os.path.join(self.data, "pin")
        self.write_config()
        self.init()
        self.settings["data.folder"] = self.data
        self.write_config()
        self.assertIn("serial", self.keyhold("serve", "--config", self.config, code=2).stderr)


class ConfigTest(ServeCase):
    def test_check_names_every_problem_with_its_line(self):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write('[log]\nlevel = "loud"\n[listen]\naddress = "0.0.0.0:1"\nport = 1\n')
        said = self.keyhold("config", "check", "--config", self.config, code=2).stdout
        for line, word in ((2, "log.level"), (4, "loopback"), (5, "listen.port")):
            self.assertRegex(said, rf"(?m)^{re.escape(self.config)}:{line}: .*{word}")
        refused = self.keyhold("serve", "--config", self.config, code=2)
        self.assertIn(f"{self.config}:2: log.level", refused.stderr)

    def test_check_names_what_a_start_would_be_refused_for(self):
        self.make_certificate("one")
        key = os.path.join(self.root, "private-key.pem")
        self.settings["tls.certificate"] = os.path.join(self.root, "certificate.pem")
        self.settings["tls.private_key"] = key
        self.write_config()
        self.keyhold("config", "check", "--config", self.config)  # before there is a PIN
        self.init()
        self.keyhold("config", "check", "--config", self.config)

        def refused(sentence):
            said = self.keyhold("config", "check", "--config", self.config, code=2).stdout
            self.assertRegex(said, rf"\A{re.escape(self.config)}:\d+: .*{sentence}.*\n\Z")
            started = self.keyhold("serve", "--config", self.config, code=2).stderr
            self.assertRegex(started, sentence)

        os.chmod(key, 0o644)
        refused("every user of the machine may use the private key")
        os.chmod(key, 0o600)
        pin = os.path.join(self.data, "pin")
        os.chmod(pin, 0o644)
        refused("every user of the machine may use the file")
        os.chmod(pin, 0o600)
        self.write_config(token__module="/nowhere/module.so")
        refused("/nowhere/module.so")
        done = self.keyhold("config", "check", "--config", self.root, code=2)
        self.assertEqual(done.stdout, f"{self.root}: cannot read {self.root}: Is a directory\n")
        self.assertEqual(done.stderr, "")

    def test_regions_that_are_not_named_do_not_answer(self):
        self.write_config(regions=["eu-central-1"])
        self.init()
        self.start()
        client = self.client()
        self.assertEqual(client.post("ListKeys", b"{}", region="eu-central-1").status, 200)
        self.assertNotEqual(client.post("ListKeys", b"{}", region="us-east-1").status, 200)

    def test_no_key_is_used_off_the_record(self):
        self.init()
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        trail = os.path.join(self.data, "audit", "events.jsonl")
        full = os.path.getsize(trail) + 4096
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (full, hard))

        answered, refused = 0, None
        deadline = time.monotonic() + 30
        while refused is None and time.monotonic() < deadline:
            try:
                client.encrypt(key, b"text")
                answered += 1
            except signing.KmsError as error:
                refused = error.code
        self.assertEqual(refused, "KMSInternalException")
        self.assertEqual(self.page("/readyz")[0], 503)
        self.assertEqual(self.metric("keyhold_audit_refuses"), 1)
        self.assertGreater(self.metric("keyhold_audit_queued_bytes"), 0)

        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")
        self.assertEqual(self.metric("keyhold_audit_refuses"), 0)
        client.encrypt(key, b"text")
        self.end()
        with open(trail, encoding="utf-8") as file:
            events = [json.loads(line) for line in file]
        recorded = [event for event in events if event["eventName"] == "Encrypt"]
        self.assertEqual(len(recorded), answered + 1)

    def test_events_of_uses_are_on_disk_before_the_reply_where_it_says_so(self):
        self.write_config(audit__durability="before-reply")
        self.init()
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        for _ in range(20):
            client.encrypt(key, b"x")
        self.end(signal.SIGKILL)
        with open(os.path.join(self.data, "audit", "events.jsonl"), encoding="utf-8") as file:
            names = [json.loads(line)["eventName"] for line in file.read().split("\n") if line]
        self.assertEqual(names.count("Encrypt"), 20)


class TlsTest(ServeCase):
    WITH_TLS = True

    def certificate(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            context = ssl._create_unverified_context()  # pylint: disable=protected-access
            with context.wrap_socket(connection) as secured:
                return secured.getpeercert(binary_form=True)

    def test_serves_over_tls_alone(self):
        self.init()
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        self.assertEqual(client.decrypt(client.encrypt(key, b"text")), b"text")
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.page("/", port=self.port)

    def test_sighup_takes_a_new_certificate_and_limits_and_names_the_rest(self):
        self.init()
        self.start()
        old = self.client()
        old.call("ListKeys")
        before = self.certificate()
        self.make_certificate("second")
        self.write_config(limits__requests_per_second=1, limits__burst=3, http__io_threads=3)
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_line("reloaded")
        self.assertNotEqual(self.certificate(), before)
        self.wait_for_line(r"http\.io_threads.*restart")
        self.client().call("ListKeys")  # trusts the second alone
        # The bucket of three is used up by now, or nearly.
        with self.assertRaises(signing.KmsError) as caught:
            for _ in range(4):
                old.call("ListKeys")
        self.assertEqual(caught.exception.code, "ThrottlingException")

    def test_sighup_with_a_mistake_changes_nothing(self):
        self.init()
        self.start()
        before = self.certificate()
        self.make_certificate("second")
        self.write_config(log__level="loud")
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_line("everything stays as it was")
        self.assertEqual(self.certificate(), before)


class ClientCertificateTest(ServeCase):
    WITH_TLS = True

    def test_is_asked_for_where_the_file_says_so(self):
        authority = os.path.join(self.root, "certificate.pem")
        self.write_config(
            tls__client_certificates="required", tls__client_authorities=authority
        )
        self.init()
        self.start()
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.client().call("ListKeys")
        client = self.client()
        client.tls.load_cert_chain(authority, os.path.join(self.root, "private-key.pem"))
        self.assertEqual(client.call("ListKeys")["Keys"], [])


class DevTlsTest(unittest.TestCase):
    def test_a_service_for_development_makes_its_certificate(self):
        keyhold = service.Service({"dev.tls": "true"})
        self.addCleanup(keyhold.close)
        keyhold.start()
        self.assertTrue(keyhold.endpoint.startswith("https://"), keyhold.endpoint)
        certificate = os.path.join(keyhold.data, "certificate.pem")
        context = ssl.create_default_context(cafile=certificate)
        client = keyhold.client(tls=context)
        self.addCleanup(client.close)
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        keyhold.restart()  # with the same certificate
        again = keyhold.client(tls=ssl.create_default_context(cafile=certificate))
        self.addCleanup(again.close)
        self.assertEqual(again.call("DescribeKey", KeyId=key)["KeyMetadata"]["KeyId"], key)


class AdminTest(ServeCase):
    def test_pages(self):
        self.init()
        self.start()
        self.assertEqual(self.page("/livez"), (200, "alive\n"))
        self.assertEqual(self.page("/readyz"), (200, '{"ready":true}\n'))
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        client.decrypt(client.encrypt(key, b"text"))
        client.call("RotateKeyOnDemand", KeyId=key)
        self.assert_fails("NotFoundException", lambda: client.encrypt(key[::-1], b"x"))
        self.assertEqual(self.metric("keyhold_calls_total", operation="Encrypt", error=""), 1)
        self.assertEqual(
            self.metric("keyhold_calls_total", operation="Encrypt", error="NotFoundException"), 1
        )
        self.assertEqual(self.metric("keyhold_call_duration_seconds_count", operation="Decrypt"), 1)
        self.assertGreater(
            self.metric("keyhold_token_calls_total", function="C_Encrypt", result="CKR_OK"), 0
        )
        self.assertEqual(self.metric("keyhold_ready"), 1)
        self.assertEqual(self.metric("keyhold_token_breaker_state", state="closed"), 1)
        self.assertGreater(self.metric("keyhold_token_session_objects_made_total"), 0)
        self.assertEqual(self.metric("keyhold_on_demand_rotations_left", key_id=key), 9)
        self.assertEqual(self.metric("keyhold_rotations_done", type="ON_DEMAND"), 1)
        client.encrypt(key, b"text")
        client.decrypt(client.encrypt(key, b"text"))
        current = client.call("DescribeKey", KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
        self.assertEqual(
            self.metric("keyhold_key_material_uses_total", key_id=key, material_id=current), 2
        )
        mac_key = client.call("CreateKey", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        mac_key = mac_key["KeyMetadata"]["KeyId"]
        client.call("GenerateMac", KeyId=mac_key, MacAlgorithm="HMAC_SHA_256", Message="aGk=")
        self.assertEqual(self.metric("keyhold_key_material_uses_total", key_id=mac_key), 1)
        self.assertEqual(self.metric("keyhold_keys", state="Enabled"), 2)

    def test_planes_do_not_leak_into_each_other(self):
        self.init()
        self.start()
        for path in ("/livez", "/readyz", "/metrics"):
            status, text = self.page(path, port=self.port)
            self.assertEqual(status, 404, path)
            self.assertIn("UnknownOperationException", text)
        self.port, port = self.admin_port, self.port
        client = self.client()
        answer = client.post("ListKeys", b"{}")
        self.assertEqual(answer.status, 404)
        self.assertNotIn(b"Keys", answer.body)
        self.port = port
        self.assertEqual(self.page("/metrics", method="POST")[0], 405)

    def test_a_line_of_the_log_bears_the_id_that_the_caller_sees(self):
        self.write_config(log__level="debug")
        self.init()
        self.start()
        answer = self.client(secret="wrong").post("ListKeys", b"{}")
        request_id = answer.headers["x-amzn-requestid"]
        said = [line for line in self.lines() if line.get("requestId") == request_id]
        self.assertEqual(len(said), 1, said)
        self.assertIn("refused", said[0]["message"])


class EndTest(ServeCase):
    def test_a_service_that_ends_is_not_ready(self):
        self.init()
        self.start()
        waiting = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        self.addCleanup(waiting.close)
        waiting.sendall(b"POST / HTTP/1.1\r\nHost: k\r\nContent-Length: 5\r\n\r\n")
        time.sleep(0.1)
        self.process.send_signal(signal.SIGTERM)
        self.wait_until(lambda: self.page("/readyz")[0] == 503, "the end")
        self.assertIn("ending", self.page("/readyz")[1])
        self.assertEqual(self.page("/livez")[0], 200)
        waiting.sendall(b"hello")
        self.assertIn(b" 404 ", waiting.recv(4096))
        process, self.process = self.process, None
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(
            [(line["level"], line["message"]) for line in self.lines()][-2:],
            [
                ("info", "ending: calls that run are answered, and no others are taken"),
                ("info", "ended"),
            ],
        )

    def test_calls_that_run_are_answered(self):
        self.init()
        self.start()
        client = self.client()
        answers = []

        def create():
            try:
                answers.append(self.client().call("CreateKey", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"))
            except (OSError, http.client.HTTPException) as error:
                answers.append(error)

        client.call("ListKeys")
        threads = [threading.Thread(target=create) for _ in range(3)]
        for thread in threads:
            thread.start()
        self.wait_until(lambda: (self.metric("keyhold_connections") or 0) >= 4, "the calls")
        time.sleep(0.02)
        self.assertEqual(self.end(signal.SIGTERM), 0)
        for thread in threads:
            thread.join()
        for answer in answers:
            # One that had not begun to arrive may be refused; none is left without an answer.
            self.assertIsInstance(answer, dict, answer)


if __name__ == "__main__":
    unittest.main()
