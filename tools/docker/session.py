"""The docker SDK's session, kept in bounds: reads only when it may only read, in time, in size, never redirected.

Importing this module imports the SDK, so only `hosts.py` does, at the first call.
"""

import json
import ssl
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import reduce
from typing import Any, TypeVar
from urllib.parse import quote as quote_path
from urllib.parse import urlsplit

import requests
from docker import APIClient
from docker.constants import DEFAULT_DOCKER_API_VERSION, DEFAULT_USER_AGENT
from docker.errors import DockerException
from requests.adapters import BaseAdapter

from tools.docker.podman import in_dockers_words
from tools.docker.rows import is_hex_id, short
from tools.docker.settings import Options, there
from tools.docker.unix import UnixAdapter
from tools.docker.versions import VersionRefused, agreed, refuses, written
from tools.kit import Access, BadAnswer, Gone, NoAnswer, OutcomeUnknown, ToolFailed
from tools.kit.failures import from_answer, quote
from tools.kit.masking import seen
from tools.kit.raw import Raw, record, records, texts
from tools.kit.reasons import Certificates, causes
from tools.kit.registries.keyring import Keyring
from tools.kit.session import HttpSession
from tools.kit.sockets import FarSideEnded, TcpAdapter
from tools.kit.tls import trust
from tools.kit.transport import READING

T = TypeVar("T")

AFTERWARDS = "try again, then check that it runs"


class Session(HttpSession, APIClient):
    """A connection to one engine."""

    certificates = Certificates(
        theirs="put the certificate of its authority into ca.pem (see DOCKER_CERT_PATH)",
        ours="put cert.pem and key.pem that it knows beside ca.pem (see DOCKER_CERT_PATH)",
    )

    def __init__(self, service: str, address: str, access: Access, patience: float, options: Options) -> None:
        # Not the SDK's own: it reads the docker command's files, breaks where those are damaged, and asks the engine.
        super().__init__(service, access, patience)
        self.timeout = patience  # type: ignore[assignment]
        self.keyring, self._newest = Keyring(options.folder, options.auths), options.newest
        own = {"User-Agent": DEFAULT_USER_AGENT, "Accept-Encoding": "identity"}
        self.headers.update(self.keyring.headers() | own)
        self._general_configs: Raw = {}
        self._version = DEFAULT_DOCKER_API_VERSION
        self._negotiated = False
        self.clock_offset = 0.0
        """How far the engine's clock is ahead of ours, in seconds."""
        self.podman = False
        """Whether it is Podman that answers."""
        self._doubt = AFTERWARDS
        """What to do when it hangs up: another thing before it has ever answered."""
        self.base_url, adapter = self._way(address, options)
        self.mount(f"{urlsplit(self.base_url).scheme}://", adapter)

    def _way(self, address: str, options: Options) -> tuple[str, BaseAdapter]:
        match address.partition("://"):
            case "ssh", _, _:
                from tools.docker.ssh import LOST, ssh_adapter  # slow, and only here of use

                self.lost += LOST
                return "http://ssh", ssh_adapter(self.service, address)
            case "unix", _, path:
                return "http+docker://localhost", UnixAdapter(self.service, path)
            case "https", _, place:
                self._doubt = f"it may not accept our certificate, or the lack of one: {self.certificates.ours}"
                return f"https://{place.rstrip('/')}", TcpAdapter(_trust(self.service, options))
            case _, _, place:
                self._doubt = "check that Docker listens there, and whether it wants TLS (https://)"
                return f"http://{place.rstrip('/')}", TcpAdapter()

    def answer(self, call: Callable[[Any], T]) -> T:
        """What `call(self)` returns, asked in a version of the API that both sides speak. Raises ToolFailed."""
        write = self.access is Access.WRITE
        try:
            self._negotiate(afresh=write)  # before a change always: it is never sent a second time
            try:
                return call(self)
            except VersionRefused:
                if write:
                    raise
                self._negotiate()
                return call(self)
        except (DockerException, requests.RequestException) as error:  # the SDK's own, before it sends anything
            why = quote(str(error), seen)
            if write:
                text = f"{self.service} may have been asked this ({why}): look at the target before asking again."
                raise OutcomeUnknown(text) from error
            raise ToolFailed(f"{self.service} could not be asked this ({why}): ask in another way.") from error

    def _negotiate(self, *, afresh: bool = False) -> None:
        """Speak the newest version that both sides know."""
        if self._negotiated and not afresh:
            return
        try:
            found = self.version(api_version=False)
        except Gone:
            found = None  # something else is there
        self._version = written(agreed(self.service, found, self._newest))
        self._negotiated = True

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The engine's answer, from which its clock and its kind are heard. Raises ToolFailed."""
        response = super().send(request, **kwargs)
        self._doubt = AFTERWARDS
        self._hear_the_clock(response)
        if response.ok:  # a refusal may be a proxy's
            self.podman = "Libpod-Api-Version" in response.headers
        return response

    def now(self) -> float:
        """Seconds since 1970 on the engine's clock."""
        return time.time() + self.clock_offset

    def log_stream(self, container: str, tail: int, since: int | None) -> requests.Response:
        """What a container has printed, as the engine sends it, not followed."""
        params = {"stdout": 1, "stderr": 1, "follow": 0, "timestamps": 0, "tail": tail}
        path = f"/containers/{quote_path(container)}/logs"
        return self._asked("GET", path, params=params | ({"since": since} if since else {}), stream=True)

    def differences(self, container: str) -> list[Raw]:
        """What a container has otherwise than its image, path by path."""
        path = f"/containers/{quote_path(container)}/changes"
        return records(parse_json(self._asked("GET", path).content, self.service))

    def events_of_last(self, seconds: int, filters: dict[str, list[str]]) -> list[Raw]:
        """What happened until now, oldest first; what happens from now on is not waited for."""
        until = self.now()
        params: Raw = {"since": int(until - seconds), "until": f"{until:.6f}"}
        if filters:
            params["filters"] = json.dumps(filters)
        lines = self._asked("GET", "/events", params=params).content.splitlines()
        return [record(parse_json(line, self.service)) for line in lines if line.strip()]

    def disk_usage(self, *kinds: str) -> Raw:
        """What `image`, `container`, `volume` and `build-cache` take, in the engine's own shape; old ones tell all."""
        return self._told("/system/df", params={"verbose": "true", "type": kinds})

    def inspect_container(self, container: Any) -> Raw:
        """One container in dockerd's words; what is secret in its environment is remembered, and not quoted later."""
        found = in_dockers_words(record(super().inspect_container(container)), podman=self.podman)
        seen.learn(texts(record(found.get("Config")).get("Env")))
        return found

    def podmans_own(self, container: str) -> Raw:
        """One container as Podman describes it to its own clients, which is more than Docker's API has room for."""
        return self._told(f"/libpod/containers/{quote_path(container)}/json")

    def image(self, name: str) -> Raw:
        """One image, inspected."""
        return record(self.inspect_image(name))  # type: ignore[no-untyped-call]

    def offered(self, name: str) -> Raw:
        """What the registry has under this name; the engine asks it."""
        header, _ = self.keyring.header_for(name)
        return self._told(f"/distribution/{quote_path(name, safe='/:')}/json", headers=header)

    def fetch(self, repository: str, tag: str) -> tuple[str, str]:
        """Pull an image: the engine's report line by line, and what was wrong with the registry's credentials."""
        header, wrong = self.keyring.header_for(repository)
        params = {"fromImage": repository, "tag": tag}
        return self._result(self._asked("POST", "/images/create", params=params, headers=header)), wrong

    def create(self, body: Raw, name: str) -> Raw:
        """A new container, not started."""
        seen.learn(texts(body.get("Env")))
        return record(self.create_container_from_config(body, name))  # type: ignore[no-untyped-call]

    def tag(self, image: str, repository: str, tag: str) -> None:  # type: ignore[override]
        """Give an image one more name; the SDK's own sends a parameter that no engine knows any more."""
        self._asked("POST", f"/images/{quote_path(image)}/tag", params={"repo": repository, "tag": tag})

    def set_restart_policy(self, container: str, policy: Raw) -> None:
        """When the engine starts it by itself."""
        path = f"/containers/{quote_path(container)}/update"
        self._asked("POST", path, json={"RestartPolicy": policy})

    def join_network(self, network: str, container: str, endpoint: Raw) -> None:
        """Connect a container to a network with the given endpoint settings."""
        body = {"Container": container, "EndpointConfig": endpoint}
        self._asked("POST", f"/networks/{quote_path(network)}/connect", json=body)

    def _told(self, path: str, **kwargs: Any) -> Raw:
        return record(parse_json(self._asked("GET", path, **kwargs).content, self.service))

    def _asked(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        response = self.request(method, f"{self.base_url}/v{self.api_version}{path}", timeout=self.timeout, **kwargs)
        self._raise_for_status(response)
        return response

    def _raise_for_status(self, response: requests.Response) -> None:
        if response.status_code >= 400:
            write = response.request.method not in READING
            # The target by the digits it is known by: its whole id would crowd out what else the words name.
            ids = [part for part in urlsplit(response.request.url or "").path.split("/") if is_hex_id(part)]

            def hide(words: str) -> str:
                return reduce(lambda said, ident: said.replace(ident, short(ident)), ids, seen(words))

            with response:
                if refuses(response.status_code, response.content):
                    self._negotiated = False
                    raise VersionRefused(
                        f"{self.service} now speaks another version of its API, and did nothing: try again."
                    )
                raise from_answer(response, self.service, write=write, hide=hide)

    def _result(self, response: requests.Response, json: bool = False, binary: bool = False) -> Any:
        self._raise_for_status(response)
        if json:
            return parse_json(response.content, self.service, write=response.request.method not in READING)
        return response.content if binary else response.content.decode("utf-8", "replace")

    def translated(self, error: Exception, *, write: bool) -> ToolFailed:
        """An error of the connection as one of ours; what the far side printed is quoted."""
        self._negotiated = False  # after an outage the engine may be another version
        ended = next((each for each in causes(error) if isinstance(each, ConnectionResetError | ssl.SSLEOFError)), None)
        if write or ended is None:
            return super().translated(error, write=write)
        said = quote(str(ended), seen) if isinstance(ended, FarSideEnded) else ""
        lost = NoAnswer(f"The connection to {self.service} was lost{f' ({said})' if said else ''}: {self._doubt}.")
        lost.outside = bool(said)
        return lost

    def _hear_the_clock(self, response: requests.Response) -> None:
        try:
            theirs = parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
        except (ValueError, OverflowError):
            return
        offset = theirs - time.time()
        self.clock_offset = offset if abs(offset) > 2 else 0.0


def _trust(service: str, options: Options) -> ssl.SSLContext:
    """What the docker command would judge the engine's certificate by, and the one that it would show."""
    folder = options.certificates or options.folder
    authority, certificate, key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    if there(certificate) is not there(key):
        raise ToolFailed(f"{service} was not asked: cert.pem and key.pem go together, and one is not in {folder}.")
    return trust(
        service,
        # Where nobody has named an authority the public ones are asked, as for a proxy with a certificate of theirs.
        ca_file=str(authority) if options.certificates or there(authority) else "",
        own=(str(certificate), str(key)) if there(key) else None,
    )


def parse_json(body: bytes, service: str, *, write: bool = False) -> Any:
    """The JSON value; NaN and Infinity are null, broken UTF-8 is replaced, and hostile nesting is an error."""
    try:
        return json.loads(body.decode("utf-8-sig", "replace"), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        said = f"{service} did not answer with JSON"
        if write:
            raise OutcomeUnknown(f"{said}: look at the target before asking again.") from None
        raise BadAnswer(f"{said}: check that its address is really an engine.") from None
