"""factclient as a stranger has it: installed from the tree by pip, in an environment of its own."""

import os
import subprocess
import sys

from installed import install_once
from system import TOP

FOLDER = os.path.join(TOP, "build", "venv-client")
PACKAGE = os.path.join(TOP, "actors", "client", "python")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        raise RuntimeError("%s\n%s%s" % (" ".join(command), done.stdout, done.stderr))


def make():
    """The environment is kept; of it only the client is new."""
    python = os.path.join(FOLDER, "bin", "python3")
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if not os.path.exists(os.path.join(FOLDER, "made")):
        run(sys.executable, "-m", "venv", "--clear", FOLDER)
        run(*pip, PACKAGE + "[worker]")
        with open(os.path.join(FOLDER, "made"), "w", encoding="ascii"):
            pass
    run(*pip, "--force-reinstall", "--no-deps", PACKAGE)


def installed_python():
    """The interpreter of an environment that has the tree's factclient, as it is now."""
    install_once(FOLDER, [PACKAGE], make)
    return os.path.join(FOLDER, "bin", "python3")
