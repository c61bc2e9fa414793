#!/usr/bin/env python3
"""The Debian package in a clean root: installed, used, replaced, removed."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import tempfile
import time
import unittest
import urllib.request

import signing

CONFIG = "/etc/keyhold/keyhold.toml"
ACCESS_KEY = re.compile(r"aws_access_key_id = (\S+)\naws_secret_access_key = (\S+)\n")


class InCleanRoot(unittest.TestCase):
    """What the package is tried in: a copy of the clean root for each class."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="keyhold-package-", dir="/var/tmp")
        cls.root = os.path.join(cls.folder, "root")
        subprocess.run(["cp", "-a", os.environ["KEYHOLD_CLEAN_ROOT"], cls.root], check=True)
        shutil.copy(os.environ["KEYHOLD_DEB"], os.path.join(cls.root, "keyhold.deb"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def inside(self, *command, user="root:root", code=0):
        done = subprocess.run(
            ["chroot", f"--userspec={user}", self.root, *command],
            capture_output=True,
            text=True,
            check=False,
            env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND": "noninteractive",
                "LC_ALL": "C",
            },
        )
        self.assertEqual(done.returncode, code, done.stdout[-2000:] + done.stderr[-2000:])
        return done.stdout

    def path(self, inside):
        return os.path.join(self.root, inside.lstrip("/"))

    def dpkg(self, *arguments):
        return self.inside("dpkg", *arguments)

    def unit(self):
        with open(self.path("/lib/systemd/system/keyhold.service"), encoding="utf-8") as file:
            return dict(re.findall(r"(?m)^(\w+)=(.*)$", file.read()))

    def secure(self, port=0, admin_port=0):
        """A certificate, and these ports; 0: free ones."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + ["-nodes", "-days", "1", "-subj", "/CN=keyhold", "-addext"]
            + ["subjectAltName=IP:127.0.0.1", "-keyout", self.path("/etc/keyhold/private-key.pem")]
            + ["-out", self.path("/etc/keyhold/certificate.pem")],
            check=True,
            capture_output=True,
        )
        group = os.stat(self.path("/etc/keyhold")).st_gid
        os.chown(self.path("/etc/keyhold/private-key.pem"), 0, group)
        os.chmod(self.path("/etc/keyhold/private-key.pem"), 0o640)
        with open(self.path(CONFIG), encoding="utf-8") as file:
            text = file.read()
        text = text.replace("127.0.0.1:8790", f"127.0.0.1:{port}").replace(
            "127.0.0.1:8791", f"127.0.0.1:{admin_port}"
        )
        text += '\n[tls]\ncertificate = "/etc/keyhold/certificate.pem"\n'
        text += 'private_key = "/etc/keyhold/private-key.pem"\n'
        with open(self.path(CONFIG), "w", encoding="utf-8") as file:
            file.write(text)

    def client(self, port):
        context = ssl.create_default_context(cafile=self.path("/etc/keyhold/certificate.pem"))
        return signing.Client(
            f"https://127.0.0.1:{port}", self.access_key, self.secret, tls=context
        )

    def init(self):
        """What it said to whoever runs it."""
        said = self.inside("keyhold", "init", "--config", CONFIG)
        self.access_key, self.secret = ACCESS_KEY.search(said).groups()


class PackageTest(InCleanRoot):
    def start(self):
        """The unit's command line, as the unit's user."""
        unit = self.unit()
        self.log = os.path.join(self.folder, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["chroot", f"--userspec={unit['User']}:{unit['Group']}", self.root]
                + unit["ExecStart"].split(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        self.addCleanup(self.stop)
        deadline = time.monotonic() + 60
        while True:
            with open(self.log, encoding="utf-8") as log:
                text = log.read()
            ready = re.search(r"listening at 127\.0\.0\.1:(\d+) with TLS", text)
            if ready and "everything is loaded" in text:
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.fail(text)
            time.sleep(0.05)
        return self.client(ready.group(1))

    def stop(self):
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0)

    def state(self):
        """What is in the data folder, by path."""
        found = {}
        for folder, _, names in os.walk(self.path("/var/lib/keyhold")):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[path] = (os.stat(path).st_uid, hashlib.sha256(file.read()).hexdigest())
        return found

    def test_installed_used_replaced_and_removed(self):
        self.process = None
        self.dpkg("-i", "/keyhold.deb")
        # What is installed.
        self.assertIn("keyhold", self.inside("keyhold", "--help"))
        for file in (
            "/usr/share/man/man1/keyhold-serve.1.gz",
            "/usr/share/bash-completion/completions/keyhold",
            "/lib/sysusers.d/keyhold.conf",
            "/lib/tmpfiles.d/keyhold.conf",
            "/usr/share/keyhold/hsm-config/softhsm-2.6.toml",
            "/usr/share/keyhold/monitoring/keyhold-rules.yml",
            "/usr/share/keyhold/monitoring/keyhold-dashboard.json",
        ):
            self.assertTrue(os.path.exists(self.path(file)), file)
        with open(
            self.path("/usr/share/keyhold/monitoring/keyhold-dashboard.json"), encoding="utf-8"
        ) as file:
            json.load(file)
        folder = os.stat(self.path("/var/lib/keyhold"))
        self.assertEqual(stat.S_IMODE(folder.st_mode), 0o700)
        self.assertNotEqual(folder.st_uid, 0)
        self.inside("bash", "-n", "/usr/share/bash-completion/completions/keyhold")

        # Nothing is served that nobody has prepared.
        user = self.unit()["User"]
        self.inside("keyhold", "serve", "--config", CONFIG, user=user, code=2)
        self.secure()
        self.init()
        for path, (owner, _) in self.state().items():
            self.assertEqual(owner, folder.st_uid, path)

        client = self.start()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        sealed = client.encrypt(key, b"before all that")
        client.call("RotateKeyOnDemand", KeyId=key)
        # Root's commands go through the service.
        self.assertIn(key, self.inside("keyhold", "key", "inspect", key, "--config", CONFIG))
        client.close()
        self.stop()

        # Another version over it.
        self.dpkg("-i", "/keyhold.deb")
        client = self.start()
        self.assertEqual(client.decrypt(sealed), b"before all that")
        client.close()
        self.stop()

        before = self.state()
        self.assertGreater(len(before), 5)
        self.dpkg("--purge", "keyhold")
        self.assertFalse(os.path.exists(self.path("/usr/bin/keyhold")))
        self.assertFalse(os.path.exists(self.path(CONFIG)))
        self.assertEqual(self.state(), before)

        self.dpkg("-i", "/keyhold.deb")
        self.secure()
        client = self.start()
        self.assertEqual(client.decrypt(sealed), b"before all that")
        client.close()
        self.stop()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class UnderSystemd(InCleanRoot):
    """The unit as systemd runs it, in a container that shares the network."""

    BOOT = ("systemd-nspawn", "--boot", "--register=no", "--keep-unit", "--quiet")

    def setUp(self):
        if shutil.which(self.BOOT[0]) is None:
            self.skipTest("there is no systemd-nspawn")
        self.port, self.admin_port = free_port(), free_port()
        self.dpkg("-i", "/keyhold.deb")
        self.secure(self.port, self.admin_port)
        self.init()
        with open(os.path.join(self.folder, "console"), "wb") as console:
            self.container = subprocess.Popen(
                [*self.BOOT, "--directory", self.root],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        self.addCleanup(self.end)
        if not self.within(60, lambda: self.in_container("systemctl", "is-system-running").strip()
                           in ("running", "degraded")):
            self.skipTest("systemd does not boot in a container here")

    def end(self):
        self.container.send_signal(signal.SIGTERM)
        try:
            self.container.wait(30)
        except subprocess.TimeoutExpired:
            self.container.kill()
            self.container.wait()

    def within(self, seconds, holds):
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline or self.container.poll() is not None:
                return False
            time.sleep(0.1)
        return True

    def in_container(self, *command):
        """What it printed; nothing if it cannot be run."""
        own = self.container.pid
        with open(f"/proc/{own}/task/{own}/children", encoding="ascii") as children:
            first = children.read().split()
        if not first:
            return ""
        return subprocess.run(
            ["nsenter", "--target", first[0], "--mount", "--uts", "--ipc", "--net", "--pid"]
            + ["--cgroup", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        ).stdout

    def shown(self, *properties):
        """Properties of the unit."""
        text = self.in_container("systemctl", "show", "keyhold", f"--property={','.join(properties)}")
        found = dict(line.split("=", 1) for line in text.splitlines())
        return tuple(found.get(name, "") for name in properties)

    def is_ready(self):
        try:
            url = f"http://127.0.0.1:{self.admin_port}/readyz"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def expect_service(self, restarts):
        """It runs, was started again so often, and decrypts what was encrypted before."""
        runs = ("active", str(restarts))
        self.assertTrue(
            self.within(60, lambda: self.shown("ActiveState", "NRestarts") == runs
                        and self.is_ready()),
            self.in_container("journalctl", "--unit=keyhold", "--no-pager", "--lines=30"),
        )
        client = self.client(self.port)
        self.assertEqual(client.decrypt(self.sealed), b"before all that")
        client.close()

    def kill(self, name):
        (pid,) = self.shown("MainPID")
        self.in_container("systemctl", "kill", "--kill-who=main", f"--signal={name}", "keyhold")
        return pid

    def test_starts_reloads_and_restarts_it(self):
        # A shorter watchdog than the unit's, for an impatient test.
        drop_in = self.path("/etc/systemd/system/keyhold.service.d")
        os.makedirs(drop_in)
        with open(os.path.join(drop_in, "watchdog.conf"), "w", encoding="ascii") as file:
            file.write("[Service]\nWatchdogSec=4s\n")
        self.in_container("systemctl", "daemon-reload")
        self.in_container("systemctl", "enable", "--now", "keyhold")
        self.assertTrue(self.within(60, self.is_ready))
        client = self.client(self.port)
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        self.sealed = client.encrypt(key, b"before all that")
        client.call("RotateKeyOnDemand", KeyId=key)
        client.close()

        (before,) = self.shown("MainPID")
        self.in_container("systemctl", "reload", "keyhold")
        self.assertEqual(self.shown("MainPID"), (before,))
        self.expect_service(restarts=0)

        self.kill("KILL")
        self.expect_service(restarts=1)
        # One that does not answer its watchdog is ended and started again.
        stopped = self.kill("STOP")
        self.assertTrue(self.within(60, lambda: self.shown("MainPID") not in (("0",), (stopped,))))
        self.expect_service(restarts=2)

        self.in_container("systemctl", "stop", "keyhold")
        self.assertEqual(
            self.shown("ActiveState", "Result", "ExecMainStatus"), ("inactive", "success", "0")
        )

        # A PIN that is refused is not tried again.
        with open(self.path("/var/lib/keyhold/pin"), "r+", encoding="ascii") as file:
            pin = file.read()
            file.seek(0)
            file.write(pin[::-1] if pin[::-1] != pin else "0" * len(pin))
        self.in_container("systemctl", "start", "keyhold")
        failed = ("failed", "exit-code", "2")
        self.assertTrue(
            self.within(30, lambda: self.shown("ActiveState", "Result", "ExecMainStatus") == failed)
        )
        time.sleep(3)  # RestartSec is one
        self.assertEqual(self.shown("ActiveState", "NRestarts"), ("failed", "0"))
        with open(self.path("/var/lib/keyhold/pin"), "w", encoding="ascii") as file:
            file.write(pin)
        self.in_container("systemctl", "start", "keyhold")
        self.expect_service(restarts=0)

        level = self.in_container("systemd-analyze", "security", "keyhold", "--no-pager")
        self.assertRegex(level, r"exposure level for keyhold\.service: [01]\.\d OK")


if __name__ == "__main__":
    unittest.main()
