"""The key that lies outside the database: buttons, undo nets and the audit chain are worthless without it."""

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

from memory.database import DatabaseBroken

KEY_BYTES = 32


class Keys:
    """Purpose-bound secrets derived from one file with mode 0600."""

    def __init__(self, master: bytes) -> None:
        self._master = master

    @classmethod
    def open(cls, path: Path) -> "Keys":
        """The key at `path`; made on first use. Raises DatabaseBroken when it is not whole."""
        if not path.exists():
            fresh = path.with_name(f"{path.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600)
            fresh.write_bytes(secrets.token_bytes(KEY_BYTES))
            fresh.replace(path)  # whole or not there: a crash leaves no half of a key
        master = path.read_bytes()
        if len(master) != KEY_BYTES:
            raise DatabaseBroken(f"{path} is not a key: put it back from your copy of DATA_DIR.")
        return cls(master)

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        return hmac.digest(self._master, purpose.encode(), "sha256")

    def button(self, kind: str, ident: str) -> str:
        """The 128-bit secret of a button, 22 characters; only its hash is stored."""
        return base64.urlsafe_b64encode(self.derive(f"button:{kind}:{ident}")[:16]).rstrip(b"=").decode()


def digest(of: str | bytes) -> str:
    """SHA-256 as hex."""
    return hashlib.sha256(of.encode() if isinstance(of, str) else of).hexdigest()
