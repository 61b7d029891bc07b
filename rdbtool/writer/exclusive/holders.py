"""Find the processes that have an AOF open, by the open files of all visible processes.

Files are recognised by device and inode, whatever their name; deleted ones, which have no name any more, by their
former name: a server whose AOF was replaced keeps writing to the file that it opened, and nothing on disk shows it.
Invisible processes (of other users, in other containers, on systems without ``/proc``) are not reported: an empty
result proves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from rdbtool.core.errors import InputError
from rdbtool.core.light_typing import Final, NamedTuple

_PROCESSES: Final = Path("/proc")

#: What the kernel appends to the name of a deleted file.
_DELETED: Final = " (deleted)"

#: Open files with such names are not AOFs, and there are many.
_ELSEWHERE: Final = ("/dev/", "/proc/", "/sys/", "/memfd:")

Identity = tuple[int, int]


class HeldError(InputError):
    """Another process has an AOF open, has begun to open it, or changed it."""


class Holder(NamedTuple):
    """A process that has a file open. ``name`` is the program's name in the kernel, at most 15 characters."""

    pid: int
    name: str
    file: Path
    is_writing: bool
    is_deleted: bool

    def describe(self) -> str:
        """Say in one sentence which process has the file open and what to do."""
        who = f"{self.name} (process {self.pid})" if self.name else f"process {self.pid}"
        if self.is_deleted:
            return f"{who} has {self.file} open, which was deleted: it would go on without this AOF; stop it first"
        if self.is_writing:
            return f"{self.file} is open for writing in {who}: stop it first"
        return f"{self.file} is being read by {who}: stop it, or wait for its end"


def find_holders(files: Mapping[Identity, Path], directory: Path, stem: str) -> list[Holder]:
    """Return the other processes that have one of ``files`` (device and inode → name) open, writers first.

    Includes files that were deleted from ``directory`` and whose name begins with ``stem``.
    """
    gone = f"{directory.resolve()}/{stem}"
    found = [holder for pid in _other_processes() for holder in _find_files_of(pid, files, gone)]
    return sorted(found, key=lambda holder: (not holder.is_writing, holder.is_deleted, holder.pid))


def _other_processes() -> Iterator[int]:
    try:
        names = [entry.name for entry in os.scandir(_PROCESSES)]
    except OSError:
        return
    own = os.getpid()
    for name in names:
        if name.isdecimal() and int(name) != own:
            yield int(name)


def _find_files_of(pid: int, files: Mapping[Identity, Path], gone: str) -> Iterator[Holder]:
    process = _PROCESSES / str(pid)
    try:
        descriptors = [entry.name for entry in os.scandir(process / "fd")]
    except OSError:
        # Another user's process, or it has just ended.
        return
    for number in descriptors:
        try:
            file, is_deleted = _recognise(process / "fd" / number, files, gone)
        except OSError:
            continue
        if file is not None:
            yield Holder(pid, _read_name(process), file, _is_writing(process / "fdinfo" / number), is_deleted)


def _recognise(link: Path, files: Mapping[Identity, Path], gone: str) -> tuple[Path | None, bool]:
    """Return which of the files is open there, None for any other, and whether it was deleted. Raises OSError."""
    name = str(link.readlink())
    if not name.startswith("/") or name.startswith(_ELSEWHERE):
        return None, False
    status = link.stat()
    file = files.get((status.st_dev, status.st_ino))
    if file is None and name.endswith(_DELETED) and name.startswith(gone) and "/" not in name[len(gone) :]:
        return Path(name.removesuffix(_DELETED)), True
    return file, False


def _is_writing(info: Path) -> bool:
    try:
        lines = info.read_text().splitlines()
    except OSError:
        return False
    flags = next((line.split()[1] for line in lines if line.startswith("flags:")), "0")
    return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY


def _read_name(process: Path) -> str:
    try:
        name = (process / "comm").read_bytes().rstrip(b"\n").decode(errors="replace")
    except OSError:
        return ""
    # Programs choose their own name, and this is printed on a terminal.
    return "".join(character if character.isprintable() else "?" for character in name)
