"""Puts the packages of a lock file into the environment that runs this: with uv in seconds, without it with pip.

`.venv/bin/python .ci/packages.py requirements.lock`; the Makefile calls it.
"""

import ast
import os
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV_LOCK = ROOT / "requirements-uv.lock"
UV = Path(sys.executable).with_name("uv")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
AS_UV_SAYS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
}
"""pip's settings of where packages come from, and the variables by which uv knows them."""
SECTIONS = ("global", "install", ":env:")
"""Of pip's settings, the later first."""
UNFINISHED = Path(sys.prefix, ".unfinished")
"""Stands here while something is installed: where it still does, half a package may have been left behind."""


def pips_settings() -> dict[str, str]:
    """What pip's own files and variables say, by option."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in found and value != "''":
            found[section][option] = str(ast.literal_eval(value))
    return {option: value for section in SECTIONS for option, value in found[section].items()}


def uvs_environment(settings: dict[str, str]) -> dict[str, str]:
    """The variables that make uv go where pip goes, and nowhere else."""
    told = {name: " ".join(settings[option].split()) for option, name in AS_UV_SAYS.items() if option in settings}
    if "UV_FIND_LINKS" in told:
        told["UV_FIND_LINKS"] = told["UV_FIND_LINKS"].replace(" ", ",")
    if bundle := os.environ.get("REQUESTS_CA_BUNDLE"):
        told.setdefault("SSL_CERT_FILE", bundle)
    # Of several indexes pip takes the best version, and trusts this machine's certificates. Hashes decide anyway.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true", **told}


def has_uv() -> bool:
    """Whether uv is here by now: the one that its own lock file names, never built from source."""
    with suppress(PackageNotFoundError):
        if UV_LOCK.read_text().startswith(f"uv=={version('uv')} "):
            return True
    print("Getting uv, which installs the rest in seconds", flush=True)
    wanted = ("install", "--retries", "1", "--require-hashes", "--only-binary", ":all:", "--requirement", str(UV_LOCK))
    return subprocess.run([*PIP, *wanted], check=False).returncode == 0 and UV.exists()


def with_uv(lock: str, afresh: bool) -> bool:
    """Install the lock file with uv; False when that did not go well."""
    print(f"Installing {lock} with uv", flush=True)
    settings = pips_settings()
    options = ["--no-index"] if settings.get("no-index", "").lower() in ("1", "true", "yes", "on") else []
    options += ["--reinstall"] if afresh else []
    command = [str(UV), "pip", "install", "--python", sys.executable, *options, "--require-hashes", "-r", lock]
    told = os.environ | uvs_environment(settings)
    try:
        running = subprocess.Popen(command, env=told, stderr=subprocess.PIPE, encoding="utf-8", errors="replace")
    except OSError as error:  # made for another machine, for instance
        print(f"uv does not run here: {error.strerror}", flush=True)
        return False
    with running:
        for line in running.stderr or ():
            if not line.startswith((" + ", " - ", " ~ ")):  # one for each package
                print(line, end="", flush=True)
    return running.returncode == 0


def with_pip(lock: str, afresh: bool) -> bool:
    """The same with pip."""
    print(f"Without uv, then: installing {lock} with pip, which takes a minute or two", flush=True)
    options = ["--force-reinstall"] if afresh else []
    command = [*PIP, "install", *options, "--require-hashes", "--requirement", lock]
    return subprocess.run(command, check=False).returncode == 0


def main(lock: str) -> int:
    """Install a lock file; the exit code."""
    afresh, uv = UNFINISHED.exists(), has_uv()
    UNFINISHED.touch()
    done = (uv and with_uv(lock, afresh)) or with_pip(lock, afresh or uv)
    if done:
        UNFINISHED.unlink()
    return 0 if done else 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
