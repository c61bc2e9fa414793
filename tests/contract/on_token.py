#!/usr/bin/env python3
"""on_token.py TOKEN COMMAND…: makes one of the tokens of tokens.py anew and runs the command beside
it, which finds in its environment

  KEYHOLD_TOKEN           the token's name, that of its profile and of its golden file
  KEYHOLD_TOKEN_SETTINGS  what goes over the profile, a line each
  KEYHOLD_TOKEN_PIN_FILE  the file that the user PIN is in

Exit code: the command's, or 77 if the machine cannot make the token.
"""

import os
import shutil
import sys
import tempfile

import tokens

SKIPPED = 77


def main(name, command):
    token = {each.__name__: each for each in tokens.ALL}[name]
    if reason := token.missing():
        print(f"SKIPPED: {name}: {reason}")
        return SKIPPED
    folder = tempfile.mkdtemp(prefix="keyhold-token-", dir=token.place)
    try:
        made = token(folder)
        made.prepare()
        os.environ["KEYHOLD_TOKEN"] = made.name
        os.environ["KEYHOLD_TOKEN_SETTINGS"] = "\n".join(made.settings())
        os.environ["KEYHOLD_TOKEN_PIN_FILE"] = made.pin_file
        return made.show(command)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
