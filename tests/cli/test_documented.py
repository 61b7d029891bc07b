"""The manual pages and docs/commands are what the commands say, and nothing is left out of them."""

import os
import re
import shlex
import shutil
import subprocess

import pytest
from command import ROOT, run
from required import skip_without

from rdbtool.cli import completion, reference
from rdbtool.cli.app import COMMANDS
from rdbtool.cli.man import pages
from rdbtool.cli.typer_commands import build_command
from rdbtool.core.codes import CODES

README = (ROOT / "README.md").read_text()
DOCUMENTS = [
    path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if "```console" in path.read_text()
]
PAGES = pages()


def options(command):
    return [option for option in build_command(command).params if option.param_type_name == "option"]


def test_the_pages_are_fresh():
    committed = {path.name: path.read_text() for path in (ROOT / "man").iterdir()}
    assert committed == PAGES, "run: python -m rdbtool.cli.man man"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_pages_are_sound(name):
    if shutil.which("mandoc") is None:
        skip_without("mandoc is not installed")
    done = subprocess.run(["mandoc", "-Tlint", ROOT / "man" / name], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stdout.splitlines() if "referenced manual not found" not in line]
    assert complaints == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_in_the_page_and_in_the_help(command):
    page = PAGES[f"rdbtool-{command}.1"].replace("\\-", "-")
    help_text = run(command, "--help").out.decode()
    for option in options(command):
        assert option.help, option.name
        for name in [*option.opts, *option.secondary_opts]:
            assert re.search(rf"Fl {re.escape(name[1:])}(?![\w-])", page), name
            assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", help_text), name


def test_the_pages_of_commands_are_fresh():
    committed = {path.name: path.read_text() for path in (ROOT / "docs/commands").iterdir()}
    assert committed == reference.pages(), "run: python -m rdbtool.cli.reference docs/commands"


def test_the_completions_are_fresh():
    """Those that packages bring; the machine that compiles runs no command of rdbtool."""
    for shell, name in completion.FILES.items():
        committed = (ROOT / "completions" / name).read_text()
        assert committed == completion.script(shell), "run: python -m rdbtool.cli.completion completions"


def test_every_code_is_in_the_page():
    page = PAGES["rdbtool-findings.7"]
    assert [row.code for row in CODES] == re.findall(r"^\.It (\w+) Pq", page, re.MULTILINE)


def test_every_code_that_is_raised_is_in_the_table():
    raised = set()
    for directory in ("octets", "grammar", "reader", "engine"):
        for path in (ROOT / "rdbtool" / directory).glob("*.py"):
            raised |= set(re.findall(r'"((?:RDB|SRC|AOF|MAN|CMD|JSN)\d{3})"', path.read_text()))
    assert raised
    assert raised <= {row.code for row in CODES}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_transcripts_are_real(document, tmp_path):
    """UPDATE_GOLDEN=1 writes them anew."""
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    text = document.read_text()
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    assert blocks
    for block in blocks:
        for transcript in re.split(r"^(?=\$ )", block, flags=re.MULTILINE)[1:]:
            line, _, shown = transcript.partition("\n")
            assert line.startswith("$ rdbtool ")
            done = run(*shlex.split(line.removeprefix("$ rdbtool ")), cwd=tmp_path)
            printed = done.err + done.out.decode()
            if os.environ.get("UPDATE_GOLDEN") == "1" and not shown.endswith("…\n"):
                text = text.replace(transcript, f"{line}\n{printed}")
                document.write_text(text)
            elif shown.endswith("…\n"):
                assert printed.startswith(shown.removesuffix("…\n"))
            else:
                assert printed == shown


def test_the_readmes_python_examples_work(capsys, tmp_path, monkeypatch):
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert examples
    for example in examples:
        exec(compile(example, "README.md", "exec"), {})
        assert capsys.readouterr().out
