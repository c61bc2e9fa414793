#!/usr/bin/env python3
"""suite.py NAME MODULE [TEST…]: runs a module's tests and ends with one line,
`NAME: N passed, N failed, N skipped`.

One failure more or less is one test more or less: a test whose subtests fail counts once.
"""

import sys
import unittest


def run(name, module, tests):
    loader = unittest.TestLoader()
    suite = (
        loader.loadTestsFromNames([f"{module}.{test}" for test in tests])
        if tests
        else loader.loadTestsFromName(module)
    )
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    broken = {getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors}
    broken |= {test.id() for test in result.unexpectedSuccesses}
    skipped = len(result.skipped)
    # A class that could not be set up has run none of its tests and counts as one failure.
    unstarted = sum(test.startswith(("setUpClass", "setUpModule")) for test in broken)
    passed = result.testsRun - skipped - (len(broken) - unstarted)
    print(f"{name}: {passed} passed, {len(broken)} failed, {skipped} skipped", flush=True)
    return 0 if not broken and passed else 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2], sys.argv[3:]))
