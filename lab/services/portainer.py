"""A simulated Portainer (CE): a Docker environment, an edge agent that has gone silent, and the stacks on both."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp

from lab.kit import Asked, Intent, Json, Refusal, Store, Twin, api

DAY = 86_400
STACKS = ("feeds", "wiki", "gallery")
COMPOSE = "com.docker.compose.project"
FEEDS = """services:
  web:
    image: freshrss/freshrss:1.24
    environment:
      - BASE_URL=https://feeds.home.arpa
      - DB_PASSWORD=${DB_PASSWORD}
      - SMTP_KEY=%s
    volumes: [data:/var/www/FreshRSS/data]
  db:
    image: postgres:16-alpine
    command: ["postgres", "--password", "%s"]
volumes:
  data:
"""
FILES = {
    "wiki": "services:\n  app:\n    image: requarks/wiki:2\n",
    "gallery": "services:\n  app:\n    image: photoprism/photoprism:240915\n",
    "weather": "services:\n  station:\n    image: weewx/weewx:5\n",
}
RUNS = {
    "feeds": {"db": "postgres:16-alpine", "web": "freshrss/freshrss:1.24"},
    "wiki": {"app": "requarks/wiki:2"},
    "gallery": {"app": "photoprism/photoprism:240915"},
    "weather": {"station": "weewx/weewx:5"},
}


def error(status: int, words: str) -> Json:
    """A refusal as Portainer writes it."""
    return {"message": words, "details": words}


def _inventory(what: str, line: Callable[[Json], str]) -> Callable[[Json], str]:
    """A line for each, what to do when there is none, and who did not answer."""

    def tell(data: Json) -> str:
        lines = [f"- **{one['name']}**{line(one)}" for one in data[what].values()]
        down = [f"- **{one['name']}**: {one['reason']}" for one in data["down"]]
        return "\n".join([*lines, *down]) or data.get("note") or "There is none."

    return tell


def _environment(one: Json) -> str:
    seen = f", last seen {one['checked_in'][:10]}" if one["state"] == "not checked in" and one.get("checked_in") else ""
    return f" is {one['state']}{seen}"


def _stack(one: Json) -> str:
    return f" on {one['environment']}: {one['state'] if one['reached'] else 'its environment is not up'}"


def _details(data: Json) -> str:
    lines = [f"- {one['name']} is {one['state']}: {one['image']} ({one['digest']})" for one in data["containers"]]
    return "\n".join([f"**{data['stack']['name']}**{_stack(data['stack'])}", *lines, data.get("silent") or ""])


NAMES = {"stack": STACKS}
INTENTS = (
    Intent("portainer_list_stacks", ("which stacks run", "list stacks", "welche Stacks laufen", "qué stacks corren"),
           _inventory("stacks", _stack)),
    Intent("portainer_list_environments", ("portainer environments", "Portainer Umgebungen", "entornos portainer"),
           _inventory("environments", _environment)),
    Intent("portainer_list_edge_agents", ("edge agents", "Edge Agenten", "agentes edge"),
           _inventory("environments", _environment)),
    Intent("portainer_get_stack", ("details of stack {stack}", "Einzelheiten zum Stack {stack}",
           "detalles del stack {stack}"), _details, words=NAMES),
    Intent("portainer_start_stack", ("start stack {stack}", "starte Stack {stack}", "arranca stack {stack}"),
           words=NAMES),
    Intent("portainer_stop_stack", ("stop stack {stack}", "stoppe Stack {stack}", "detén stack {stack}"), words=NAMES),
    Intent("portainer_redeploy_stack", ("redeploy stack {stack}", "Stack {stack} neu ausrollen",
           "redespliega stack {stack}"), words=NAMES),
)  # fmt: skip


class Portainer(Twin):
    """One Portainer; `nas` answers, and the agent in the cottage has not come by for three days."""

    name = "portainer"
    intents = INTENTS

    def __init__(self, seed: int = 1, **more: Any) -> None:
        super().__init__(seed, **more)
        self.key, self.reader, self.stranger = self.secret(), self.secret(), self.secret()
        """An administrator's; one of a user who may see `nas` and its stacks; one of a user who may see nothing."""
        password, smtp = self.secret(), self.secret()
        self.file = {"feeds": FEEDS % (smtp, password), **FILES}
        now = int(self.now())
        places = [
            {"Id": 1, "Name": "nas", "Type": 2, "Status": 1, "URL": "tcp://192.0.2.10:9001", "LastCheckInDate": 0,
             "Heartbeat": False},
            {"Id": 2, "Name": "cottage", "Type": 4, "Status": 1, "URL": "https://192.0.2.5:9443",
             "LastCheckInDate": now - 3 * DAY, "Heartbeat": False},
        ]  # fmt: skip
        self.places = Store(self, "Id", places, hidden=frozenset({"LastCheckInDate"}))
        git = {"URL": "https://git.example.org/home/wiki.git", "ReferenceName": "refs/heads/main",
               "ConfigHash": f"{self.random.getrandbits(160):040x}", "ConfigFilePath": "compose.yaml",
               "TLSSkipVerify": False, "Authentication": {"Username": "deploy", "Password": ""}}  # fmt: skip
        env = [{"name": "DB_PASSWORD", "value": password}, {"name": "TZ", "value": "Europe/Berlin"}]
        rows = [("feeds", 1, 1, env, None), ("wiki", 1, 1, [], git), ("gallery", 1, 2, [], None),
                ("weather", 2, 1, [], None)]  # fmt: skip
        stacks = [
            {"Id": at, "Name": name, "Type": 2, "EndpointId": place, "Status": status, "Env": env, "GitConfig": git,
             "EntryPoint": "docker-compose.yml", "SwarmId": "", "CreationDate": now - 90 * DAY, "CreatedBy": "anna",
             "UpdateDate": now - 9 * DAY, "UpdatedBy": "anna", "Webhook": "", "AutoUpdate": None, "Option": None,
             "AdditionalFiles": None, "Namespace": "", "FromAppTemplate": False}
            for at, (name, place, status, env, git) in enumerate(rows, 1)
        ]  # fmt: skip
        self.stacks = Store(self, "Id", stacks, hidden=frozenset({"UpdateDate"}))
        every = sorted({image for images in RUNS.values() for image in images.values()})
        self.registry = {image: self._digest() for image in every}
        """What a pull brings; a registry that does not tell has no entry."""
        self.images = Store(self, "Id", [self._image(image) for image in every], hidden=frozenset({"Id"}))
        self.containers = Store(self, "Id", hidden=frozenset({"Id", "ImageID", "Created"}))
        for stack in self.stacks.where(Status=1):
            self._up(stack)
        self.registry["freshrss/freshrss:1.24"] = self._digest()

    # -- what it keeps --------------------------------------------------------------------------------------------

    def _digest(self) -> str:
        return f"sha256:{self.random.getrandbits(256):064x}"

    def _image(self, tag: str) -> Json:
        digest = f"{tag.rpartition(':')[0]}@{self.registry[tag]}"
        return {"Id": self._digest(), "RepoTags": [tag], "RepoDigests": [digest], "Size": 180_000_000}

    def _up(self, stack: Json) -> None:
        """`compose up`: what there is stays where its image does, the rest is made anew."""
        for service, tag in RUNS[stack["Name"]].items():
            image = next(image for image in self.images if tag in image["RepoTags"])
            name = f"/{stack['Name']}-{service}-1"
            here = next(iter(self.containers.where(Name=name)), None)
            if here and here["ImageID"] == image["Id"]:
                self.containers.change(here["Id"], State="running")
                continue
            if here:
                self.containers.remove(here["Id"])
            self.containers.put(
                {"Id": f"{self.random.getrandbits(256):064x}", "Name": name, "Image": tag, "ImageID": image["Id"],
                 "State": "running", "Project": stack["Name"], "Place": stack["EndpointId"],
                 "Created": int(self.now())}
            )  # fmt: skip

    def pull(self, tag: str) -> None:
        """The registry's image under this tag, if it is another one."""
        old = next(image for image in self.images if tag in image["RepoTags"])
        new = self._image(tag) if tag in self.registry else old
        if new["RepoDigests"] != old["RepoDigests"]:
            self.images.change(old["Id"], RepoTags=[])
            self.images.put(new)

    # -- what it answers ------------------------------------------------------------------------------------------

    def guard(self, asked: Asked) -> None:
        """Nothing without a key; `nas` alone for the reader, and nothing at all for the stranger."""
        if asked.headers.get("x-api-key") not in (self.key, self.reader, self.stranger):
            raise Refusal(401, "A valid authorisation token is missing")

    def _may(self, asked: Asked, place: int) -> bool:
        key = asked.headers["x-api-key"]
        return key == self.key or (key == self.reader and place == 1)

    def _place(self, asked: Asked, id: int) -> Json:
        place = self.places.get(id)
        if place is None:
            raise Refusal(404, "Unable to find an environment with the specified identifier inside the database")
        if not self._may(asked, id):
            raise Refusal(403, "Permission denied to access environment")
        return place

    def _stack(self, asked: Asked) -> Json:
        stack = self.stacks.get(int(asked.path["id"]))
        if stack is None:
            raise Refusal(404, "Unable to find a stack with the specified identifier inside the database")
        self._place(asked, stack["EndpointId"])
        return stack

    def _changed(self, asked: Asked) -> Json:
        """The stack that is to be changed, where the request names its environment."""
        stack = self._stack(asked)
        if "endpointId" not in asked.query:
            raise Refusal(400, "Invalid query parameter: endpointId")
        self._reached(self._place(asked, asked.number("endpointId", 0)))
        return stack

    def _reached(self, place: Json) -> None:
        if place["Status"] != 1 or (place["Type"] == 4 and not place["Heartbeat"]):
            raise Refusal(500, "Unable to query the environment: it is unreachable")

    def list_places(self, asked: Asked) -> list[Json]:
        return [shown(place) for place in self.places if self._may(asked, place["Id"])]

    def list_stacks(self, asked: Asked) -> list[Json]:
        return [stack for stack in self.stacks if self._may(asked, stack["EndpointId"])]

    def start(self, asked: Asked) -> Json:
        stack = self._changed(asked)
        if stack["Status"] == 1:
            raise Refusal(400, "Stack is already active")
        self._up(stack)
        return self.stacks.change(stack["Id"], Status=1)

    def stop(self, asked: Asked) -> Json:
        stack = self._changed(asked)
        if stack["Status"] == 2:
            raise Refusal(400, "Stack is already inactive")
        for container in self.containers.where(Project=stack["Name"]):
            self.containers.remove(container["Id"])
        return self.stacks.change(stack["Id"], Status=2)

    def update(self, asked: Asked) -> Json:
        """A file stack deployed anew; whatever is not sent is emptied."""
        stack = self._changed(asked)
        if not asked.body.get("StackFileContent"):
            raise Refusal(400, "Invalid stack file content")
        if not self.lying:
            self.file[stack["Name"]] = asked.body["StackFileContent"]
        return self._deploy(stack, asked.body, GitConfig=None)

    def redeploy(self, asked: Asked) -> Json:
        """A git stack deployed anew; whatever is not sent is emptied."""
        stack, body = self._changed(asked), asked.body
        if stack["GitConfig"] is None:
            raise Refusal(400, "Stack is not created from git")
        if stack["GitConfig"]["Authentication"] and not body.get("RepositoryAuthentication"):
            raise Refusal(500, "Unable to clone git repository: authentication required")
        git = {**stack["GitConfig"], "ReferenceName": body.get("RepositoryReferenceName", "")}
        return self._deploy(stack, body, GitConfig=git)

    def _deploy(self, stack: Json, body: Json, **more: Any) -> Json:
        if body.get("PullImage") or body.get("RepullImageAndRedeploy"):
            for tag in RUNS[stack["Name"]].values():
                self.pull(tag)
        self._up(stack)
        now = max(int(self.now()), stack["UpdateDate"] + 1)
        return self.stacks.change(stack["Id"], Status=1, UpdateDate=now, Env=body.get("Env") or [], **more)

    def docker(self, answer: Callable[[Asked, Json], Any]) -> Callable[[Asked], Any]:
        """What is asked of an environment's Docker goes through Portainer."""

        def proxied(asked: Asked) -> Any:
            place = self._place(asked, int(asked.path["id"]))
            self._reached(place)
            return answer(asked, place)

        return proxied

    def list_containers(self, asked: Asked, place: Json) -> list[Json]:
        [label] = json.loads(asked.query["filters"])["label"]
        key, _, project = label.partition("=")
        rows = [row for row in self.containers.where(Project=project, Place=place["Id"]) if key == COMPOSE]
        return [listed(row, self.images.get(row["ImageID"])) for row in rows]

    def inspect(self, asked: Asked, place: Json) -> Json:
        row = self.containers.get(asked.path["cid"])
        if row is None:
            raise Refusal(404, f"No such container: {asked.path['cid']}")
        return {"Id": row["Id"], "Name": row["Name"], "Image": row["ImageID"], "Config": {"Image": row["Image"]}}

    def image(self, asked: Asked, place: Json) -> Json:
        row = self.images.get(asked.path["image"])
        if row is None:
            raise Refusal(404, f"No such image: {asked.path['image']}")
        return {name: row[name] for name in ("Id", "RepoTags", "RepoDigests", "Size")}

    def offer(self, asked: Asked, place: Json) -> Json:
        digest = self.registry.get(asked.path["image"])
        if digest is None:
            raise Refusal(403, "denied: requested access to the resource is denied")
        form = "application/vnd.oci.image.index.v1+json"
        return {"Descriptor": {"mediaType": form, "digest": digest, "size": 2372}, "Platforms": []}

    def apps(self) -> Mapping[str, ASGIApp]:
        """Its only server."""
        docker = "GET /api/endpoints/{id}/docker"
        routes = {
            "GET /api/endpoints": self.list_places,
            "GET /api/endpoints/{id}": lambda asked: shown(self._place(asked, int(asked.path["id"]))),
            "GET /api/stacks": self.list_stacks,
            "GET /api/stacks/{id}": self._stack,
            "GET /api/stacks/{id}/file": lambda asked: {"StackFileContent": self.file[self._stack(asked)["Name"]]},
            "POST /api/stacks/{id}/start": self.start,
            "POST /api/stacks/{id}/stop": self.stop,
            "PUT /api/stacks/{id}": self.update,
            "PUT /api/stacks/{id}/git/redeploy": self.redeploy,
            f"{docker}/containers/json": self.docker(self.list_containers),
            f"{docker}/containers/{{cid}}/json": self.docker(self.inspect),
            f"{docker}/images/{{image}}/json": self.docker(self.image),
            f"{docker}/distribution/{{image:path}}/json": self.docker(self.offer),
        }
        return {"portainer": api(routes, error=error, guard=self.guard)}

    def environment(self, urls: Mapping[str, str]) -> Mapping[str, str]:
        """Where it is, and the administrator's key."""
        return {"PORTAINER_URL": json.dumps(dict(urls)), "PORTAINER_API_KEY": self.key}

    def rows(self) -> list[Json]:
        """A row a stack for the page."""
        return [
            {"name": stack["Name"], "dot": "good" if stack["Status"] == 1 else "off",
             "state": "active" if stack["Status"] == 1 else "stopped",
             "detail": f"on {self.places.rows[stack['EndpointId']]['Name']}"}
            for stack in self.stacks
        ]  # fmt: skip

    def meddle(self, card: str) -> str:
        """Somebody else at the stack that the card is about: it is stopped, or started."""
        stack = next((stack for stack in self.stacks if f" {stack['Name']}" in card.partition("\n")[0]), None)
        if stack is None:
            return ""
        self.stacks.change(stack["Id"], Status=3 - stack["Status"])
        return f"Somebody else {'stopped' if stack['Status'] == 1 else 'started'} the stack {stack['Name']}."

    def suggestions(self) -> list[str]:
        """What to ask of it."""
        return ["redeploy stack feeds"]


MAY = (
    "BindMounts", "ContainerCapabilities", "DeviceMapping", "HostNamespace", "PrivilegedMode", "SecurityOpt",
    "StackManagement", "SysctlSetting", "VolumeBrowser",
)  # fmt: skip


def shown(place: Json) -> Json:
    """An environment as Portainer writes it, with all that it always says."""
    security = {f"allow{what}ForRegularUsers": True for what in MAY} | {"enableHostManagementFeatures": False}
    edge = {"AsyncMode": False, "CommandInterval": 60, "PingInterval": 60, "SnapshotInterval": 60}
    rest: Json = {"SecuritySettings": security, "Edge": edge, "Kubernetes": {"Configuration": {}, "Flags": {}}}
    rest |= {"ChangeWindow": {"Enabled": False, "StartTime": "", "EndTime": ""}, "StatusMessage": {}, "Snapshots": []}
    rest |= {"Agent": {"Version": "2.45.0"}, "TLSConfig": {"TLS": False, "TLSSkipVerify": False}, "TagIds": []}
    texts = dict.fromkeys(("ComposeSyntaxMaxVersion", "ContainerEngine", "EdgeKey", "LocalTimeZone", "PublicURL"), "")
    return {**rest, **texts, "EdgeCheckinInterval": 5, "GroupId": 1, "EnableImageNotification": False, **place}


def listed(row: Json, image: Json | None) -> Json:
    """A container as Docker lists it: one whose tag has moved on is shown with its image's id."""
    tag = row["Image"] if image and row["Image"] in image["RepoTags"] else row["ImageID"]
    return {
        "Id": row["Id"], "Names": [row["Name"]], "Image": tag, "ImageID": row["ImageID"], "Command": "run",
        "Created": row["Created"], "Ports": [], "Labels": {COMPOSE: row["Project"]}, "State": row["State"],
        "Status": "Up 3 days", "HostConfig": {"NetworkMode": "default"}, "NetworkSettings": {"Networks": {}},
        "Mounts": [],
    }  # fmt: skip


twin = Portainer
