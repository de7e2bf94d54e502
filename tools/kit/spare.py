"""What an SDK would load for a feature that nobody uses is left out."""

import sys
import threading
from importlib import import_module

_once = threading.Lock()


def spared(module: str, without: str) -> None:
    """Import a module that can do without another one as if that were not there; who needs it imports it later."""
    with _once:
        if module in sys.modules or without in sys.modules:
            return
        sys.modules[without] = None  # type: ignore[assignment]
        try:
            import_module(module)
        finally:
            del sys.modules[without]
