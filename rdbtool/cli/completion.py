"""``rdbtool completion``: completion scripts for shells, generated from the commands.

A script contains every command, option and value, so that TAB starts no Python. File arguments are completed by the
shell.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rdbtool.cli.options import check_choice
from rdbtool.cli.overview import PROGRAM, SUMMARIES
from rdbtool.cli.parameters import Argument
from rdbtool.core.light_typing import Annotated, Any, Final, NamedTuple
from rdbtool.core.rdb_types import KINDS, VERSIONS
from rdbtool.core.servers import RELEASES

#: Characters that may not appear in the quoted help texts of a script.
_UNQUOTABLE: Final = re.compile(r"[\"'`$\\:\[\]]")

_SERVERS: Final = tuple(f"{family}-{major}.{minor}" for family in RELEASES for major, minor in RELEASES[family])
_VERSIONS: Final = tuple(f"rdb-{version}" for first, last in VERSIONS.values() for version in range(first, last + 1))


class Choice(NamedTuple):
    """An option of a command: its names, help, and possible values; None for a flag.

    No values: anything. ``is_file``: the name of a file or directory.
    """

    names: tuple[str, ...]
    text: str
    values: tuple[str, ...] | None
    is_file: bool = False


def completion(
    shell: Annotated[str, Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script that completes commands, options and their values in a shell."""
    check_choice("SHELL", shell, tuple(_SCRIPTS))
    if sys.stdout is not None:
        sys.stdout.write(script(shell))


def script(shell: str) -> str:
    """Return the completion script of a shell."""
    return "\n".join(_SCRIPTS[shell]({name: tuple(_choices(name)) for name in SUMMARIES})) + "\n"


def _choices(name: str) -> Iterator[Choice]:
    """Yield the options of a command."""
    from rdbtool.cli.typer_commands import build_command

    values = _values()
    for option in build_command(name).params:
        if option.param_type_name == "option":
            names = (*option.opts, *option.secondary_opts)
            text = _UNQUOTABLE.sub("", re.split(r"(?<=[.:;])\s", option.help, maxsplit=1)[0].rstrip(".:;"))
            known = next((values[key] for key in ((name, option.opts[0]), option.opts[0]) if key in values), ())
            yield Choice(names, text, None if option.is_flag else known, option.metavar in {"FILE", "DIR", "DST"})
    yield Choice(("-h", "--help"), "Print the help of the command", None)


def _values() -> dict[Any, tuple[str, ...]]:
    """Return the possible values of options by first name, or by command and name where commands differ."""
    from rdbtool.cli.memory import MEMORY_FORMS
    from rdbtool.cli.stats import BY
    from rdbtool.cli.validate import FORMATS, LEVELS
    from rdbtool.core.memory_models import ALLOCATORS
    from rdbtool.dataset.forms import CONVERTED, ESCAPES, PRINTED

    return {
        "--type": tuple(KINDS),
        "--no-type": tuple(KINDS),
        "--rules": _SERVERS,
        "--target": _SERVERS + _VERSIONS,
        "--min-version": _SERVERS,
        "--escape": tuple(ESCAPES),
        "--to": tuple(CONVERTED),
        "--level": LEVELS,
        "--drop": ("functions", "scripts", "aux", "module-aux", "groups", "module:"),
        "--before": ("flushall", "flushdb", "del", "unlink"),
        "--before-last": ("flushall", "flushdb", "del", "unlink"),
        ("dump", "--format"): tuple(PRINTED),
        ("memory", "--format"): MEMORY_FORMS,
        ("validate", "--format"): FORMATS,
        ("stats", "--format"): FORMATS,
        "--by": BY,
        "--compare": _SERVERS,
        "--allocator": ALLOCATORS,
    }


_Commands = dict[str, tuple[Choice, ...]]


def _bash(commands: _Commands) -> Iterator[str]:
    yield f"# Completion of {PROGRAM} for bash."
    yield f"_{PROGRAM}() {{"
    yield '    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} options=""'
    yield "    # --option=value comes as three words."
    yield '    if [[ $cur == "=" ]]; then cur=""; elif [[ $prev == "=" ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi'
    yield "    COMPREPLY=()"
    yield "    if [[ $COMP_CWORD == 1 ]]; then"
    yield f'        COMPREPLY=($(compgen -W "{" ".join((*commands, "help", "version"))}" -- "$cur"))'
    yield "        return"
    yield "    fi"
    yield '    case "${COMP_WORDS[1]} $prev" in'
    for name, choices in commands.items():
        for choice in choices:
            if choice.values:
                pattern = "|".join(f'"{name} {each}"' for each in choice.names)
                yield f'        {pattern}) COMPREPLY=($(compgen -W "{" ".join(choice.values)}" -- "$cur")); return ;;'
    yield f'        "completion completion") COMPREPLY=($(compgen -W "{" ".join(_SCRIPTS)}" -- "$cur")); return ;;'
    yield f'        "help help") COMPREPLY=($(compgen -W "{" ".join(commands)}" -- "$cur")); return ;;'
    yield "    esac"
    yield "    [[ $cur == -* ]] || return"
    yield '    case "${COMP_WORDS[1]}" in'
    for name, choices in commands.items():
        yield f'        {name}) options="{" ".join(each for choice in choices for each in choice.names)}" ;;'
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$options" -- "$cur"))'
    yield "}"
    yield f"complete -o default -o bashdefault -F _{PROGRAM} {PROGRAM}"


def _zsh(commands: _Commands) -> Iterator[str]:
    yield f"#compdef {PROGRAM}"
    yield f"_{PROGRAM}() {{"
    yield "    local -a commands"
    yield "    commands=("
    for name, summary in SUMMARIES.items():
        yield f"        '{name}:{_UNQUOTABLE.sub('', summary)}'"
    yield "    )"
    yield "    if (( CURRENT == 2 )); then"
    yield "        _describe command commands"
    yield "        _files"
    yield "        return"
    yield "    fi"
    yield "    local command=$words[2]"
    yield "    shift words"
    yield "    (( CURRENT-- ))"
    yield "    case $command in"
    for name, choices in commands.items():
        yield f"        {name})"
        yield "            _arguments -s -S \\"
        for choice in choices:
            for each in choice.names:
                yield f"                '*{each}[{choice.text}]{_zsh_value(choice)}' \\"
        last = f"'1:shell:({' '.join(_SCRIPTS)})'" if name == "completion" else "'*:file:_files'"
        yield f"                {last}"
        yield "            ;;"
    yield f"        help) _arguments '1:command:({' '.join(commands)})' ;;"
    yield "    esac"
    yield "}"
    yield f'if [[ $funcstack[1] == _{PROGRAM} ]]; then _{PROGRAM} "$@"; else compdef _{PROGRAM} {PROGRAM}; fi'


def _zsh_value(choice: Choice) -> str:
    if choice.values is None:
        return ""
    if choice.values:
        return f":value:({' '.join(value.replace(':', chr(92) + ':') for value in choice.values)})"
    return ":file:_files" if choice.is_file else ":value: "


def _fish(commands: _Commands) -> Iterator[str]:
    yield f"# Completion of {PROGRAM} for fish."
    for name, summary in SUMMARIES.items():
        yield f"complete -c {PROGRAM} -n __fish_use_subcommand -a {name} -d '{_UNQUOTABLE.sub('', summary)}'"
    yield f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from help' -x -a '{' '.join(commands)}'"
    yield f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from completion' -x -a '{' '.join(_SCRIPTS)}'"
    for name, choices in commands.items():
        for choice in choices:
            names = " ".join(f"-l {each[2:]}" if each.startswith("--") else f"-s {each[1:]}" for each in choice.names)
            value = ""
            if choice.values:
                value = f" -x -a '{' '.join(choice.values)}'"
            elif choice.values is not None:
                value = " -r" if choice.is_file else " -x"
            yield (f"complete -c {PROGRAM} -n '__fish_seen_subcommand_from {name}' {names}{value} -d '{choice.text}'")


_SCRIPTS: Final[dict[str, Callable[[_Commands], Iterator[str]]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}

#: Where a shell looks for the script below the directory of its kind, see pyproject.toml.
FILES: Final = {"bash": "bash/rdbtool", "zsh": "zsh/_rdbtool", "fish": "fish/rdbtool.fish"}


def main() -> None:
    """Write all scripts into the directory named on the command line, for a package to bring them."""
    for shell, name in FILES.items():
        path = Path(sys.argv[1]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script(shell))


if __name__ == "__main__":
    main()
