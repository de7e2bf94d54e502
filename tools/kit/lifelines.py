"""What a home hangs on, whoever runs it: names, the way in, the door to the rest. It is never touched unasked."""

from collections.abc import Iterable

_DNS = "it answers DNS: names stop resolving while it is away"
_DOOR = "it is the door to your other services"
_WAY_IN = "you may be reaching this network through it"
LIFELINES = {
    "socket-proxy": "this bot may be reaching Docker through it",
    **dict.fromkeys(("pihole", "pi-hole", "adguard", "unbound", "coredns", "technitium", "dnsmasq", "bind9"), _DNS),
    **dict.fromkeys(("blocky", "dnscrypt", "knot-resolver", "powerdns", "pdns"), _DNS),
    **dict.fromkeys(("traefik", "nginx-proxy-manager", "caddy", "haproxy", "zoraxy"), _DOOR),
    **dict.fromkeys(("tailscale", "headscale", "wireguard", "wg-easy", "cloudflared", "openvpn"), _WAY_IN),
    **dict.fromkeys(("zerotier", "netbird", "gluetun"), _WAY_IN),
}
"""Part of a program's name → why whatever runs it always asks."""
LIFELINE_PORTS = {
    (53, "udp"): _DNS, (53, "tcp"): _DNS, (443, "tcp"): "it answers on port 443: your other services may be behind it",
    (51820, "udp"): _WAY_IN, (1194, "udp"): _WAY_IN, (41641, "udp"): _WAY_IN,
}  # fmt: skip
"""Port that is open to the network → the same, whatever the program is called."""


def why_kept(program: str, ports: Iterable[tuple[int | None, str]]) -> str:
    """What would break for everyone, this bot among them, without a program and its ports; empty when nothing."""
    found = [reason for name, reason in LIFELINES.items() if name in program.lower()]
    given = set(ports)
    return next(iter(found + [reason for port, reason in LIFELINE_PORTS.items() if port in given]), "")
