"""Completion, asked of the shells themselves."""

import os
import pty
import select
import shutil
import subprocess
import time

from command import environment, run
from required import skip_without

from rdbtool.cli.app import COMMANDS
from rdbtool.cli.typer_commands import build_command

CASES = [
    ("val", {"validate"}),
    ("dump --for", {"--format", "--force"}),
    ("dump --format j", {"json", "jsonl"}),
    ("dump -t s", {"string", "set", "stream"}),
    ("convert a b --target redis-7", {"redis-7.0", "redis-7.2", "redis-7.4"}),
    ("validate --rules valkey-8", {"valkey-8.0", "valkey-8.1"}),
    ("completion f", {"fish"}),
]


def script(shell, tmp_path):
    path = tmp_path / f"rdbtool.{shell}"
    path.write_bytes(run("completion", shell).out)
    return path


def found(shell):
    if shutil.which(shell) is None:
        skip_without(f"{shell} is not installed")
    return shell


def ask(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True, env=environment()).stdout


def test_bash(tmp_path):
    ask_it = (
        'COMP_WORDS=(rdbtool $1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _rdbtool; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    code = f"source {script('bash', tmp_path)}; {ask_it}"
    for line, expected in CASES:
        assert set(ask(found("bash"), "--norc", "-c", code, "bash", line).split()) == expected, line


def test_bash_with_an_equals_sign(tmp_path):
    code = f"source {script('bash', tmp_path)}; COMP_WORDS=(rdbtool dump --format = j); COMP_CWORD=4; _rdbtool"
    shown = ask(found("bash"), "--norc", "-c", code + '; printf "%s\\n" "${COMPREPLY[@]}"')
    assert set(shown.split()) == {"json", "jsonl"}


def test_fish(tmp_path):
    path = script("fish", tmp_path)
    for line, expected in CASES:
        shown = ask(found("fish"), "--no-config", "-c", f"source {path}; complete -C 'rdbtool {line}'")
        assert {row.split("\t")[0] for row in shown.splitlines()} == expected, line


def test_zsh(tmp_path):
    """A zsh in a terminal: what it shows behind a TAB."""
    found("zsh")
    # Nothing but this directory is read, and no directory has anything else in it that a word could be.
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - becomes the shell
        os.chdir(tmp_path)
        os.execvpe("zsh", ["zsh", "-f", "-i"], {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(tmp_path)})
    try:
        read_until(terminal, "%", "#")
        path = script("zsh", tmp_path)
        tell(terminal, "PS1='REA''DY> '; unsetopt zle_bracketed_paste; autoload -U compinit; compinit -u -D\n")
        read_until(terminal, "READY> ")
        tell(terminal, f". {path}\n")
        read_until(terminal, "READY> ")
        for line, expected in CASES:
            tell(terminal, f"rdbtool {line}\t")
            shown = read_until(terminal, quiet=0.5)
            if len(expected) > 1:
                tell(terminal, "\t")
                shown += read_until(terminal, quiet=0.5)
            typed = shown.replace("\x07", "")
            assert all(word in typed for word in expected), (line, shown)
            tell(terminal, "\x15")
            read_until(terminal, quiet=0.3)
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def tell(terminal, text):
    os.write(terminal, text.encode())


def read_until(terminal, *ends, quiet=10.0):
    """Return what is shown until one of the texts comes, or nothing does for a while."""
    shown, last = "", time.monotonic()
    while time.monotonic() - last < quiet:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
            last = time.monotonic()
            if any(end in shown for end in ends):
                break
    return shown


def test_no_script_for_another_shell():
    assert run("completion", "csh").code == 2


def test_every_option_with_choices_has_values():
    """Options that say "one of" have values to complete; their texts name each of them."""
    from rdbtool.cli.completion import _choices  # noqa: PLC0415

    for name in COMMANDS:
        texts = {option.opts[0]: option.help for option in build_command(name).params}
        for choice in _choices(name):
            if choice.values is not None and "one of " in texts.get(choice.names[0], "").lower():
                assert choice.values, (name, choice.names)
