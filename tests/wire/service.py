"""Starts, stops and kills a Keyhold service for tests.

KEYHOLD_BINARY names the program. Everything it writes lies in a folder of its own on tmpfs, which
goes with the object: a token key costs a hundred times as much on a disk.
"""

import configparser
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import signing

# KEYHOLD_SLOW says that the program is built with sanitizers, which take their time and keep freed
# memory: nothing is to be measured.
IS_SLOW = bool(os.environ.get("KEYHOLD_SLOW"))
# Sanitizers slow a start down by more than ten times.
START_TIMEOUT = 120
READY = "keyhold: ready"


def binary():
    path = os.environ.get("KEYHOLD_BINARY")
    if not path:
        raise RuntimeError("KEYHOLD_BINARY does not name the program to test")
    return os.path.abspath(path)


def fault_module():
    """The fault module of the same build."""
    path = os.environ.get("KEYHOLD_FAULT_LIBRARY")
    if not path:
        build = pathlib.Path(binary()).parents[2]
        path = build / "pkcs11" / "fault" / "libkeyhold-fault.so"
    return str(path)


def scratch_folder():
    return tempfile.mkdtemp(prefix="keyhold-wire-", dir="/dev/shm")


def softhsm_module():
    candidates = [
        "/usr/lib/softhsm/libsofthsm2.so",
        *glob.glob("/usr/lib/*/softhsm/libsofthsm2.so"),
    ]
    return next(path for path in candidates if os.path.exists(path))


class StartFailed(Exception):
    """The service ended before it was ready."""

    def __init__(self, code, stderr):
        self.code = code
        self.stderr = stderr
        super().__init__(f"the service ended with {code}: {stderr}")


class Service:
    """A service on a data folder, which outlives stops, kills and starts."""

    def __init__(self, settings=(), environment=None):
        self.root = scratch_folder()
        self.data = os.path.join(self.root, "data")
        self.settings = dict(settings)
        self.environment = dict(environment or {})
        self.process = None
        self.endpoint = None
        self.output = ""
        self._starts = 0

    # Life.

    def arguments(self):
        arguments = [binary(), "dev", "--data", self.data, "--listen", "127.0.0.1:0"]
        for name, value in self.settings.items():
            arguments += ["--set", f"{name}={value}"]
        return arguments

    def launch(self):
        """Starts the process and does not wait for it to be ready."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_")
        }
        environment.update(self.environment)
        self._starts += 1
        self._out = os.path.join(self.root, f"out.{self._starts}")
        self._err = os.path.join(self.root, "err")
        with open(self._out, "wb") as out, open(self._err, "ab") as err:
            self.process = subprocess.Popen(
                self.arguments(), stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment
            )

    def start(self, **settings):
        """Starts the service (settings with `__` for the dot) and waits until it is ready."""
        for name, value in settings.items():
            self.settings[name.replace("__", ".")] = value
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            with open(self._out, encoding="utf-8") as out:
                self.output = out.read()
            ready = [
                line
                for line in self.output.splitlines(keepends=True)
                if line.startswith(READY) and line.endswith("\n")
            ]
            if ready:
                break
            if self.process.poll() is not None:
                code, self.process = self.process.returncode, None
                raise StartFailed(code, self.log()[-2000:])
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError("the service did not become ready:\n" + self.log()[-2000:])
            time.sleep(0.005)
        self.endpoint = re.search(r"https?://[^\s/]+:\d+", ready[0]).group(0)
        return self

    def stop(self):
        """Ends the service as its operator would; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self):
        return self._end(signal.SIGKILL)

    def _end(self, number):
        if self.process is None:
            return None
        self.process.send_signal(number)
        try:
            code = self.process.wait(START_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.process = None
        return code

    def restart(self, **settings):
        self.stop()
        return self.start(**settings)

    def close(self):
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    # What it says and keeps.

    def log(self):
        with open(self._err, encoding="utf-8", errors="replace") as err:
            return err.read()

    def credentials(self):
        if "AWS_ACCESS_KEY_ID" in self.environment:
            return (
                self.environment["AWS_ACCESS_KEY_ID"],
                self.environment["AWS_SECRET_ACCESS_KEY"],
            )
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(os.path.join(self.data, "credentials"))
        profile = parser["default"]
        return profile["aws_access_key_id"], profile["aws_secret_access_key"]

    def client(self, region="us-east-1", **options):
        access_key, secret = self.credentials()
        return signing.Client(self.endpoint, access_key, secret, region, **options)

    def memory(self):
        """The resident memory of the process in KiB, what it shares with others excluded."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^RssAnon:\s+(\d+) kB", status.read(), re.MULTILINE).group(1))

    def token_objects(self):
        """How many objects lie in the SoftHSM token of the data folder."""
        return len(
            [
                name
                for name in glob.glob(self.data + "/**/*.object", recursive=True)
                if os.path.basename(name) != "token.object"
            ]
        )

    def run(self, *arguments):
        """Runs a command of the program on the data folder."""
        return subprocess.run(
            [binary(), *arguments, "--data", self.data],
            capture_output=True,
            text=True,
            timeout=START_TIMEOUT,
            check=False,
        )

    def inspect(self, key_id):
        done = self.run("key", "inspect", key_id, "--json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def reconcile(self):
        done = self.run("reconcile", "--json")
        if done.returncode != 0:
            raise RuntimeError(f"reconcile failed: {done.stderr}")
        return json.loads(done.stdout)


class FaultyService(Service):
    """A service whose token stands behind the fault module."""

    def __init__(self, settings=()):
        super().__init__(settings)
        self.script = os.path.join(self.root, "script")
        self.trace = os.path.join(self.root, "trace")
        self.settings["token.module"] = fault_module()
        self.environment.update(
            {
                "KEYHOLD_FAULT_MODULE": softhsm_module(),
                "KEYHOLD_FAULT_SCRIPT": self.script,
                "KEYHOLD_FAULT_TRACE": self.trace,
            }
        )

    def fault(self, *lines):
        """Lets the token obey these lines from its next call on; none: no faults."""
        draft = self.script + ".new"
        with open(draft, "w", encoding="ascii") as script:
            script.write("".join(line + "\n" for line in lines))
        os.rename(draft, self.script)

    def calls(self, function):
        """How many calls of a Cryptoki function the token has seen."""
        with open(self.trace, encoding="ascii") as trace:
            return sum(line.startswith(function + " ") for line in trace)


class ServiceCase(unittest.TestCase):
    """A test case with a service of its own class, started before its first test."""

    settings = {}
    service_class = Service

    @classmethod
    def setUpClass(cls):
        cls.service = cls.service_class(cls.settings)
        cls.addClassCleanup(cls.service.close)
        cls.service.start()

    def setUp(self):
        self.kms = self.service.client()
        self.addCleanup(lambda: self.kms.close())

    def restart(self, **settings):
        self.kms.close()
        self.service.restart(**settings)
        self.kms = self.service.client()

    def new_key(self, **members):
        return self.kms.call("CreateKey", **members)["KeyMetadata"]

    def rotations(self, key, **members):
        return list(self.kms.pages("ListKeyRotations", "Rotations", KeyId=key, **members))

    def wait_for_rotations(self, key, count, timeout=60):
        """Waits until the key has had that many rotations, and answers them."""
        deadline = time.monotonic() + timeout
        while True:
            rotations = self.rotations(key)
            if len(rotations) >= count or time.monotonic() > deadline:
                self.assertEqual(len(rotations), count)
                return rotations
            time.sleep(0.02)

    def refused(self, code, operation, /, **members):
        """Asserts that the operation is refused with that error, and answers its text."""
        with self.assertRaises(signing.KmsError) as caught:
            self.kms.call(operation, **members)
        self.assertEqual(caught.exception.code, code, caught.exception.message)
        fault = code in (
            "KMSInternalException",
            "DependencyTimeoutException",
            "KeyUnavailableException",
        )
        self.assertEqual(caught.exception.status, 500 if fault else 400)
        return caught.exception.message
