"""Where the programs run: the containers of both hosts as they stand before the story begins."""

from dataclasses import dataclass

from lab.services.docker.engine.model import Json

SECRET = "<secret>"
"""Stands for a value that every world invents anew."""


@dataclass(frozen=True)
class Deployment:
    """One container: what it was created with and how long it has been up."""

    name: str
    program: str
    project: str
    days: float
    env: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    network: str = ""
    restart: str = "unless-stopped"
    memory_mb: int = 0
    labels: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    tty: bool = False
    privileged: bool = False
    exited: int | None = None
    """Exit code of a container that ended `days` ago."""
    size_rw: int = 120_000

    def body(self, env: list[str], image: str) -> Json:
        """The create request that makes it."""
        network = self.network or f"{self.project}_default"
        labels = {
            "com.docker.compose.project": self.project,
            "com.docker.compose.service": self.name,
            "com.docker.compose.project.working_dir": f"/srv/{self.project}",
            "com.docker.compose.depends_on": ",".join(f"{name}:service_started:false" for name in self.after),
            **dict(label.split("=", 1) for label in self.labels),
        }
        bindings = {}
        for port in self.ports:
            outside, inside = port.split(":", 1)
            bindings[inside] = [{"HostIp": "", "HostPort": outside}]
        return {
            "Image": image,
            "Env": env,
            "Tty": self.tty,
            "Labels": labels,
            "ExposedPorts": {inside: {} for inside in bindings},
            "HostConfig": {
                "Binds": list(self.binds) or None,
                "PortBindings": bindings,
                "RestartPolicy": {"Name": self.restart, "MaximumRetryCount": 0},
                "NetworkMode": network,
                "Memory": self.memory_mb * 1024 * 1024,
                "Privileged": self.privileged,
            },
            "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": [self.name]}}},
        }


@dataclass(frozen=True)
class Machine:
    """One Docker host and everything on it."""

    name: str
    cpus: int
    memory_gb: int
    containers: tuple[Deployment, ...]
    leftovers: tuple[str, ...]
    """Named volumes nobody uses any more."""
    dangling: int
    cache: tuple[str, ...] = ()


_TZ = "TZ=Europe/Berlin"
_FORBID = "rackhand.forbid=true"

NAS = Machine(
    "nas",
    8,
    32,
    (
        Deployment(
            "postgres",
            "postgres",
            "databases",
            41.2,
            (f"POSTGRES_PASSWORD={SECRET}", "POSTGRES_USER=postgres"),
            binds=("databases_postgres:/var/lib/postgresql/data",),
            memory_mb=2048,
        ),
        Deployment("redis", "redis", "databases", 41.2, (_TZ,), binds=("databases_redis:/data",)),
        Deployment(
            "jellyfin",
            "jellyfin",
            "media",
            5.4,
            (_TZ, "JELLYFIN_PublishedServerUrl=http://nas.home.arpa:8096"),
            ("8096:8096/tcp",),
            ("media_jellyfin-config:/config", "media_jellyfin-cache:/cache", "/tank/media:/media:ro"),
        ),
        Deployment(
            "sonarr",
            "sonarr",
            "media",
            12.1,
            ("PUID=1000", "PGID=1000", f"SONARR__AUTH__APIKEY={SECRET}"),
            ("8989:8989/tcp",),
            ("/srv/media/sonarr:/config", "/tank/media:/data"),
        ),
        Deployment(
            "radarr",
            "radarr",
            "media",
            12.1,
            ("PUID=1000", "PGID=1000", f"RADARR__AUTH__APIKEY={SECRET}"),
            ("7878:7878/tcp",),
            ("/srv/media/radarr:/config", "/tank/media:/data"),
        ),
        Deployment(
            "paperless",
            "paperless",
            "paperless",
            9.7,
            (
                f"PAPERLESS_DBPASS={SECRET}",
                f"PAPERLESS_SECRET_KEY={SECRET}",
                "PAPERLESS_DBHOST=postgres",
                "PAPERLESS_REDIS=redis://redis:6379",
            ),
            ("8000:8000/tcp",),
            ("paperless_data:/usr/src/paperless/data", "/tank/paperless:/usr/src/paperless/media"),
            after=("postgres", "redis"),
        ),
        Deployment(
            "immich",
            "immich",
            "photos",
            20.3,
            (f"DB_PASSWORD={SECRET}", "DB_HOSTNAME=postgres", "REDIS_HOSTNAME=redis"),
            ("2283:2283/tcp",),
            ("/tank/photos:/usr/src/app/upload",),
            memory_mb=1024,
            after=("postgres", "redis"),
        ),
        Deployment(
            "nextcloud",
            "nextcloud",
            "cloud",
            33.0,
            (f"POSTGRES_PASSWORD={SECRET}", f"NEXTCLOUD_ADMIN_PASSWORD={SECRET}", "POSTGRES_HOST=postgres"),
            ("8080:80/tcp",),
            ("cloud_nextcloud:/var/www/html", "/tank/cloud:/var/www/html/data"),
            after=("postgres",),
        ),
        Deployment(
            "gitea",
            "gitea",
            "forge",
            16.8,
            ("USER_UID=1000", f"GITEA__security__SECRET_KEY={SECRET}"),
            ("3000:3000/tcp", "2222:22/tcp"),
            ("forge_gitea:/data",),
        ),
        Deployment(
            "vaultwarden",
            "vaultwarden",
            "vault",
            41.0,
            (f"ADMIN_TOKEN={SECRET}", "SIGNUPS_ALLOWED=false"),
            ("8222:80/tcp",),
            ("vault_data:/data",),
            restart="always",
            labels=(_FORBID,),
        ),
        Deployment(
            "watchtower",
            "watchtower",
            "ops",
            41.2,
            ("WATCHTOWER_MONITOR_ONLY=true", f"WATCHTOWER_HTTP_API_TOKEN={SECRET}"),
            binds=("/var/run/docker.sock:/var/run/docker.sock:ro",),
        ),
        Deployment("node-exporter", "node-exporter", "monitoring", 41.2, network="host", binds=("/:/host:ro,rslave",)),
        Deployment(
            "borg-backup",
            "borg",
            "backup",
            2.6,
            (f"BORG_PASSPHRASE={SECRET}",),
            binds=("/tank:/tank:ro",),
            restart="no",
            exited=2,
            size_rw=48_211_000,
        ),
        Deployment(
            "immich-import",
            "immich",
            "photos",
            19.5,
            (f"IMMICH_API_KEY={SECRET}",),
            binds=("/tank/inbox:/import:ro",),
            restart="no",
            exited=0,
            size_rw=3_502_000,
        ),
    ),
    ("cloud_nextcloud-old", "media_plex-config"),
    2,
    ("mount / from exec /bin/sh -c npm ci", "local source for context", "pulled from alpine:3.19"),
)

MINI = Machine(
    "mini",
    4,
    16,
    (
        Deployment(
            "traefik",
            "traefik",
            "edge",
            27.9,
            (f"CF_DNS_API_TOKEN={SECRET}",),
            ("80:80/tcp", "443:443/tcp"),
            ("/srv/edge:/etc/traefik:ro", "edge_certs:/certs"),
            restart="always",
        ),
        Deployment(
            "pihole",
            "pihole",
            "dns",
            27.9,
            (_TZ, f"FTLCONF_webserver_api_password={SECRET}"),
            ("53:53/tcp", "53:53/udp", "8053:80/tcp"),
            ("/srv/dns/pihole:/etc/pihole",),
            restart="always",
        ),
        Deployment(
            "home-assistant",
            "home-assistant",
            "home",
            6.3,
            (_TZ,),
            network="host",
            binds=("/srv/home/ha:/config",),
            privileged=True,
        ),
        Deployment(
            "mosquitto",
            "mosquitto",
            "home",
            27.8,
            (_TZ,),
            ("1883:1883/tcp",),
            ("/srv/home/mosquitto.conf:/mosquitto.conf:ro", "home_mosquitto:/mosquitto/data"),
        ),
        Deployment(
            "zigbee2mqtt",
            "zigbee2mqtt",
            "home",
            6.3,
            (_TZ, f"ZIGBEE2MQTT_CONFIG_MQTT_PASSWORD={SECRET}"),
            ("8081:8080/tcp",),
            ("/srv/home/zigbee2mqtt:/app/data",),
            after=("mosquitto",),
        ),
        Deployment(
            "grafana",
            "grafana",
            "monitoring",
            14.2,
            (f"GF_SECURITY_ADMIN_PASSWORD={SECRET}",),
            ("3000:3000/tcp",),
            ("monitoring_grafana:/var/lib/grafana",),
            after=("prometheus",),
        ),
        Deployment(
            "prometheus",
            "prometheus",
            "monitoring",
            14.2,
            (),
            ("9090:9090/tcp",),
            (
                "/srv/monitoring/prometheus.yml:/etc/prometheus/prometheus.yml:ro",
                "monitoring_prometheus:/prometheus",
            ),
        ),
        Deployment("node-exporter", "node-exporter", "monitoring", 27.9, network="host", binds=("/:/host:ro,rslave",)),
        Deployment(
            "uptime-kuma",
            "uptime-kuma",
            "monitoring",
            14.2,
            (_TZ,),
            ("3001:3001/tcp",),
            ("monitoring_kuma:/app/data",),
            tty=True,
        ),
    ),
    ("monitoring_loki",),
    1,
)

MACHINES = (NAS, MINI)
