#!/usr/bin/env python3
"""Kills the service at random moments under mixed load and looks after each start whether
everything that it had acknowledged is there, and nothing half.

A client counts a change as acknowledged when its answer was read whole. A change whose answer never
came may have happened or not; both are right, but nothing in between. What is compared after each
start: every acknowledged key and description, every rotation, alias, deletion date, disabled state
and ciphertext. With wrapped custody an operator rotates the wrapping key meanwhile, time and again.

    random_kills.py [--custody resident|wrapped] [--kills N] [--seed N] [--threads N]

with KEYHOLD_BINARY in the environment.
"""

import argparse
import http.client
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "wire"))

import service  # noqa: E402
import signing  # noqa: E402

NO_ANSWER = (OSError, http.client.HTTPException)
# Ciphertexts kept of a key; older ones give way, so that a check stays quick.
CIPHERTEXTS = 6
KEYS_PER_WORKER = 4
MAX_ROTATIONS = 25  # rotation.rules = 2025


class Unknown:
    """Stands for a value whose last change got no answer: the old one or the new one."""

    def __init__(self, *possible):
        self.possible = list(possible)


def possible(value):
    return value.possible if isinstance(value, Unknown) else [value]


class Key:
    """What the client knows of a key for certain, and what it does not."""

    def __init__(self, metadata):
        self.id = metadata["KeyId"]
        self.arn = metadata["Arn"]
        self.first_material = metadata["CurrentKeyMaterialId"]
        self.description = metadata["Description"]
        self.state = "Enabled"
        self.deletion_date = None
        self.rotations = 0
        self.rotations_unknown = 0  # asked for, without an answer
        self.rows = []  # as ListKeyRotations last told them
        self.aliases = {}  # name → True, or Unknown(True, False)
        self.ciphertexts = []  # (plaintext, ciphertext)


class Worker:
    """One caller with keys of its own, so that what it knows is not changed by others."""

    def __init__(self, number, seed):
        self.number = number
        self.random = random.Random(f"{seed}/{number}")
        self.keys = []
        self.creations_unknown = 0
        self.acknowledged = 0
        self.complaint = None

    def run(self, client, stop):
        try:
            while not stop.is_set():
                self.step(client)
                self.acknowledged += 1
        except NO_ANSWER:
            pass  # the kill
        except Exception as error:  # pylint: disable=broad-except
            self.complaint = f"worker {self.number}: {error!r}"
        finally:
            client.close()

    def step(self, client):
        if not self.keys or (len(self.keys) < KEYS_PER_WORKER and self.random.random() < 0.15):
            self.create(client)
            return
        key = self.random.choice(self.keys)
        action = self.random.choices(
            (self.encrypt, self.rotate, self.alias, self.describe, self.deletion, self.disable),
            (8, 3, 2, 2, 1, 1),
        )[0]
        action(client, key)

    def create(self, client):
        description = f"of worker {self.number}: {self.random.random()}"
        self.creations_unknown += 1
        metadata = client.call("CreateKey", Description=description)["KeyMetadata"]
        self.creations_unknown -= 1
        self.keys.append(Key(metadata))

    def encrypt(self, client, key):
        if key.state != "Enabled":
            return
        plaintext = self.random.randbytes(self.random.randint(1, 200))
        key.ciphertexts.append((plaintext, client.encrypt(key.id, plaintext)))
        if len(key.ciphertexts) > CIPHERTEXTS:
            key.ciphertexts.pop(self.random.randrange(CIPHERTEXTS))

    def rotate(self, client, key):
        if key.state != "Enabled" or key.rotations == MAX_ROTATIONS:
            return
        key.rotations_unknown += 1
        client.call("RotateKeyOnDemand", KeyId=key.id)
        key.rotations_unknown -= 1
        key.rotations += 1

    def alias(self, client, key):
        if key.state == "PendingDeletion":
            return
        taken = [name for name, there in key.aliases.items() if there is True]
        if taken and self.random.random() < 0.4:
            name = self.random.choice(taken)
            key.aliases[name] = Unknown(True, False)
            client.call("DeleteAlias", AliasName=name)
            del key.aliases[name]
            return
        if len(taken) >= 20:
            return
        name = f"alias/{self.number}/{self.random.getrandbits(64):x}"
        key.aliases[name] = Unknown(True, False)
        client.call("CreateAlias", AliasName=name, TargetKeyId=key.id)
        key.aliases[name] = True

    def describe(self, client, key):
        if key.state == "PendingDeletion":
            return
        new = f"described {self.random.random()}"
        key.description = Unknown(*possible(key.description), new)
        client.call("UpdateKeyDescription", KeyId=key.id, Description=new)
        key.description = new

    def deletion(self, client, key):
        if key.state == "PendingDeletion":
            key.state = Unknown("PendingDeletion", "Disabled")
            client.call("CancelKeyDeletion", KeyId=key.id)
            key.state, key.deletion_date = "Disabled", None
            key.state = Unknown("Disabled", "Enabled")
            client.call("EnableKey", KeyId=key.id)
            key.state = "Enabled"
        elif key.state in ("Enabled", "Disabled"):
            key.state = Unknown(key.state, "PendingDeletion")
            answer = client.call(
                "ScheduleKeyDeletion", KeyId=key.id, PendingWindowInDays=self.random.randint(7, 30)
            )
            key.state, key.deletion_date = "PendingDeletion", answer["DeletionDate"]

    def disable(self, client, key):
        if key.state == "Enabled":
            key.state = Unknown("Enabled", "Disabled")
            client.call("DisableKey", KeyId=key.id)
            key.state = "Disabled"
        elif key.state == "Disabled":
            key.state = Unknown("Enabled", "Disabled")
            client.call("EnableKey", KeyId=key.id)
            key.state = "Enabled"


class Operator:
    """Rotates the wrapping key while callers are at work. Nothing of it needs to be acknowledged: a
    rotation that a kill interrupted is finished after the start."""

    def __init__(self, keyhold, seed):
        self.keyhold = keyhold
        self.random = random.Random(f"{seed}/operator")
        self.command = None
        self.rotated = 0
        self.interrupted = 0

    def begin(self, longest):
        time.sleep(self.random.uniform(0, longest))
        self.command = subprocess.Popen(
            [service.binary(), "wrapping-key", "rotate", "--data", self.keyhold.data],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self):
        """After the kill."""
        _, complaint = self.command.communicate(timeout=service.START_TIMEOUT)
        # Until a key has been made there is nothing to rotate.
        if self.command.returncode == 0:
            self.rotated += 1
        elif "no key material is of wrapped custody" not in complaint:
            self.interrupted += 1

    def check(self, client, key, finished_by):
        """One wrapping key holds all, and `key` is held by it."""
        while True:
            done = self.keyhold.run("wrapping-key", "list", "--json")
            expect(done.returncode == 0, "the wrapping keys are not listed:", done.stderr)
            wrapping_keys = json.loads(done.stdout)["wrappingKeys"]
            if len(wrapping_keys) == 1:
                break
            expect(time.monotonic() < finished_by, "the wrapping key rotates without end")
            time.sleep(0.02)
        shown = self.keyhold.inspect(key.id)
        kept = [(material["custody"], material["checkValue"]) for material in shown["materials"]]
        expect(set(kept) == {("wrapped", "matches")}, key.id, "is kept", kept)
        for plaintext, ciphertext in key.ciphertexts:
            expect(client.decrypt(ciphertext) == plaintext, key.id, "does not decrypt rewrapped")


class Wrong(Exception):
    """Something acknowledged is not there, or something is half there."""


def expect(truth, *what):
    if not truth:
        raise Wrong(" ".join(str(part) for part in what))


def check_rotations(client, key, finished_by):
    """The rotations of a key: all acknowledged ones, none that nobody asked for, none half."""
    while True:
        rows = list(
            client.pages(
                "ListKeyRotations", "Rotations", KeyId=key.id, IncludeKeyMaterial="ALL_KEY_MATERIAL"
            )
        )
        status = client.call("GetKeyRotationStatus", KeyId=key.id)
        # The start takes up an interrupted rotation in the background.
        if "OnDemandRotationStartDate" not in status:
            break
        expect(time.monotonic() < finished_by, key.id, "rotates without end")
        time.sleep(0.02)
    rotated = [row for row in rows if "RotationType" in row]
    expect(
        len(rows) == len(rotated) + 1 and "RotationType" not in rows[0],
        key.id,
        "does not list its first material once:",
        rows,
    )
    expect(rows[0]["KeyMaterialId"] == key.first_material, key.id, "lost its first material")
    expect(
        key.rotations <= len(rotated) <= key.rotations + key.rotations_unknown,
        key.id,
        "has",
        len(rotated),
        "rotations, of which",
        key.rotations,
        "are acknowledged and",
        key.rotations_unknown,
        "are not known of",
    )
    states = [row["KeyMaterialState"] for row in rows]
    expect(states == ["NON_CURRENT"] * (len(rows) - 1) + ["CURRENT"], key.id, "has", states)
    known = [(row["KeyMaterialId"], row.get("RotationDate")) for row in key.rows]
    told = [(row["KeyMaterialId"], row.get("RotationDate")) for row in rows]
    expect(told[: len(known)] == known, key.id, "told other rotations before:", known, told)
    key.rows = rows
    key.rotations, key.rotations_unknown = len(rotated), 0
    return rows


def check_key(client, key, finished_by):
    metadata = client.call("DescribeKey", KeyId=key.id)["KeyMetadata"]
    expect(
        metadata["Description"] in possible(key.description),
        key.id,
        "is described as",
        metadata["Description"],
        "instead of",
        possible(key.description),
    )
    expect(
        metadata["KeyState"] in possible(key.state),
        key.id,
        "is",
        metadata["KeyState"],
        "instead of",
        possible(key.state),
    )
    if key.state == "PendingDeletion":
        expect(metadata["DeletionDate"] == key.deletion_date, key.id, "has another deletion date")
    expect(metadata["Enabled"] == (metadata["KeyState"] == "Enabled"), key.id, "is half enabled")
    expect(
        ("DeletionDate" in metadata) == (metadata["KeyState"] == "PendingDeletion"),
        key.id,
        "has half a deletion date",
    )
    key.description, key.state = metadata["Description"], metadata["KeyState"]
    key.deletion_date = metadata.get("DeletionDate")

    aliases = {entry["AliasName"] for entry in client.pages("ListAliases", "Aliases", KeyId=key.id)}
    for name, there in key.aliases.items():
        expect((name in aliases) in possible(there), key.id, "and", name, "do not belong together")
    expect(aliases <= set(key.aliases), key.id, "has the aliases", aliases - set(key.aliases))
    key.aliases = {name: True for name in aliases}

    # Everything encrypted so far decrypts; a key that may not now is enabled for the occasion.
    if key.state == "PendingDeletion":
        client.call("CancelKeyDeletion", KeyId=key.id)
        key.state, key.deletion_date = "Disabled", None
    if key.state == "Disabled":
        client.call("EnableKey", KeyId=key.id)
        key.state = "Enabled"
    rows = check_rotations(client, key, finished_by)
    for plaintext, ciphertext in key.ciphertexts:
        expect(client.decrypt(ciphertext) == plaintext, key.id, "does not decrypt")
    answer = client.call("Decrypt", CiphertextBlob=signing.blob(client.encrypt(key.id, b"whole")))
    expect(
        answer["KeyMaterialId"] == rows[-1]["KeyMaterialId"],
        key.id,
        "does not encrypt under its current material",
    )


def check(keyhold, workers, retired):
    client = keyhold.client()
    finished_by = time.monotonic() + service.START_TIMEOUT
    listed = {entry["KeyId"] for entry in client.pages("ListKeys", "Keys", Limit=1000)}
    known = {key.id for worker in workers for key in worker.keys} | {key.id for key in retired}
    expect(known <= listed, "keys that were acknowledged are gone:", known - listed)
    unknown = listed - known
    limit = sum(worker.creations_unknown for worker in workers)
    expect(len(unknown) <= limit, len(unknown), "keys appeared, and", limit, "can have been made")
    for worker in workers:
        for key in worker.keys:
            check_key(client, key, finished_by)
    for key in retired:
        plaintext, ciphertext = key.ciphertexts[-1]
        expect(client.decrypt(ciphertext) == plaintext, key.id, "does not decrypt")
    # A key whose creation was not answered is a whole key all the same; it finds an owner.
    for key_id in sorted(unknown):
        key = Key(client.call("DescribeKey", KeyId=key_id)["KeyMetadata"])
        check_key(client, key, finished_by)
        min(workers, key=lambda worker: len(worker.keys)).keys.append(key)
    for worker in workers:
        worker.creations_unknown = 0
        # Keys that cannot rotate any more give way to new ones.
        for key in [
            key for key in worker.keys if key.rotations == MAX_ROTATIONS and key.ciphertexts
        ]:
            worker.keys.remove(key)
            retired.append(key)
    client.close()


def reconcile(keyhold):
    report = keyhold.reconcile()
    expect(report["alarms"] == [], "reconcile raises", report["alarms"])
    return len(report["strangers"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--custody", choices=("resident", "wrapped"), default="resident")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--threads", type=int, default=5)
    parser.add_argument("--seed", default=None)
    parser.add_argument("--longest", type=float, default=0.6, help="seconds of load before a kill")
    arguments = parser.parse_args()
    seed = arguments.seed or os.urandom(4).hex()
    print(f"random kills, custody {arguments.custody}: seed {seed}", flush=True)
    chance = random.Random(seed)

    keyhold = service.Service(
        {"rotation.rules": "2025", "profile.keys.custody": arguments.custody}
    )
    operator = Operator(keyhold, seed) if arguments.custody == "wrapped" else None
    workers = [Worker(number, seed) for number in range(arguments.threads)]
    retired = []
    began = time.monotonic()
    try:
        keyhold.start()
        for kill in range(1, arguments.kills + 1):
            stop = threading.Event()
            threads = [
                threading.Thread(target=worker.run, args=(keyhold.client(), stop))
                for worker in workers
            ]
            for thread in threads:
                thread.start()
            load_ends = time.monotonic() + chance.uniform(0, arguments.longest)
            if operator:
                operator.begin((load_ends - time.monotonic()) / 2)
            time.sleep(max(0, load_ends - time.monotonic()))
            keyhold.kill()
            stop.set()
            for thread in threads:
                thread.join()
            if operator:
                operator.end()
            complaints = [worker.complaint for worker in workers if worker.complaint]
            expect(not complaints, complaints)
            keyhold.start()
            check(keyhold, workers, retired)
            keys = [key for worker in workers for key in worker.keys]
            if operator and keys:
                client = keyhold.client()
                operator.check(
                    client, chance.choice(keys), time.monotonic() + service.START_TIMEOUT
                )
                client.close()
            if kill % 20 == 0 or kill == arguments.kills:
                strangers = reconcile(keyhold)
                print(
                    f"{kill} kills, {sum(worker.acknowledged for worker in workers)} calls "
                    f"acknowledged, {len(retired) + len(keys)} keys, "
                    f"{strangers} strangers in the token, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
    except (Wrong, service.StartFailed, signing.KmsError, *NO_ANSWER) as error:
        print(f"FAILED: {error!r}\nthe service's log ends:\n{keyhold.log()[-3000:]}", flush=True)
        return 1
    finally:
        keyhold.close()
    if operator:
        print(
            f"{operator.rotated} rotations of the wrapping key, {operator.interrupted} interrupted"
        )
    print(f"random-kills: {arguments.kills} passed, 0 failed, 0 skipped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
