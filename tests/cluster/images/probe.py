"""Runs inside an image and tells what is there, as JSON on the last line. Standard library only."""

import importlib
import importlib.metadata
import json
import os
import pkgutil
import shutil
import stat
import subprocess
import sys
from pathlib import Path


def privileged():
    """Files that would change the user or the group of who runs them."""
    found = []
    for folder, _, files in os.walk("/"):
        if folder.startswith(("/proc", "/sys", "/dev")):
            continue
        for name in files:
            mode = (Path(folder) / name).lstat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                found.append(f"{folder}/{name}")
    return found


def imports(names):
    """Import every module of the packages; the errors by module. What starts when it is imported is left out."""
    errors = {}
    for name in names:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if module.name.rpartition(".")[2] in ("__main__", "env") or ".versions" in module.name:
                continue
            try:
                importlib.import_module(module.name)
            except Exception as error:
                errors[module.name] = repr(error)
    return errors


def started(command):
    """How the image's own command ends without any setting."""
    if not command:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return {"status": done.returncode, "output": done.stdout + done.stderr}


def writable():
    """Folders below the root that this user can write to."""
    return [str(path) for path in Path("/").iterdir() if path.is_dir() and os.access(path, os.W_OK)]


def main():
    packages, command = json.loads(sys.argv[1])
    print(
        json.dumps(
            {
                "ids": [os.getuid(), os.getgid()],
                "privileged": privileged(),
                "tools": [name for name in ("gcc", "cc", "make", "uv", "git", "strip") if shutil.which(name)],
                "installers": [name for name in ("pip", "setuptools", "uv") if (Path(sys.prefix) / "bin" / name).exists()],
                "left": [str(path) for path in (Path("/tools"), Path(sys.prefix) / ".lock") if path.exists()],
                "writable": writable(),
                "versions": {found.metadata["Name"]: found.version for found in importlib.metadata.distributions()},
                "started": started(command),
                "import_errors": imports(packages),
                "cached": Path(json.__cached__).is_file(),
            }
        )
    )


main()
