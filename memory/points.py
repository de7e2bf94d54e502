"""Named moments at which a test may kill the process. Nothing in the program ever sets the hook."""

from collections.abc import Callable

hook: Callable[[str], None] | None = None


def point(name: str) -> None:
    """Mark a moment that a crash could hit."""
    if hook is not None:
        hook(name)
