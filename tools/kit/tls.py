"""Whom to trust: the public authorities, one CA file, or one pinned certificate. There is no way to trust anybody."""

import hashlib
import re
import ssl

import httpx

from tools.kit.errors import ToolFailed


class CertificateChanged(ssl.SSLCertVerificationError):
    """The service shows another certificate than the pinned one."""

    def __init__(self, pinned: str, shown: str) -> None:
        super().__init__(f"pinned {pinned[:16]}…, shown {shown[:16]}…")
        self.pinned, self.shown = pinned[:16], shown[:16]


def context(service: str, url: str, *, ca_file: str = "", fingerprint: str = "") -> ssl.SSLContext:
    """What a client of this address judges certificates by, whichever library it is made of. Raises ToolFailed."""
    if url.startswith("https:"):
        return trust(service, ca_file=ca_file, fingerprint=fingerprint)
    if ca_file or fingerprint:
        raise ToolFailed(f"{service} has a certificate to check but an http:// address: use https://.")
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody, and is never asked


def trust(
    service: str, *, ca_file: str = "", fingerprint: str = "", own: tuple[str, str] | None = None
) -> ssl.SSLContext:
    """How to check the service's certificate. Raises ToolFailed when the settings name something unusable.

    `own` are the files of the certificate and the key that we show.
    """
    context = _trusting(service, ca_file, fingerprint)
    if own:
        try:
            # Without an answer of ours OpenSSL would ask the terminal for a passphrase, and wait.
            context.load_cert_chain(*own, password=_nothing)
        except (OSError, ValueError):
            raise ToolFailed(
                f"The client certificate of {service} cannot be used: {own[0]} and {own[1]} must be readable PEM files"
                " that belong together, the key without a passphrase."
            ) from None
    return context


def _nothing() -> str:
    return ""


def _trusting(service: str, ca_file: str, fingerprint: str) -> ssl.SSLContext:
    if fingerprint:
        return _pinning(_normal(service, fingerprint))
    if not ca_file:
        context = httpx.create_ssl_context(trust_env=False)
    else:
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ValueError):
            raise ToolFailed(f"The CA file of {service} cannot be used: it must be a readable PEM file.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _normal(service: str, fingerprint: str) -> str:
    bare = re.sub(r"(?i)^sha-?256[:=]|[\s:]", "", fingerprint.strip()).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", bare):
        raise ToolFailed(f"The fingerprint of {service} is not a SHA-256 one: it has 64 hexadecimal digits.")
    return bare


def _pinning(pinned: str) -> ssl.SSLContext:
    def check(connection: ssl.SSLObject | ssl.SSLSocket) -> None:
        shown = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()
        if shown != pinned:
            raise CertificateChanged(pinned, shown)

    class Pinned(ssl.SSLObject):
        """A TLS connection that ends before the first byte of a request when the certificate is another one."""

        def do_handshake(self) -> None:
            super().do_handshake()
            check(self)

    class PinnedSocket(ssl.SSLSocket):
        """The same for whoever wraps a socket, as urllib3 does."""

        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            check(self)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The pin replaces the chain and the name, not adds to them: a self-signed certificate has neither.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslobject_class, context.sslsocket_class = Pinned, PinnedSocket
    return context
