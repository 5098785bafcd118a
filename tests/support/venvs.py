"""Python environments that a test needs beside its own, made once and kept while their list of
packages stays the same."""
import filecmp
import os
import shutil
import subprocess
import sys

from system import TOP


def python_of(name):
    """The Python of build/venv-<name>, with what tests/support/requirements-<name>.txt lists."""
    wanted = os.path.join(TOP, "tests", "support", "requirements-%s.txt" % name)
    folder = os.path.join(TOP, "build", "venv-" + name)
    made = os.path.join(folder, "requirements.txt")
    if not os.path.exists(made) or not filecmp.cmp(wanted, made, shallow=False):
        shutil.rmtree(folder, ignore_errors=True)
        base = getattr(sys, "_base_executable", sys.executable)
        subprocess.run([base, "-m", "venv", folder], check=True)
        subprocess.run([os.path.join(folder, "bin", "pip"), "install", "-q",
                        "--disable-pip-version-check", "-r", wanted], check=True)
        shutil.copy(wanted, made)
    return os.path.join(folder, "bin", "python3")
