#!/usr/bin/env python3
"""The Debian package in a clean root: installed, used, replaced, removed."""

import hashlib
import json
import os
import re
import shutil
import signal
import ssl
import stat
import subprocess
import tempfile
import time
import unittest

import signing

CONFIG = "/etc/keyhold/keyhold.toml"
ACCESS_KEY = re.compile(r"aws_access_key_id = (\S+)\naws_secret_access_key = (\S+)\n")


class PackageTest(unittest.TestCase):
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

    def secure(self):
        """A certificate, and ports that are free."""
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
        text = text.replace("127.0.0.1:8790", "127.0.0.1:0").replace(
            "127.0.0.1:8791", "127.0.0.1:0"
        )
        text += '\n[tls]\ncertificate = "/etc/keyhold/certificate.pem"\n'
        text += 'private_key = "/etc/keyhold/private-key.pem"\n'
        with open(self.path(CONFIG), "w", encoding="utf-8") as file:
            file.write(text)

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
        context = ssl.create_default_context(cafile=self.path("/etc/keyhold/certificate.pem"))
        return signing.Client(
            f"https://127.0.0.1:{ready.group(1)}", self.access_key, self.secret, tls=context
        )

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
        said = self.inside("keyhold", "init", "--config", CONFIG)
        self.access_key, self.secret = ACCESS_KEY.search(said).groups()
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


if __name__ == "__main__":
    unittest.main()
