"""The files that settings come from: readable by their owner alone, in a form that can be read, each name once."""

import difflib
import io
import shlex
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from dotenv.parser import Binding, parse_stream


class Unreadable(Exception):
    """Nothing can be taken from a file. `str()` says which and why."""


def env_file_problems(path: Path, names: frozenset[str], secrets: frozenset[str]) -> list[str]:
    """What is wrong with a settings file, by name and line, never by value; nothing when there is no file.

    Raises Unreadable when there is no way to tell.
    """
    try:
        if path.is_symlink() and not path.exists():
            raise Unreadable(f"{path}: this link leads nowhere.")
        if path.is_dir():
            raise Unreadable(f"{path}: this is a folder, not a settings file.")
        if not path.is_file():
            return []  # /dev/null, a pipe, or nothing
        bindings = list(parse_stream(io.StringIO(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise Unreadable(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{path}: is not UTF-8 text; save it as that.") from None
    return [
        *_malformed(path, bindings),
        *_misspelt(bindings, names, path),
        *_repeated(bindings, names, path),
        *_open_to_others(path, bindings, secrets),
    ]


def credential_problems(folder: Path, secrets: frozenset[str]) -> list[str]:
    """What is wrong with the files of $CREDENTIALS_DIRECTORY. Raises Unreadable when there is no way to tell.

    A group may read them: systemd gives 0440 to a service that runs as another user.
    """
    try:
        if not folder.stat().st_mode & stat.S_IXOTH:
            return []  # others cannot get in
        found = sorted(path for path in folder.iterdir() if path.name.upper() in secrets and path.is_file())
        seen = [path for path in found if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unreadable(f"CREDENTIALS_DIRECTORY: cannot be read ({error.strerror}).") from None
    return [f"{path}: everyone on this machine can read this secret: {_close(path)}" for path in seen]


def _malformed(path: Path, bindings: Iterable[Binding]) -> Iterator[str]:
    for binding in bindings:
        if binding.error:
            yield f"{path}: line {binding.original.line} cannot be read as NAME=value."


def _misspelt(bindings: Iterable[Binding], names: frozenset[str], path: Path) -> Iterator[str]:
    """Names that nothing reads but that look like ours: a mistyped FORBIDDEN_TARGETS would forbid nothing."""
    for name in sorted({binding.key.upper() for binding in bindings if binding.key} - names):
        if meant := difflib.get_close_matches(name, names, 1, cutoff=0.9):
            yield f"{name}: nothing reads this name in {path}; is {meant[0]} meant?"


def _repeated(bindings: Iterable[Binding], names: frozenset[str], path: Path) -> Iterator[str]:
    """Settings of ours that stand there twice: which one was meant? Other names may be secrets pasted bare."""
    for name, times in Counter(binding.key.upper() for binding in bindings if binding.key).items():
        if times > 1 and name in names:
            yield f"{name}: stands {times} times in {path}; keep one."


def _open_to_others(path: Path, bindings: Iterable[Binding], secrets: frozenset[str]) -> Iterator[str]:
    """A link is judged by what it leads to: the link itself has no permissions."""
    held = sorted({name for b in bindings if b.key and b.value and (name := b.key.upper()) in secrets})
    if held and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield f"{path}: others on this machine can reach it, and it holds {', '.join(held)}: {_close(path)}"


def _close(path: Path) -> str:
    target = path.resolve() if path.is_symlink() else path
    return f"chmod 600 {shlex.quote(str(target))}"
