"""The whole tree of ``%tinybird``, driven in a real IPython and in an executed notebook, and searched for tokens."""

from __future__ import annotations

import json
import logging
import sqlite3
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import nbformat
import pandas as pd
import pytest
import requests
from nbconvert import HTMLExporter

from tests.integration.notebook.conftest import Cells, Ran
from tests.integration.notebook.kernel import Kernel
from tests.integration.notebook.test_magics_secrets import pieces, remembered
from tests.integration.notebook.tree_steps import SETUP, STORY, Step
from tinymagic import local
from tinymagic.notebook import extension
from tinymagic.notebook.finding import find_command
from tinymagic.notebook.tree import COMMANDS, NOUNS
from tinymagic.notebook.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from IPython.core.interactiveshell import InteractiveShell

moto_server = pytest.importorskip("moto.server")
boto3 = pytest.importorskip("boto3")


@dataclass
class Told:
    """The story as it went.

    Attributes:
        ran: what each step gave, in order.
        folder: with everything that was written.
        token: that was used.
        others: tokens that the service made for others, and that may be shown when they are asked for.
        remembered: by IPython, at the end.
        kept: what stands for names in braces.
    """

    folder: Path
    token: str
    others: tuple[str, ...]
    ran: list[tuple[Step, Ran]] = field(default_factory=list)
    remembered: str = ""
    kept: dict[str, str] = field(default_factory=dict)

    def filled(self, text: str) -> str:
        """Fill in the names in braces."""
        for name, value in self.kept.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def shown(self) -> str:
        """Return everything that was shown."""
        return "\n".join(text_of(ran) for _, ran in self.ran)


def text_of(ran: Ran) -> str:
    """Return everything that a cell shows, the whole frame, and its error."""
    parts = [ran.printed, ran.stderr, *(str(bundle) for bundle in ran.displays)]
    if isinstance(ran.value, pd.DataFrame):
        parts += [ran.value.to_string(), repr(ran.value.attrs)]
    elif ran.value is not None:
        parts.append(repr(ran.value))
    if ran.error is not None:
        parts += [str(ran.error), repr(ran.error), repr(vars(ran.error)), *ran.card]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, str]]:
    """URL of an S3 server on loopback, and a bucket there."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    boto3.client(
        "s3", endpoint_url=url, aws_access_key_id="minio", aws_secret_access_key="x", region_name="us-east-1"
    ).create_bucket(Bucket="tree")
    yield url, "tree"
    server.stop()


def tell(shell: InteractiveShell, folder: Path, s3: tuple[str, str], patch: pytest.MonkeyPatch, token: str) -> Told:
    """Drive the whole tree.

    Args:
        shell: a bare IPython.
        folder: to work in.
        s3: URL and bucket.
        patch: undone by the caller.
        token: ``static`` or ``JWT``: what the settings have.
    """
    others_servers = {each.port for each in local.running()}
    server = local.start(memory=True, port=0, with_parent=True)
    tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
    admin = tokens["workspace_admin_token"]
    used = admin if token == "static" else a_jwt(server.host, admin)
    for name in ("TINYBIRD_TOKEN", "TINYBIRD_URL", "TINYBIRD_HOST"):
        patch.delenv(name, raising=False)
    patch.setenv("TB_TOKEN", used)
    patch.setenv("TB_HOST", server.host)
    patch.setenv("TINYMAGIC_CONFIG_HOME", str(folder / "config"))
    patch.chdir(folder)
    write_files(folder)
    kept = {
        "host": server.host,
        "port": str(server.port),
        # Another spelling of the same place, which is taken for one that asks for a token.
        "remote": server.host,
        "folder": str(folder),
        "token": used,
        "user_token": tokens["user_token"],
        "s3": s3[0],
        "bucket": s3[1],
    }
    others = tuple(each for each in tokens.values() if each != used)
    told = Told(folder, used, others, kept=kept)
    extension.load(shell)
    cells = Cells(shell)
    try:
        for step in STORY:
            told.ran.append((step, take(cells, step, told, patch)))
        told.remembered = remembered(shell)
    finally:
        extension.unload(shell)
        for left in local.running():
            if left.port not in others_servers:
                local.stop(port=left.port)
    return told


def write_files(folder: Path) -> None:
    """Write the files that the story reads."""
    (folder / "clean.txt").write_text("nothing here\n")
    (folder / "clean.csv").write_text("day,amount\n2024-01-04,4.5\n")
    (folder / "broken.csv").write_text("day,amount\n2024-01-05,much\n")


def a_jwt(host: str, admin: str) -> str:
    """Return a JWT that may read what a Pipe named top gives, which is made for that."""
    requests.post(
        f"{host}/v0/pipes",
        params={"name": "top", "sql": "SELECT 1 AS total"},
        headers={"Authorization": f"Bearer {admin}"},
        timeout=10,
    ).raise_for_status()
    made = requests.post(
        f"{host}/v0/tokens",
        params={"name": "marked", "expiration_time": "4000000000"},
        json={"scopes": [{"type": "PIPES:READ", "resource": "top"}]},
        headers={"Authorization": f"Bearer {admin}"},
        timeout=10,
    )
    made.raise_for_status()
    return str(made.json()["token"])


def take(cells: Cells, step: Step, told: Told, patch: pytest.MonkeyPatch) -> Ran:
    """Run one step, with somebody there who answers."""
    filled, line = told.filled, told.filled(step.line)
    with patch.context() as once, warnings.catch_warnings():
        # A link with a token warns; for the tests warnings are errors.
        warnings.simplefilter("default")
        if step.answer:
            once.setattr("builtins.input", lambda question="": step.answer)
        if step.secret:
            once.setattr("getpass.getpass", lambda prompt="": filled(step.secret))
            if "login" in line:
                # As if the host were not on this machine, where no token is asked for.
                once.setattr("tinymagic.notebook.commands.connection._asked_token", lambda host: filled(step.secret))
        ran = cells.run(line.removeprefix("cell:") if line.startswith("cell:") else f"%tinybird {line}".rstrip())
    name, _, column = step.keeps.partition("=")
    if name and isinstance(ran.value, pd.DataFrame) and len(ran.value) and column in ran.value:
        told.kept[name] = str(ran.value[column].iloc[0])
    return ran


@pytest.fixture(scope="module")
def static(bare_shell, tmp_path_factory, s3) -> Iterator[Told]:
    """The story, told with the Workspace administrator's token."""
    with pytest.MonkeyPatch.context() as patch:
        yield tell(bare_shell, tmp_path_factory.mktemp("static"), s3, patch, "static")


@pytest.fixture(scope="module")
def jwt(bare_shell, tmp_path_factory, s3) -> Iterator[Told]:
    """The story, told with a JWT: most of it is refused."""
    with pytest.MonkeyPatch.context() as patch:
        yield tell(bare_shell, tmp_path_factory.mktemp("jwt"), s3, patch, "JWT")


def commands_of_story() -> set[tuple[str, ...]]:
    """Return the words of all commands in the story."""
    found = set()
    for step in STORY:
        if not step.line.startswith("cell:"):
            command, _ = find_command(words_of(step.line.replace("{", "").replace("}", "")))
            if command is not None:
                found.add(command.words)
    return found


def test_every_command_is_in_the_story():
    """A command without a step is a command that nobody has seen work."""
    assert {command.words for command in COMMANDS} - commands_of_story() == set()


@pytest.mark.parametrize("place", range(len(STORY)), ids=[f"{step.line[:40] or 'status'}" for step in STORY])
def test_step(static, place):
    """Each line does what it says."""
    step, ran = static.ran[place]
    text = text_of(ran)
    if step.fails:
        assert ran.error is not None
        assert step.fails in text
        return
    if ran.error is not None:
        raise ran.error
    for words in step.shows:
        assert static.filled(words) in text


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_help_of_each_command(cells, command):
    """`--help` behind the command, with whatever else there is on the line."""
    printed = cells.ok(f"%tinybird {' '.join(command.words)} --help").printed
    assert printed.startswith(f"%tinybird {command.usage()}")
    assert command.summary in printed
    assert cells.ok(f"%tinybird {' '.join(command.words)} some words --help").printed == printed


@pytest.mark.parametrize("noun", list(NOUNS))
def test_help_of_each_noun(cells, noun):
    for line in (f"{noun} --help", f"help {noun}", *(f"{alias} --help" for alias in NOUNS[noun].aliases)):
        printed = cells.ok(f"%tinybird {line}").printed
        assert printed.startswith(f"%tinybird {noun}")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words))
def test_a_misspelt_option_is_answered_with_a_card(cells, command):
    ran = cells.run(f"%tinybird {' '.join(command.words)} --no-such-option-at-all")
    assert len(ran.card) <= 8
    assert "no option --no-such-option-at-all" in ran.card[0]


# --- tokens -----------------------------------------------------------------------------------------------------------


def secret_pieces(token: str, others: tuple[str, ...] = ()) -> set[str]:
    """Return every piece of eight characters of *token* that is in no other token."""
    common = {piece for other in others for piece in pieces(other)}
    return pieces(token) - common


def files_of(folder: Path) -> dict[str, bytes]:
    """Return all files, but for the saved login, which holds the token on purpose."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "profiles.json"
    }


@pytest.mark.parametrize("which", ["static", "jwt"])
class TestTokens:
    @pytest.fixture
    def told(self, which, request) -> Told:
        return request.getfixturevalue(which)

    def test_nothing_shown_has_a_piece_of_it(self, told):
        for step, ran in told.ran:
            if step.line.startswith("pipe link"):
                continue  # A link to share has the token in it: that is what was asked for, with a warning.
            text = text_of(ran)
            assert told.token not in text, step.line
            hits = [piece for piece in secret_pieces(told.token, told.others) if piece in text]
            assert hits == [], step.line

    def test_nothing_remembered_has_a_piece_of_it(self, told):
        assert not [piece for piece in secret_pieces(told.token, told.others) if piece in told.remembered]

    def test_no_file_has_a_piece_of_it(self, told):
        for name, content in files_of(told.folder).items():
            hits = [piece for piece in secret_pieces(told.token, told.others) if piece.encode() in content]
            assert hits == [], name

    def test_the_history_database_has_no_piece_of_it(self, told, bare_shell):
        bare_shell.history_manager.writeout_cache()
        with sqlite3.connect(bare_shell.history_manager.hist_file) as database:
            text = "\n".join(str(row) for row in database.execute("SELECT source, source_raw FROM history"))
        database.close()
        assert not [piece for piece in secret_pieces(told.token, told.others) if piece in text]


def test_the_search_finds_what_is_there(static):
    """The link to share has the token in it."""
    (text,) = [text_of(ran) for step, ran in static.ran if step.line.startswith("pipe link")]
    assert [piece for piece in secret_pieces(static.token, static.others) if piece in text]


def test_a_refused_story_is_told_in_cards(jwt):
    """With a token that may do next to nothing, every step ends well or in a card."""
    refused = 0
    for step, ran in jwt.ran:
        if ran.error is not None:
            assert len(ran.card) <= 8, step.line
            assert "Traceback" not in "\n".join(ran.card)
            assert type(ran.error).__module__.startswith("tinymagic"), (step.line, repr(ran.error))
            refused += 1
    assert refused > 20


# --- an executed notebook ---------------------------------------------------------------------------------------------

#: As on a wide screen; and the host counts as one that is not on this machine, where the token is asked for.
SETTLE = """%load_ext tinymagic
import pandas as pd
pd.set_option("display.max_columns", None, "display.width", 4000, "display.max_colwidth", None)
import getpass
from tinymagic.notebook.commands import connection
of_this_machine, asked = connection._asked_token, {asked}
connection._asked_token = lambda host: getpass.getpass("Token: ") if asked else of_this_machine(host)
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory, s3) -> Iterator[tuple[Told, Kernel]]:
    """The whole story in a kernel, with somebody there who answers, and the notebook that came of it."""
    folder = tmp_path_factory.mktemp("executed")
    others_servers = {each.port for each in local.running()}
    server = local.start(memory=True, port=0, with_parent=True)
    tokens = requests.get(f"{server.host}/tokens", timeout=10).json()
    admin = tokens["workspace_admin_token"]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TINYBIRD_TOKEN", "TINYBIRD_URL", "TINYBIRD_HOST"):
            patch.delenv(name, raising=False)
        patch.setenv("TB_TOKEN", admin)
        patch.setenv("TB_HOST", server.host)
        patch.setenv("TINYMAGIC_CONFIG_HOME", str(folder / "config"))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        write_files(folder)
        kept = {
            "host": server.host,
            "port": str(server.port),
            "remote": server.host,
            "folder": str(folder),
            "token": admin,
            "user_token": tokens["user_token"],
            "s3": s3[0],
            "bucket": s3[1],
        }
        told = Told(folder, admin, tuple(each for each in tokens.values() if each != admin), kept=kept)
        kernel = Kernel(folder)
        try:
            kernel.run(SETTLE.replace("{asked}", "False"))
            for step in STORY:
                take_in(kernel, step, told)
        finally:
            kernel.close()
            for left in local.running():
                if left.port not in others_servers:
                    local.stop(port=left.port)
        yield told, kernel


def take_in(kernel: Kernel, step: Step, told: Told) -> None:
    """Run one step in the kernel."""
    line = told.filled(step.line)
    code = line.removeprefix("cell:") if line.startswith("cell:") else f"%tinybird {line}".rstrip()
    name, _, column = step.keeps.partition("=")
    if step.secret and line.startswith("login"):
        kernel.run("asked = True")
    value = kernel.run(
        code,
        answer=step.answer,
        secret=told.filled(step.secret),
        told=f"_['{column}'].iloc[0]" if column else "None",
    )
    if step.secret and line.startswith("login"):
        kernel.run("asked = False")
    if name:
        told.kept[name] = value


def outputs_of_story(kernel: Kernel) -> list[list[Any]]:
    """Return the outputs of each step, in order."""
    cells = [cell for cell in kernel.notebook.cells[1:] if not cell.source.startswith("asked = ")]
    return [cell.outputs for cell in cells]


@pytest.mark.parametrize("place", range(len(STORY)), ids=[f"{step.line[:40] or 'status'}" for step in STORY])
def test_step_in_an_executed_notebook(executed, place):
    """Each line does in a kernel what it does in IPython, and its outputs are in the notebook."""
    told, kernel = executed
    step, outputs = STORY[place], outputs_of_story(kernel)[place]
    errors = [output for output in outputs if output.output_type == "error"]
    text = "\n".join(json.dumps(output, ensure_ascii=False, default=str) for output in outputs)
    text = text.replace("\\n", "\n").replace('\\"', '"')
    if step.fails:
        [error] = errors
        assert step.fails in error.evalue
        assert len(error.traceback) <= 8
        return
    assert not errors, errors[0].traceback
    for words in step.shows:
        assert told.filled(words) in text


class TestTokensInAnExecutedNotebook:
    def test_the_saved_notebook_has_no_piece_of_it(self, executed):
        told, kernel = executed
        self.look(without_link(kernel.notebook), told)

    def test_its_export_has_no_piece_of_it(self, executed):
        told, kernel = executed
        page, _ = HTMLExporter().from_notebook_node(without_link(kernel.notebook))
        assert "%tinybird" in page
        assert not [piece for piece in self.wanted(told) if piece in page]

    def test_no_file_has_a_piece_of_it(self, executed):
        """Neither what commands wrote, nor IPython's history."""
        told, _ = executed
        files = files_of(told.folder)
        assert any(name.endswith("history.sqlite") for name in files)
        for name, content in files.items():
            assert not [piece for piece in self.wanted(told) if piece.encode() in content], name

    def test_the_search_finds_the_link(self, executed):
        """The link to share has the token in it."""
        told, kernel = executed
        assert [piece for piece in self.wanted(told) if piece in nbformat.writes(kernel.notebook)]

    def wanted(self, told: Told) -> set[str]:
        typed = {step.secret for step in STORY if step.secret and not step.secret.startswith("{")}
        assert typed
        # What stands in the story's own first cell is there to be seen.
        return secret_pieces(told.token, told.others) | {
            piece for secret in typed if secret not in SETUP for piece in pieces(secret)
        }

    def look(self, notebook: Any, told: Told) -> None:
        text = nbformat.writes(notebook)
        assert not [piece for piece in self.wanted(told) if piece in text]


def without_link(notebook: Any) -> Any:
    """Return the notebook without the cell that was asked for a link with the token in it."""
    return nbformat.v4.new_notebook(
        cells=[cell for cell in notebook.cells if not cell.source.startswith("%tinybird pipe link")]
    )
