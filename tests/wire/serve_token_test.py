#!/usr/bin/env python3
"""`keyhold serve` and its token: absent, failing, hanging, removed, worn out."""

import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import threading
import time
import unittest

import service
import signing
from serving import ServeCase, Supervisor


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

    def key_behind_faults(self):
        """A client, and the id of a key that it made before the first fault."""
        self.init()
        self.use_faults()
        self.write_config()
        self.start()
        client = self.client()
        return client, client.call("CreateKey")["KeyMetadata"]["KeyId"]

    def supervise(self):
        supervisor = Supervisor(self.root)
        self.addCleanup(supervisor.close)
        self.environment["NOTIFY_SOCKET"] = supervisor.path
        return supervisor

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
        supervisor = self.supervise()
        self.start(ready=False)
        # What starts after the service is not kept waiting for a token that may come in hours.
        self.wait_until(lambda: supervisor.count("READY=1") == 1, "the supervisor's turn")
        self.assertEqual(self.page("/livez")[0], 200)
        self.assertEqual(self.page("/readyz")[0], 503)
        self.assertEqual(self.metric("keyhold_ready"), 0)
        client = self.client()
        self.assert_answers_of_an_absent_token(client, sealed)
        os.rename(self.token + ".away", self.token)
        self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")
        self.assertEqual(client.decrypt(sealed), b"text")

        # The same once it has been there.
        os.rename(self.token, self.token + ".away")
        # Whose first call that needs an object of it notices.
        self.assert_fails("KMSInternalException", lambda: client.call("CreateKey"))
        self.wait_until(lambda: self.page("/readyz")[0] == 503, "the token's loss")
        self.assert_answers_of_an_absent_token(client, sealed)
        os.rename(self.token + ".away", self.token)
        self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")

    def assert_answers_of_an_absent_token(self, client, sealed):
        """The API model has no KeyUnavailableException for the last two."""
        self.assert_fails("KeyUnavailableException", lambda: client.decrypt(sealed))
        self.assert_fails("KMSInternalException", lambda: client.call("CreateKey"))
        self.assert_fails(
            "KMSInternalException", lambda: client.call("GenerateRandom", NumberOfBytes=16)
        )

    def test_is_one_services_at_a_time(self):
        self.init()
        mine = dict(self.settings)
        self.start()
        key = self.client().call("CreateKey")["KeyMetadata"]["KeyId"]
        self.settings["data.folder"] = self.data + ".other"
        self.settings["token.pin_source"] = "file:" + os.path.join(self.data, "pin")
        self.write_config()
        refusal = f"keyhold: the token's folder {self.token} is in use by another process\n"
        self.assertEqual(self.keyhold("init", "--config", self.config, code=2).stderr, refusal)
        check = ["token", "check", "--pin-file", os.path.join(self.data, "pin")]
        for setting in (
            "module.path=" + service.softhsm_module(),
            "module.env.SOFTHSM2_CONF=" + os.path.join(self.token, "softhsm2.conf"),
        ):
            check += ["--set", setting]
        self.assertEqual(self.keyhold(*check, "--label", "keyhold", code=2).stderr, refusal)
        # With a store of its own, which knows the token.
        store = [name for name in os.listdir(self.data) if name.startswith("keyhold.db")]
        for name in store:
            shutil.copy(os.path.join(self.data, name), self.data + ".other")
        said = self.keyhold("serve", "--config", self.config, code=2).stderr
        self.assertTrue(said.endswith(refusal), said)
        said = self.keyhold("reconcile", "--config", self.config, code=2).stderr
        self.assertEqual(said, refusal)
        self.keyhold("token", "list", "--config", self.config)  # logs in to nothing
        self.client().encrypt(key, b"text")
        self.end()
        self.keyhold(*check, "--label", "keyhold")
        self.keyhold("reconcile", "--config", self.config)
        self.settings = mine
        self.write_config()
        self.start()
        self.client().encrypt(key, b"text")

    def test_that_another_process_has_when_it_comes_back_is_waited_for(self):
        self.init()
        os.rename(self.token, self.token + ".away")
        self.start(ready=False)
        self.wait_until(lambda: self.page("/readyz")[0] == 503, "an answer")
        lock = os.open(os.path.join(self.token + ".away", "token-lock"), os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(self.token + ".away", self.token)
        self.wait_for_line("token: not back: .* is in use by another process")
        self.assertEqual(self.page("/readyz")[0], 503)
        os.close(lock)
        self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")

    def test_that_opens_slowly_is_there_when_the_supervisor_hears_of_the_service(self):
        self.init()
        self.use_faults()
        self.faults("C_Login * delay:1000\n")
        self.write_config()
        supervisor = self.supervise()
        self.start(ready=False)
        self.assertEqual(supervisor.count("READY=1"), 0)
        self.wait_until(lambda: supervisor.count("READY=1") == 1, "the supervisor's turn")
        self.client().call("CreateKey")

    def test_that_is_removed_under_load_costs_no_wrong_answer_and_comes_back(self):
        self.init()
        self.start()
        key = self.client().call("CreateKey")["KeyMetadata"]["KeyId"]
        sealed = self.client().encrypt(key, b"text")
        stop = threading.Event()
        refusals, wrong = [], []

        def load():
            client = self.client()
            while not stop.is_set():
                try:
                    if client.decrypt(sealed) != b"text":
                        wrong.append("another text")
                    if client.decrypt(client.encrypt(key, b"x")) != b"x":
                        wrong.append("another text")
                    client.call("CreateKey")
                except signing.KmsError as error:
                    refusals.append(error.code)
                except (OSError, http.client.HTTPException) as error:
                    wrong.append(repr(error))

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(0.3)
            os.rename(self.token, self.token + ".away")
            self.wait_until(lambda: self.page("/readyz")[0] == 503, "the token's loss")
            self.wait_until(lambda: "KeyUnavailableException" in refusals, "a refusal")
            os.rename(self.token + ".away", self.token)
            self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")
            time.sleep(0.3)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
        allowed = {
            "KeyUnavailableException",
            "KMSInternalException",
            "DependencyTimeoutException",
            "ThrottlingException",
        }
        self.assertLessEqual(set(refusals), allowed)
        self.assertGreaterEqual(self.metric("keyhold_token_breaker_opened_total"), 1)
        self.assertGreaterEqual(self.metric("keyhold_token_recoveries_total"), 1)
        self.assertEqual(self.client().decrypt(sealed), b"text")
        said = self.keyhold("reconcile", "--config", self.config).stdout
        self.assertIn("every key material of the store is in the token", said)

    def test_of_a_service_that_is_killed_under_load_has_lost_nothing_that_was_answered(self):
        self.init()
        self.start()
        answered, stop = [], threading.Event()

        def load():
            client = self.client()
            while not stop.is_set():
                try:
                    key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
                    answered.append((key, client.encrypt(key, key.encode())))
                except (OSError, http.client.HTTPException):
                    return

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        self.wait_until(lambda: len(answered) >= 10, "some keys")
        self.end(signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        self.start()
        client = self.client()
        for key, sealed in answered:
            self.assertEqual(client.decrypt(sealed), key.encode())

    def test_that_is_there_and_does_not_encrypt_is_not_ready(self):
        self.init()
        self.use_faults()
        self.write_config()
        self.start()
        for code in ("CKR_DEVICE_MEMORY", "CKR_HOST_MEMORY", "CKR_FUNCTION_FAILED"):
            with self.subTest(code):
                self.faults(f"C_Encrypt * {code}\n")
                # The first doubt, at which the breaker stays closed.
                self.assertEqual(self.metric("keyhold_ready"), 0)
                status, text = self.page("/readyz")
                self.assertEqual(status, 503, text)
                self.assertIn(code, text)
                self.faults("")
                self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")
                self.assertEqual(self.metric("keyhold_ready"), 1)

    def test_whose_answer_takes_too_long_is_not_ready(self):
        self.init()
        self.use_faults()
        self.write_config()
        self.start()
        self.faults("C_Encrypt * delay:4000\n")
        status, text = self.page("/readyz")
        self.assertEqual(status, 503, text)
        since = time.monotonic()
        self.assertEqual(self.metric("keyhold_ready"), 0)
        self.assertLess(time.monotonic() - since, 3.5)
        self.faults("")
        self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")

    def test_that_fails_makes_the_service_not_ready_until_it_is_back(self):
        client, key = self.key_behind_faults()
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

    def test_that_loses_every_session_is_brought_back_as_one_that_was_lost(self):
        client, key = self.key_behind_faults()
        sealed = client.encrypt(key, b"text")
        opened = 0
        for code in (
            "CKR_SESSION_HANDLE_INVALID",
            "CKR_SESSION_CLOSED",
            "CKR_OPERATION_ACTIVE",
            "CKR_USER_NOT_LOGGED_IN",
        ):
            with self.subTest(code):
                opened += 1
                self.faults(f"C_EncryptInit * {code}\n")

                def breaker_opens():
                    self.assert_fails(
                        "KeyUnavailableException", lambda: client.encrypt(key, b"x")
                    )
                    return self.metric("keyhold_token_breaker_opened_total") == opened

                self.wait_until(breaker_opens, "the breaker")
                self.wait_for_line(f"^token: gone.*{code}")
                self.wait_for_line(f"^token: not back.*{code}")
                self.assertEqual(self.page("/readyz")[0], 503)
                self.faults("")
                self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")
                self.assertEqual(client.decrypt(sealed), b"text")
                self.assertEqual(self.metric("keyhold_token_recoveries_total"), opened)

    def test_that_loses_a_session_once_is_not_lost(self):
        client, key = self.key_behind_faults()
        self.faults("C_EncryptInit 1 CKR_SESSION_HANDLE_INVALID\n")
        client.encrypt(key, b"x")
        self.faults("C_EncryptInit 1 CKR_USER_NOT_LOGGED_IN\n")
        client.encrypt(key, b"x")
        self.assertEqual(self.metric("keyhold_token_breaker_opened_total"), 0)

    def test_that_refuses_the_pin_when_it_is_back_is_given_up(self):
        client, key = self.key_behind_faults()
        self.assertEqual(self.metric("keyhold_token_given_up"), 0)
        self.assertEqual(
            self.metric("keyhold_calls_total", operation="CreateKey", error="KMSInternalException"),
            0,
        )
        self.faults("C_EncryptInit 1 CKR_DEVICE_ERROR\nC_Login * CKR_PIN_INCORRECT\n")
        self.assert_fails("KeyUnavailableException", lambda: client.encrypt(key, b"x"))
        self.wait_until(lambda: self.metric("keyhold_token_given_up") == 1, "the end of trials")
        self.wait_for_line("^token: not tried again")
        self.assertIn("given up", self.page("/readyz")[1])
        self.assertEqual(self.metric("keyhold_ready"), 0)

        # Only another process tries again.
        self.faults("")
        self.end()
        self.start()
        self.assertEqual(self.metric("keyhold_token_given_up"), 0)

    def test_that_hangs_for_good_is_left_to_the_watchdog(self):
        self.init()
        self.use_faults()
        self.settings["profile.sessions.call_timeout"] = "500ms"
        self.settings["profile.recovery.restart_after_hang"] = "1s"
        # Else the call may hang on a thread that has other connections to answer.
        self.settings["http.light_work"] = "pool"
        self.write_config()
        supervisor = self.supervise()
        self.environment["WATCHDOG_USEC"] = "400000"
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        sealed = client.encrypt(key, b"text")
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
        self.assertEqual([level for level, _ in self.stuck_lines()], ["error"])
        status, text = self.page("/readyz")
        self.assertEqual(status, 503, text)
        self.assert_fails("KeyUnavailableException", lambda: self.client().decrypt(sealed))

        self.end(signal.SIGABRT)  # as systemd's watchdog does
        self.faults("")
        self.start()
        self.assertEqual(self.client().decrypt(sealed), b"text")

    def test_that_hangs_and_comes_back_after_all_is_in_the_log(self):
        self.init()
        self.use_faults()
        self.settings["profile.sessions.call_timeout"] = "200ms"
        self.settings["profile.recovery.restart_after_hang"] = "400ms"
        self.settings["http.light_work"] = "pool"
        self.write_config()
        self.start()
        key = self.client().call("CreateKey")["KeyMetadata"]["KeyId"]
        self.assertEqual(self.stuck_lines(), [])
        self.faults("C_Encrypt 1 delay:3000\n")
        hung = threading.Thread(target=self.call_in_vain, args=(key,))
        hung.start()
        self.wait_until(lambda: len(self.stuck_lines()) == 1, "the line of a stuck token")
        hung.join()
        self.wait_until(lambda: self.page("/readyz")[0] == 200, "readiness")
        self.wait_until(lambda: len(self.stuck_lines()) == 2, "the line of its end")
        (level, stuck), (_, well) = self.stuck_lines()
        self.assertEqual(level, "error")
        self.assertIn("a call has not come back in time", stuck)
        self.assertTrue(well.startswith("no longer stuck"), well)

    def stuck_lines(self):
        lines = [(line["level"], line["message"]) for line in self.lines()]
        return [(level, said) for level, said in lines if re.match("(no longer )?stuck", said)]

    def call_in_vain(self, key):
        try:
            self.client().encrypt(key, b"x")
        except (OSError, http.client.HTTPException, signing.KmsError):
            pass

    def test_whose_module_keeps_too_much_memory_has_the_process_restarted(self):
        self.init()
        self.settings["profile.message_keys.session_object_limit"] = 1
        self.write_config()
        self.start()  # nobody would start it again, so it stays
        self.client().call("CreateKey")
        self.assertEqual(self.metric("keyhold_token_restart_due"), 1)
        self.assertEqual(self.end(), 0)
        supervisor = self.supervise()
        self.launch()
        self.assertEqual(self.process.wait(60), 75)
        self.process = None
        self.assertEqual(supervisor.count("STOPPING=1"), 1)

    def test_that_hangs_does_not_keep_a_service_from_ending(self):
        self.init()
        self.use_faults()
        self.settings["profile.sessions.call_timeout"] = "500ms"
        self.write_config(drain__deadline="1s")
        self.start()
        client = self.client()
        key = client.call("CreateKey")["KeyMetadata"]["KeyId"]
        self.faults("C_Encrypt * delay:3600000\n")
        hung = threading.Thread(target=self.call_in_vain, args=(key,), daemon=True)
        hung.start()
        time.sleep(1)
        since = time.monotonic()
        self.assertEqual(self.end(signal.SIGTERM), 1)
        self.assertLess(time.monotonic() - since, 6)
        # What was answered is on record.
        with open(os.path.join(self.data, "audit", "events.jsonl"), encoding="utf-8") as file:
            names = [json.loads(line)["eventName"] for line in file.read().split("\n") if line]
        self.assertIn("CreateKey", names)


if __name__ == "__main__":
    unittest.main()
