"""Builds the extension of JupyterLab into ``labextension/built``, which is committed: users need no Node.

``make labextension`` runs it. It needs npm, and JupyterLab in the same environment for the list of packages that it
shares with extensions. None of them is bundled: what is built has only our own code and Webpack's loader.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parent
BUILT = FOLDER / "built" / "package.json"
#: Where the words of SQL are, which terminal IPython's colours use too.
WORDS = FOLDER.parent / "tinymagic" / "notebook" / "sql_words.json"
_INSTALLED = FOLDER / "node_modules" / "@jupyterlab" / "builder" / "lib" / "build-labextension.js"


def source_hash() -> str:
    """Return the SHA-256 of all that the built files are made of."""
    found = hashlib.sha256()
    for path in (FOLDER / "package.json", *sorted((FOLDER / "src").iterdir()), WORDS):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def build() -> None:
    """Install what builds, build, and note in the built ``package.json`` what it was built from."""
    import jupyterlab

    if not _INSTALLED.exists():
        npm = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=prod"]
        subprocess.run([*npm, "--no-save"], cwd=FOLDER, check=True)
    shutil.rmtree(BUILT.parent, ignore_errors=True)
    staging = Path(jupyterlab.__file__).parent / "staging"
    subprocess.run(["node", str(_INSTALLED), "--core-path", str(staging), "."], cwd=FOLDER, check=True)
    package = json.loads(BUILT.read_text("utf-8"))
    package["jupyterlab"]["_build"]["source_sha256"] = source_hash()
    BUILT.write_text(json.dumps(package, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    build()
