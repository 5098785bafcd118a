"""The clients of every language, from the tree, each behind its adapter (tests/system/52_behaviours has them
installed, which takes longer)."""

import os
import sys

from adapters import Adapter
from node_client import installed_node
from system import BIN, TOP


def every_client():
    """Adapters in processes of their own, by name."""
    python = [sys.executable, os.path.join(TOP, "tests", "support", "adapter_python.py")]
    os.environ["PYTHONPATH"] = os.path.join(TOP, "actors", "client", "python")
    return {
        "libfact": Adapter([os.path.join(BIN, "..", "tests", "adapter_c")]),
        "python": Adapter(python + ["threads"]),
        "python-asyncio": Adapter(python + ["asyncio"]),
        "node": Adapter(installed_node("adapter_node.mjs")),
    }
