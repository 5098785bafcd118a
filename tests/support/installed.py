"""What tests install from the tree is installed once, and again only when the tree has changed: tests
that run beside each other use the same folder."""

import fcntl
import hashlib
import os


def _digest(sources):
    """Of all files there, by name and content; not of what others have made in between."""
    digest = hashlib.sha256()
    for source in sources:
        files = [source] if os.path.isfile(source) else []
        for folder, folders, names in os.walk(source):
            folders[:] = sorted(set(folders) - {"node_modules", "__pycache__"})
            files += [os.path.join(folder, name) for name in sorted(names)]
        for path in files:
            with open(path, "rb") as file:
                digest.update(b"%s %s" % (path.encode(), hashlib.sha256(file.read()).digest()))
    return digest.hexdigest()


def install_once(folder, sources, make):
    """Have a folder in which this has been installed.

    folder   absolute
    sources  files and folders that it is made of
    make     called, without company, where it is not there or made of others
    """
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    wanted, stamp = _digest(sources), folder + ".made"
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = ""
        if os.path.isdir(folder) and os.path.exists(stamp):
            with open(stamp, encoding="ascii") as file:
                made = file.read()
        if made != wanted:
            make()
            with open(stamp, "w", encoding="ascii") as file:
                file.write(wanted)
