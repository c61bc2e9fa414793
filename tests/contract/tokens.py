"""Software tokens of Debian 12, and of crates, each made anew in a folder of its own.

A token is a class: `packages` are what it needs, `prepare()` makes it and `run()` starts a command
that reaches it. What has to run beside it ends with the command.
"""

import glob
import os
import pathlib
import shutil
import subprocess

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build"
LABEL = "keyhold"
PIN = "01234567"


def library(*patterns):
    """The first file of these that there is."""
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            return path
    return None


def write_secret(path, text):
    """A file that nobody else reads."""
    with open(path, "w", encoding="utf-8", opener=lambda *open_: os.open(*open_, 0o600)) as file:
        file.write(text)


class Token:
    """Something that `keyhold token check` can be asked about."""

    name = ""
    programs = ()  # that it cannot be made without
    modules = ()  # patterns of its module's path
    pin = PIN
    label = LABEL
    place = "/dev/shm"  # of its folder

    def __init__(self, folder):
        self.folder = folder
        self.pin_file = os.path.join(folder, "pin")
        write_secret(self.pin_file, self.pin)

    @classmethod
    def missing(cls):
        """Why it cannot be had here; empty if it can."""
        if library(*cls.modules) is None:
            return f"there is no {cls.modules[0]}"
        for program in cls.programs:
            if shutil.which(program) is None:
                return f"there is no {program}"
        return ""

    def module(self):
        return library(*self.modules)

    def prepare(self):
        pass

    def settings(self):
        """Of the profile, beside the module's path."""
        return []

    def wrapped(self, command):
        """The command, with what has to be around it."""
        return command

    def run(self, command):
        return subprocess.run(
            self.wrapped(command), capture_output=True, text=True, timeout=300, check=False
        )

    def show(self, command):
        """Runs it for whoever is watching; its exit code."""
        return subprocess.run(self.wrapped(command), check=False).returncode


class SoftHsm(Token):
    name = "softhsm-2.6"
    programs = ("softhsm2-util",)
    modules = ("/usr/lib/softhsm/libsofthsm2.so",)

    def prepare(self):
        tokens = os.path.join(self.folder, "tokens")
        os.mkdir(tokens)
        self.configuration = os.path.join(self.folder, "softhsm2.conf")
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", LABEL]
            + ["--so-pin", "87654321", "--pin", PIN],
            env={**os.environ, "SOFTHSM2_CONF": self.configuration},
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def settings(self):
        return [
            f"module.env.SOFTHSM2_CONF={self.configuration}",
            f'storage.sync_folders=["{self.folder}/tokens"]',
        ]


class Nss(Token):
    name = "nss-3.87"
    programs = ("certutil",)
    modules = ("/usr/lib/*/libsoftokn3.so",)
    label = "NSS Certificate DB"

    def prepare(self):
        subprocess.run(
            ["certutil", "-N", "-d", f"sql:{self.folder}", "-f", self.pin_file], check=True
        )

    def settings(self):
        return [
            f"module.init_reserved=configdir='sql:{self.folder}' certPrefix='' keyPrefix='' "
            "secmod='secmod.db' flags="
        ]


# Its state is the machine's, so it runs where the machine's folders are empty ones of its own.
OPENCRYPTOKI = """
set -e
for folder in /var/lib/opencryptoki /run/lock/opencryptoki /run/opencryptoki /dev/shm; do
  mkdir -p $folder
  mount -t tmpfs none $folder
done
mkdir -p /var/lib/opencryptoki/swtok/TOK_OBJ /run/lock/opencryptoki/swtok
for folder in /var/lib/opencryptoki /run/lock/opencryptoki /run/opencryptoki; do
  chown -R root:pkcs11 $folder
  chmod -R 770 $folder
done
{
  pkcsslotd
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    pkcsconf -t -c 3 && break
    sleep 0.2
  done
  echo keyhold | pkcsconf -c 3 -I -S 87654321
  pkcsconf -c 3 -P -S 87654321 -n 76543210
  pkcsconf -c 3 -u -S 76543210 -n 12345670
  pkcsconf -c 3 -p -U 12345670 -n 01234567
} >/dev/null
exec "$@"
"""


class OpenCryptoki(Token):
    name = "opencryptoki-3.8-soft"
    programs = ("pkcsslotd", "pkcsconf", "unshare")
    modules = ("/usr/lib/*/opencryptoki/libopencryptoki.so.0",)
    place = "/tmp"  # /dev/shm is one of those folders
    namespaces = ("unshare", "--mount", "--ipc", "--pid", "--fork", "--mount-proc")

    @classmethod
    def missing(cls):
        if (reason := super().missing()) != "":
            return reason
        tried = subprocess.run([*cls.namespaces, "true"], capture_output=True, check=False)
        return "" if tried.returncode == 0 else "its namespaces are for root"

    def wrapped(self, command):
        return [*self.namespaces, "bash", "-c", OPENCRYPTOKI, "bash", *command]


TPM = """
set -e
folder=$1
shift
rm -rf "$folder/state" "$folder/store"
mkdir "$folder/state" "$folder/store"
port=$((20000 + $$ % 10000 * 2))
swtpm socket --tpm2 --tpmstate dir="$folder/state" --flags not-need-init,startup-clear --daemon \\
  --pid file="$folder/swtpm.pid" \\
  --ctrl type=tcp,port=$((port + 1)),bindaddr=127.0.0.1 --server type=tcp,port=$port,bindaddr=127.0.0.1
trap 'kill $(cat "$folder/swtpm.pid")' EXIT
export TPM2_PKCS11_STORE="$folder/store" PORT=$port
dbus-run-session -- bash -c '
  tpm2-abrmd --allow-root --session --tcti=swtpm:host=127.0.0.1,port=$PORT >/dev/null 2>&1 &
  broker=$!
  trap "kill $broker" EXIT
  export TPM2TOOLS_TCTI=tabrmd:bus_type=session TPM2_PKCS11_TCTI=tabrmd:bus_type=session
  for attempt in $(seq 50); do
    tpm2_ptool init --path "$TPM2_PKCS11_STORE" >/dev/null 2>&1 && break
    sleep 0.2
  done
  tpm2_ptool addtoken --pid=1 --sopin=87654321 --userpin=01234567 --label=keyhold \\
    --path "$TPM2_PKCS11_STORE" >/dev/null 2>&1
  "$@"' bash "$@"
"""


class Tpm(Token):
    name = "tpm2-pkcs11-1.9"
    programs = ("swtpm", "tpm2-abrmd", "tpm2_ptool", "dbus-run-session")
    modules = ("/usr/lib/*/libtpm2_pkcs11.so.1",)

    def wrapped(self, command):
        return ["bash", "-c", TPM, "bash", self.folder, *command]


# A program of its own, so that the module is not loaded into this one.
INITIALIZE = """
import sys
import PyKCS11
module, label, so_pin, pin = sys.argv[1:]
library = PyKCS11.PyKCS11Lib()
library.load(module)
(slot,) = library.getSlotList()
library.initToken(slot, so_pin, label.ljust(32))
session = library.openSession(slot, PyKCS11.CKF_SERIAL_SESSION | PyKCS11.CKF_RW_SESSION)
session.login(so_pin, PyKCS11.CKU_SO)
session.initPin(pin)
"""


class Kryoptic(Token):
    """What tests/contract/kryoptic/build made."""

    name = "kryoptic-1.5"
    modules = (str(BUILD / "kryoptic" / "libkryoptic_pkcs11.so"),)

    def prepare(self):
        self.configuration = os.path.join(self.folder, "kryoptic.conf")
        with open(self.configuration, "w", encoding="utf-8") as file:
            file.write('[ec_point_encoding]\nencoding = "Der"\n')
            file.write(f'[[slots]]\nslot = 1\ndbtype = "sqlite"\ndbargs = "{self.folder}/token.sql"\n')
        subprocess.run(
            ["/usr/bin/python3", "-c", INITIALIZE, self.module(), LABEL, "87654321", PIN],
            env={**os.environ, "KRYOPTIC_CONF": self.configuration},
            check=True,
        )

    def settings(self):
        return [
            f"module.path={self.module()}",  # which is where it was made
            f"module.env.KRYOPTIC_CONF={self.configuration}",
        ]


ALL = (SoftHsm, Nss, OpenCryptoki, Tpm, Kryoptic)
