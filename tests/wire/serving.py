"""A service of `keyhold serve` on a folder of its own, and what its operator does with it."""

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
