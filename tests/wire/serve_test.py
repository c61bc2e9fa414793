#!/usr/bin/env python3
"""`keyhold serve`: a service from a configuration file, as its operator meets it."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

import service
import signing

ACCESS_KEY = re.compile(r"aws_access_key_id = (\S+)\naws_secret_access_key = (\S+)\n")


def toml(value):
    if isinstance(value, (bool, int)):
        return str(value).lower()
    return json.dumps(value)


class Supervisor:
    """The socket that systemd listens at."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.heard = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while True:
            try:
                text = self._socket.recv(4096).decode()
            except OSError:
                return
            self.heard.append((time.monotonic(), text))

    def count(self, text, since=0.0):
        return sum(1 for when, said in list(self.heard) if said == text and when >= since)

    def close(self):
        self._socket.close()


class ServeCase(unittest.TestCase):
    """A folder with a configuration file, and what `keyhold init` made of it."""

    WITH_TLS = False
    SETTINGS = {}

    def setUp(self):
        self.root = service.scratch_folder()
        self.addCleanup(shutil.rmtree, self.root, True)
        self.data = os.path.join(self.root, "data")
        self.token = os.path.join(self.root, "token")
        self.config = os.path.join(self.root, "keyhold.toml")
        self.log_file = os.path.join(self.root, "log")
        self.process = None
        self.environment = {}
        self.addCleanup(self.end)
        self.settings = {
            "data.folder": self.data,
            "listen.address": "127.0.0.1:0",
            "admin.listen": "127.0.0.1:0",
            "token.softhsm_folder": self.token,
            "token.pin_source": "file:" + os.path.join(self.data, "pin"),
            **self.SETTINGS,
        }
        if self.WITH_TLS:
            self.make_certificate("first")
            self.settings["tls.certificate"] = os.path.join(self.root, "certificate.pem")
            self.settings["tls.private_key"] = os.path.join(self.root, "private-key.pem")
        self.write_config()

    # What the operator does.

    def write_config(self, **settings):
        for name, value in settings.items():
            self.settings[name.replace("__", ".")] = value
        lines = [f"{name} = {toml(value)}\n" for name, value in self.settings.items()]
        with open(self.config, "w", encoding="utf-8") as file:
            file.writelines(lines)

    def make_certificate(self, name):
        key = os.path.join(self.root, "private-key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + ["-nodes", "-days", "1", "-subj", f"/CN={name}", "-keyout", key]
            + ["-addext", "subjectAltName=IP:127.0.0.1"]
            + ["-out", os.path.join(self.root, "certificate.pem")],
            check=True,
            capture_output=True,
        )
        os.chmod(key, 0o600)

    def keyhold(self, *arguments, code=0):
        done = subprocess.run(
            [service.binary(), *arguments], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def init(self):
        said = self.keyhold("init", "--config", self.config).stdout
        found = ACCESS_KEY.search(said)
        self.assertIsNotNone(found, said)
        self.access_key, self.secret = found.groups()
        return said

    def launch(self):
        environment = {**os.environ, **self.environment}
        self.log_start = os.path.getsize(self.log_file) if os.path.exists(self.log_file) else 0
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [service.binary(), "serve", "--config", self.config],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
            )

    def lines(self):
        """The log of this start, an object a line."""
        with open(self.log_file, encoding="utf-8") as log:
            log.seek(self.log_start)
            return [json.loads(line) for line in log if line.endswith("\n")]

    def wait_for_line(self, pattern):
        def found():
            for line in self.lines():
                match = re.search(pattern, line["message"])
                if match:
                    return match
            return None

        return self.wait_until(found, f"a line like {pattern}")

    def wait_until(self, condition, what, patience=service.START_TIMEOUT):
        deadline = time.monotonic() + patience
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > deadline:
                self.fail(f"waited in vain for {what}")
            if self.process is not None and self.process.poll() is not None:
                self.fail(f"the service ended, waiting for {what}: {self.lines()[-3:]}")
            time.sleep(0.01)

    def start(self, ready=True):
        self.launch()
        self.port = int(self.wait_for_line(r"^listening at .*:(\d+) with").group(1))
        self.admin_port = int(self.wait_for_line(r"^admin address is .*:(\d+)").group(1))
        if ready:
            self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")

    def end(self, number=signal.SIGTERM, patience=60):
        if self.process is None:
            return None
        process, self.process = self.process, None
        process.send_signal(number)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    # What is asked of it.

    def page(self, path, port=None, method="GET"):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.admin_port, timeout=30)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def tls(self):
        if not self.WITH_TLS:
            return None
        return ssl.create_default_context(cafile=os.path.join(self.root, "certificate.pem"))

    def client(self, access_key=None, secret=None):
        scheme = "https" if self.WITH_TLS else "http"
        client = signing.Client(
            f"{scheme}://127.0.0.1:{self.port}",
            access_key or self.access_key,
            secret or self.secret,
            tls=self.tls(),
        )
        self.addCleanup(client.close)
        return client

    def metric(self, name, **labels):
        """The value of a sample; None if there is none."""
        text = self.page("/metrics")[1]
        for line in text.splitlines():
            match = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if not match or match.group(1) != name:
                continue
            found = dict(re.findall(r'(\w+)="([^"]*)"', match.group(2) or ""))
            if all(found.get(key) == value for key, value in labels.items()):
                return float(match.group(3))
        return None

    def assert_fails(self, code, call):
        with self.assertRaises(signing.KmsError) as caught:
            call()
        self.assertEqual(caught.exception.code, code)


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

    def test_regions_that_are_not_named_do_not_answer(self):
        self.write_config(regions=["eu-central-1"])
        self.init()
        self.start()
        client = self.client()
        self.assertEqual(client.post("ListKeys", b"{}", region="eu-central-1").status, 200)
        self.assertNotEqual(client.post("ListKeys", b"{}", region="us-east-1").status, 200)

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
        self.assertEqual(self.metric("keyhold_rotations_total", type="ON_DEMAND"), 1)
        self.assertEqual(self.metric("keyhold_keys", state="Enabled"), 1)

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


class TokenTest(ServeCase):
    SETTINGS = {
        "profile.recovery.backoff_first": "20ms",
        "profile.recovery.backoff_last": "100ms",
    }

    def use_faults(self):
        """The fault module before SoftHSM, once the token is made."""
        self.script = os.path.join(self.root, "faults")
        self.settings["token.module"] = service.fault_module()
        self.environment = {
            "KEYHOLD_FAULT_MODULE": service.softhsm_module(),
            "KEYHOLD_FAULT_SCRIPT": self.script,
        }

    def faults(self, text):
        if not text:
            os.unlink(self.script)
            return
        with open(self.script + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.script + ".new", self.script)

    def test_that_is_absent_at_the_start_is_waited_for(self):
        self.init()
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        sealed = client.encrypt(key, b"text")
        self.end()
        os.rename(self.token, self.token + ".away")
        self.start(ready=False)
        self.assertEqual(self.page("/livez")[0], 200)
        self.assertEqual(self.page("/readyz")[0], 503)
        self.assertEqual(self.metric("keyhold_ready"), 0)
        client = self.client()
        self.assert_fails("KeyUnavailableException", lambda: client.decrypt(sealed))
        os.rename(self.token + ".away", self.token)
        self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")
        self.assertEqual(client.decrypt(sealed), b"text")

    def test_that_fails_makes_the_service_not_ready_until_it_is_back(self):
        self.init()
        self.use_faults()
        self.write_config()
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        self.faults("* * CKR_DEVICE_ERROR\n")
        self.assertEqual(self.page("/readyz")[0], 503)
        self.assert_fails("KeyUnavailableException", lambda: client.encrypt(key, b"x"))
        self.assertEqual(self.metric("keyhold_token_breaker_state", state="closed"), 0)
        self.assertGreater(
            self.metric("keyhold_calls_total", operation="Encrypt", error="KeyUnavailableException"),
            0,
        )
        self.faults("")
        self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")
        client.encrypt(key, b"x")
        self.assertGreaterEqual(self.metric("keyhold_token_recoveries_total"), 1)
        self.assertGreater(
            self.metric("keyhold_token_calls_total", result="CKR_DEVICE_ERROR"), 0
        )

    def test_that_hangs_for_good_is_left_to_the_watchdog(self):
        supervisor = Supervisor(self.root)
        self.addCleanup(supervisor.close)
        self.init()
        self.use_faults()
        self.settings["profile.sessions.call_timeout"] = "500ms"
        self.settings["profile.recovery.restart_after_hang"] = "1s"
        self.write_config()
        self.environment["NOTIFY_SOCKET"] = supervisor.path
        self.environment["WATCHDOG_USEC"] = "400000"
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        sealed = client.encrypt(key, b"text")
        self.assertEqual(supervisor.count("READY=1"), 1)
        self.wait_until(lambda: supervisor.count("WATCHDOG=1") >= 3, "the watchdog's answers")

        self.faults("C_Encrypt * delay:3600000\n")
        hung = threading.Thread(target=self.call_in_vain, args=(key,), daemon=True)
        hung.start()
        self.wait_until(
            lambda: any("stuck" in said for _, said in list(supervisor.heard)), "a stuck token"
        )
        time.sleep(0.5)
        since = time.monotonic()
        time.sleep(2)
        self.assertEqual(supervisor.count("WATCHDOG=1", since), 0)
        status, text = self.page("/readyz")
        self.assertEqual(status, 503, text)
        self.assert_fails("KeyUnavailableException", lambda: self.client().decrypt(sealed))

        self.end(signal.SIGABRT)  # as systemd's watchdog does
        self.faults("")
        self.start()
        self.assertEqual(self.client().decrypt(sealed), b"text")

    def call_in_vain(self, key):
        try:
            self.client().encrypt(key, b"x")
        except (OSError, http.client.HTTPException, signing.KmsError):
            pass

    def test_whose_module_keeps_too_much_memory_has_the_process_restarted(self):
        supervisor = Supervisor(self.root)
        self.addCleanup(supervisor.close)
        self.init()
        self.settings["profile.message_keys.session_object_limit"] = 1
        self.write_config()
        self.start()  # nobody would start it again, so it stays
        self.client().call("CreateKey")
        self.assertEqual(self.metric("keyhold_token_restart_due"), 1)
        self.assertEqual(self.end(), 0)
        self.environment["NOTIFY_SOCKET"] = supervisor.path
        self.launch()
        self.assertEqual(self.process.wait(60), 75)
        self.process = None
        self.assertEqual(supervisor.count("STOPPING=1"), 1)

    def test_that_hangs_does_not_keep_a_service_from_ending(self):
        self.init()
        self.use_faults()
        self.write_config(drain__deadline="1s")
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        self.faults("C_Encrypt * delay:3600000\n")
        hung = threading.Thread(target=self.call_in_vain, args=(key,), daemon=True)
        hung.start()
        time.sleep(1)
        self.assertEqual(self.end(signal.SIGTERM), 1)
        # What was answered is on record.
        with open(os.path.join(self.data, "audit", "events.jsonl"), encoding="utf-8") as file:
            names = [json.loads(line)["eventName"] for line in file.read().split("\n") if line]
        self.assertIn("CreateKey", names)


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
