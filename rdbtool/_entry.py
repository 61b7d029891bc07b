"""Entry point of the ``rdbtool`` command, and the only place where errors become messages and exit codes.

``--version`` and the help of the program are answered before anything heavy is imported. Everything else goes to the
command line application; every failure becomes one sentence on standard error and one exit code.
"""

from __future__ import annotations

# What ``signal`` is made of: that one makes enums of its numbers, which takes as long as reading a small file.
import _signal as signal  # type: ignore[import-not-found]
import atexit
import errno
import gc
import os
import sys

from rdbtool.core.exiting import keep_from_now_on
from rdbtool.core.light_typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from rdbtool.report.screen import Line

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141
EXIT_BUG = 70

_VERSION = (["--version"], ["-V"], ["version"])
_HELP = (["--help"], ["-h"], ["help"])


class Terminated(BaseException):
    """A termination signal as an exception, so that temporary files are removed on the way."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def main() -> NoReturn:
    """Run the command line of this process and exit with its code."""
    # Hardly any cycles are created: searching for them costs a short command a twentieth of its time.
    gc.set_threshold(100_000)
    keep_from_now_on()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Under nohup, SIGHUP is ignored and has to stay so.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminate)
    _leave(run(sys.argv[1:]))


def _leave(code: int) -> NoReturn:
    """End this process, without what the interpreter does last: it frees memory that the system frees anyway."""
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other way, short of the whole end
    for stream in (sys.stdout, sys.stderr):
        # What was written before a signal; errors of standard output were met before.
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue
    os._exit(code)


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(number)


def run(arguments: Sequence[str]) -> int:
    """Run one command line (without the program's name) and return its exit code; errors are printed."""
    try:
        code = _dispatch(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        code = EXIT_CLOSED_PIPE
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except Terminated as signalled:
        code = signalled.exit_code
    except Exception as error:  # noqa: BLE001 - nothing may pass: Python's own exit code 1 would say that data is bad
        code = _explain(error)
    return code


def _explain(error: Exception) -> int:
    """Print one sentence about an error and return its exit code."""
    from rdbtool.core.errors import LimitError, RdbToolError  # noqa: PLC0415 - not for --version

    if isinstance(error, MemoryError):
        error = LimitError("out of memory")
    if isinstance(error, RdbToolError):
        from rdbtool.report.error_text import error_lines  # noqa: PLC0415 - as above

        _complain(*error_lines(error))
        return error.exit_code
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        # Data that the interpreter had buffered for standard output.
        _drop_output()
        _complain((f"cannot write to standard output: {error.strerror}",))
        return RdbToolError.exit_code
    if os.environ.get("RDBTOOL_DEBUG") == "1":
        import traceback  # noqa: PLC0415 - for bugs only

        traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}"
    _complain((f"this is a bug in rdbtool ({what}); please report it with the output that RDBTOOL_DEBUG=1 gives",))
    return EXIT_BUG


def _dispatch(arguments: Sequence[str]) -> int:
    words = list(arguments)
    if words in _VERSION:
        from rdbtool.core.distribution import find_version  # noqa: PLC0415 - lazy

        sys.stdout.write(f"rdbtool {find_version()}\n")
        return 0
    if words in _HELP or not words:
        from rdbtool.cli.overview import overview  # noqa: PLC0415 - lazy

        (sys.stdout if words else sys.stderr).write(overview())
        return 0 if words else EXIT_USAGE
    if words[0] == "help":
        words = [words[1], "--help"]
    from rdbtool.cli.app import run_command  # noqa: PLC0415 - lazy

    return run_command(words)


def _complain(*lines: Line) -> None:
    if sys.stderr is not None:
        from rdbtool.report.screen import Styled, error_screen  # noqa: PLC0415 - not for --version

        first, *rest = lines
        sys.stderr.write(error_screen().text([(Styled("rdbtool:", "bad"), " ", *first), *rest]))


def _drop_output() -> None:
    """Redirect standard output, so that the interpreter's last flush cannot fail again."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
