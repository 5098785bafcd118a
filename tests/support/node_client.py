"""The Node client as a stranger has it: installed from the tree by npm, in a folder of its own."""

import os
import shutil
import subprocess

from installed import install_once
from system import TOP

FOLDER = os.path.join(TOP, "build", "node-client")
PACKAGE = os.path.join(TOP, "actors", "client", "node")


def run(folder, *command):
    """A command in a folder: exit code and both outputs."""
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240,
                          env=dict(os.environ, npm_config_audit="false", npm_config_fund="false"))


def install(folder, *more):
    """Make the folder a package of a stranger's that has the tree's client, as it is now."""
    with open(os.path.join(folder, "package.json"), "w", encoding="utf-8") as file:
        file.write('{"name": "stranger", "private": true, "type": "module"}')
    return run(folder, "npm", "install", "--install-links", PACKAGE, *more)


def installed_node(program):
    """The command that runs a program of tests/support beside the installed client."""
    source = os.path.join(TOP, "tests", "support", program)

    def make():
        shutil.rmtree(FOLDER, ignore_errors=True)
        os.makedirs(FOLDER)
        done = install(FOLDER)
        if done.returncode != 0:
            raise RuntimeError("npm install:\n" + done.stdout + done.stderr)
        shutil.copy(source, FOLDER)

    install_once(FOLDER, [PACKAGE, source], make)
    return ["node", os.path.join(FOLDER, program)]
