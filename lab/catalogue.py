"""The programs of the simulated homelab: their images, and how each one behaves."""

from dataclasses import dataclass, field

from lab.services.docker.engine.log import Chatter
from lab.services.docker.engine.model import App

MB = 1024 * 1024


@dataclass(frozen=True)
class Program:
    """An image of the public registry and the program in it."""

    image: str
    version: str
    size: int
    cpu: float
    memory: int
    banner: tuple[bytes, ...]
    chatter: tuple[bytes, ...]
    every: float = 45.0
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    check: str = ""
    stop_code: int = 0
    user: str = ""
    env: tuple[str, ...] = field(default=("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",))

    def app(self, name: str) -> App:
        """The behaviour of a container made from it."""
        talk = Chatter(self.chatter, self.every)
        return App(name, self.banner, talk, self.cpu, self.memory * MB, stop_code=self.stop_code)


OTHER_TAGS = {
    "jellyfin/jellyfin": ("10.8.13", "10.9.12", "10.10.7", "10.10.7-rc1", "latest", "unstable", "20240101.1-unstable"),
    "postgres": ("15.8", "16", "16.9", "17.5", "17.5-alpine", "latest"),
    "redis": ("7.4.1-alpine", "7.4", "8-alpine", "latest"),
    "gitea/gitea": ("1.22", "1.22.6", "1.22.6-rootless", "1.23.8", "latest"),
    "louislam/uptime-kuma": ("1", "1.23.16", "2.0.0", "2.0.0-beta.3"),
}
"""What else the registries have of some repositories, in no order."""

PROGRAMS: dict[str, Program] = {
    "jellyfin": Program(
        "jellyfin/jellyfin:10.9.11",
        "10.9.11",
        1231,
        0.12,
        742,
        (
            b"[%T] [INF] [1] Main: Jellyfin version: 10.9.11",
            b"[%T] [INF] [1] Main: Startup complete 0:00:06.61",
        ),
        (
            b"[%T] [INF] [23] Emby.Server.Implementations.ScheduledTasks.TaskManager: Clean Cache completed",
            b"[%T] [INF] [31] Jellyfin.Api.Controllers.DynamicHlsController: transcode of item 8841 started",
            b"[%T] [INF] [31] MediaEncoding.TranscodeManager: FFmpeg exited with code 0",
        ),
        entrypoint=("/jellyfin/jellyfin",),
        ports=("8096/tcp",),
        volumes=("/cache", "/config"),
        check="curl -fsS http://localhost:8096/health || exit 1",
    ),
    "sonarr": Program(
        "lscr.io/linuxserver/sonarr:4.0.9",
        "4.0.9.2244",
        214,
        0.03,
        231,
        (b"[Info] Bootstrap: Starting Sonarr - /app/sonarr/bin/Sonarr - Version 4.0.9.2244",),
        (
            b"[Info] RssSyncService: RSS Sync Completed. Reports found: 100, Reports grabbed: 0",
            b"[Info] DownloadDecisionMaker: Processing 100 releases",
        ),
        entrypoint=("/init",),
        ports=("8989/tcp",),
        volumes=("/config",),
        stop_code=0,
    ),
    "radarr": Program(
        "lscr.io/linuxserver/radarr:5.11.0",
        "5.11.0.9244",
        209,
        0.03,
        218,
        (b"[Info] Bootstrap: Starting Radarr - /app/radarr/bin/Radarr - Version 5.11.0.9244",),
        (
            b"[Info] RssSyncService: RSS Sync Completed. Reports found: 98, Reports grabbed: 1",
            b"[Info] ImportApprovedMovie: Import completed, 1 file",
        ),
        entrypoint=("/init",),
        ports=("7878/tcp",),
        volumes=("/config",),
    ),
    "paperless": Program(
        "ghcr.io/paperless-ngx/paperless-ngx:2.12.1",
        "2.12.1",
        1386,
        0.05,
        489,
        (b"Paperless-ngx docker container starting...", b"[init] waiting for PostgreSQL to start..."),
        (
            b"[%T] [INFO] [paperless.management.consumer] Using inotify to watch directory for changes",
            b"[%T] [INFO] [celery.app.trace] Task documents.tasks.train_classifier succeeded in 0.21s",
        ),
        entrypoint=("/sbin/docker-entrypoint.sh",),
        cmd=("/usr/local/bin/paperless_cmd.sh",),
        ports=("8000/tcp",),
        volumes=("/usr/src/paperless/data", "/usr/src/paperless/media"),
        check="curl -fs -S --max-time 2 http://localhost:8000",
    ),
    "postgres": Program(
        "postgres:16.4",
        "16.4",
        432,
        0.04,
        318,
        (
            b"%T.114 UTC [1] LOG:  starting PostgreSQL 16.4 on x86_64-pc-linux-gnu",
            b"%T.131 UTC [1] LOG:  database system is ready to accept connections",
        ),
        (
            b"%T.402 UTC [27] LOG:  checkpoint starting: time",
            b"%T.918 UTC [27] LOG:  checkpoint complete: wrote 44 buffers (0.3%); 0 WAL file(s) added",
        ),
        every=300.0,
        entrypoint=("docker-entrypoint.sh",),
        cmd=("postgres",),
        ports=("5432/tcp",),
        volumes=("/var/lib/postgresql/data",),
        check="pg_isready -U postgres",
    ),
    "redis": Program(
        "redis:7.4-alpine",
        "7.4.0",
        41,
        0.01,
        14,
        (b"1:M * Server initialized", b"1:M * Ready to accept connections tcp"),
        (b"1:M * 100 changes in 300 seconds. Saving...", b"1:M * Background saving terminated with success"),
        every=300.0,
        entrypoint=("docker-entrypoint.sh",),
        cmd=("redis-server", "--save", "300", "100"),
        ports=("6379/tcp",),
        volumes=("/data",),
        check="redis-cli ping",
    ),
    "immich": Program(
        "ghcr.io/immich-app/immich-server:v1.114.0",
        "v1.114.0",
        1102,
        0.21,
        912,
        (b"[Nest] 7  - %T     LOG [Microservices:Bootstrap] Immich Microservices is running [v1.114.0]",),
        (
            b"[Nest] 7  - %T     LOG [Microservices:MediaService] Generated thumbnail of asset 90211",
            b"[Nest] 17 - %T     LOG [Api:EventRepository] Websocket connect",
        ),
        entrypoint=("tini", "--", "/bin/bash", "-c"),
        cmd=("start.sh",),
        ports=("2283/tcp",),
        stop_code=143,
        check="immich-healthcheck",
    ),
    "nextcloud": Program(
        "nextcloud:29.0.5-apache",
        "29.0.5",
        1318,
        0.04,
        288,
        (b"Initializing finished", b"AH00094: Command line: 'apache2 -D FOREGROUND'"),
        (
            b'172.20.0.9 - - [%T] "GET /status.php HTTP/1.1" 200 1241 "-" "Uptime-Kuma/1.23"',
            b'172.20.0.9 - operator [%T] "PROPFIND /remote.php/dav/files/operator/ HTTP/1.1" 207 3412',
        ),
        every=20.0,
        entrypoint=("/entrypoint.sh",),
        cmd=("apache2-foreground",),
        ports=("80/tcp",),
        volumes=("/var/www/html",),
    ),
    "gitea": Program(
        "gitea/gitea:1.22.2",
        "1.22.2",
        172,
        0.02,
        164,
        (b"%T cmd/web.go:242:runWeb() [I] Starting Gitea on PID: 17", b"%T Listen: http://0.0.0.0:3000"),
        (b"%T router: completed GET /api/healthz for 172.19.0.1:0, 200 OK in 2.1ms",),
        every=30.0,
        entrypoint=("/usr/bin/entrypoint",),
        cmd=("/bin/s6-svscan", "/etc/s6"),
        ports=("22/tcp", "3000/tcp"),
        volumes=("/data",),
        check="curl -fsS http://localhost:3000/api/healthz",
    ),
    "vaultwarden": Program(
        "vaultwarden/server:1.32.0",
        "1.32.0",
        228,
        0.01,
        61,
        (b"[%T][start][INFO] Rocket has launched from http://0.0.0.0:80",),
        (b"[%T][request][INFO] GET /alive", b"[%T][response][INFO] (alive) GET /alive => 200 OK"),
        every=60.0,
        entrypoint=(),
        cmd=("/start.sh",),
        ports=("80/tcp",),
        volumes=("/data",),
        check="/healthcheck.sh",
    ),
    "watchtower": Program(
        "containrrr/watchtower:1.7.1",
        "1.7.1",
        15,
        0.001,
        11,
        (b'time="%T" level=info msg="Watchtower 1.7.1: monitor only"',),
        (b'time="%T" level=info msg="Session done" Failed=0 Scanned=12 Updated=0 notify=no',),
        every=3600.0,
        entrypoint=("/watchtower",),
        ports=("8080/tcp",),
    ),
    "node-exporter": Program(
        "prom/node-exporter:v1.8.2",
        "1.8.2",
        23,
        0.006,
        19,
        (
            b'ts=%T caller=node_exporter.go:193 level=info msg="Starting node_exporter" version="1.8.2"',
            b'ts=%T caller=tls_config.go:313 level=info msg="Listening on" address=[::]:9100',
        ),
        (),
        entrypoint=("/bin/node_exporter",),
        ports=("9100/tcp",),
        user="nobody",
        stop_code=143,
    ),
    "traefik": Program(
        "traefik:v3.1.4",
        "3.1.4",
        172,
        0.03,
        88,
        (b"%T INF Traefik version 3.1.4 built on 2024-09-19 version=3.1.4",),
        (
            b'192.168.1.34 - - [%T] "GET / HTTP/2.0" 200 4121 "-" "-" 8812 "nextcloud@docker" 34ms',
            b'192.168.1.20 - - [%T] "GET /api/websocket HTTP/1.1" 101 0 "-" "-" 8813 "ha@file" 2ms',
        ),
        every=8.0,
        entrypoint=("/entrypoint.sh",),
        cmd=("traefik",),
        ports=("80/tcp",),
        check="traefik healthcheck --ping",
    ),
    "pihole": Program(
        "pihole/pihole:2024.07.0",
        "2024.07.0",
        312,
        0.02,
        97,
        (b"  [i] Starting pihole-FTL (no-daemon) as pihole", b"  [i] Pi-hole DNS (FTL) running"),
        (
            b"dnsmasq: query[A] api.github.com from 192.168.1.34",
            b"dnsmasq: cached api.github.com is 140.82.121.6",
        ),
        every=4.0,
        entrypoint=("/s6-init",),
        ports=("53/tcp", "53/udp", "80/tcp"),
        volumes=("/etc/pihole",),
        check="dig +short +norecurse @127.0.0.1 pi.hole || exit 1",
    ),
    "home-assistant": Program(
        "ghcr.io/home-assistant/home-assistant:2024.9.3",
        "2024.9.3",
        1870,
        0.09,
        611,
        (b"s6-rc: info: service home-assistant successfully started",),
        (
            b"%T.772 INFO (MainThread) [components.automation] Hallway light: Running automation actions",
            b"%T.113 WARNING (MainThread) [helpers.entity] Update of sensor.boiler is taking over 10 s",
        ),
        entrypoint=("/init",),
        ports=(),
        stop_code=137,
    ),
    "mosquitto": Program(
        "eclipse-mosquitto:2.0.18",
        "2.0.18",
        12,
        0.004,
        6,
        (b"mosquitto version 2.0.18 starting", b"Opening ipv4 listen socket on port 1883."),
        (b"Client zigbee2mqtt already connected, closing old connection.", b"Saving in-memory database."),
        every=900.0,
        entrypoint=("/docker-entrypoint.sh",),
        cmd=("/usr/sbin/mosquitto", "-c", "/mosquitto.conf"),
        ports=("1883/tcp",),
        volumes=("/mosquitto/data", "/mosquitto/log"),
    ),
    "zigbee2mqtt": Program(
        "koenkk/zigbee2mqtt:1.40.1",
        "1.40.1",
        176,
        0.02,
        112,
        (b"[%T] info: \tz2m: Logging to console, file", b"[%T] info: \tz2m: Zigbee2MQTT started!"),
        (b"[%T] info: \tz2m:mqtt: publish 'zigbee2mqtt/hallway', payload '{\"temperature\":20.4}'",),
        every=15.0,
        entrypoint=("docker-entrypoint.sh",),
        cmd=("/sbin/tini", "--", "node", "index.js"),
        ports=("8080/tcp",),
    ),
    "grafana": Program(
        "grafana/grafana:11.2.0",
        "11.2.0",
        452,
        0.02,
        134,
        (
            b'logger=settings t=%T level=info msg="Starting Grafana" version=11.2.0',
            b'logger=http.server t=%T level=info msg="HTTP Server Listen" address=[::]:3000',
        ),
        (b'logger=cleanup t=%T level=info msg="Completed cleanup jobs" duration=31.2ms',),
        every=600.0,
        entrypoint=("/run.sh",),
        ports=("3000/tcp",),
        user="472",
    ),
    "prometheus": Program(
        "prom/prometheus:v2.54.1",
        "2.54.1",
        276,
        0.06,
        402,
        (b'ts=%T caller=main.go:645 level=info msg="Starting Prometheus Server" version=2.54.1',),
        (b'ts=%T caller=head.go:1356 level=info component=tsdb msg="WAL checkpoint complete" duration=1.2s',),
        every=1800.0,
        entrypoint=("/bin/prometheus",),
        cmd=("--config.file=/etc/prometheus/prometheus.yml",),
        ports=("9090/tcp",),
        volumes=("/prometheus",),
        user="nobody",
    ),
    "uptime-kuma": Program(
        "louislam/uptime-kuma:1.23.13",
        "1.23.13",
        447,
        0.02,
        128,
        (b"%T [SERVER] INFO: Welcome to Uptime Kuma", b"%T [SERVER] INFO: Listening on 3001"),
        (b"\x1b[36m%T\x1b[0m [\x1b[33mMONITOR\x1b[0m] \x1b[92mINFO:\x1b[0m #4 'nextcloud': up, 34 ms",),
        every=20.0,
        entrypoint=("/usr/bin/dumb-init", "--"),
        cmd=("node", "server/server.js"),
        ports=("3001/tcp",),
        volumes=("/app/data",),
        check="extra/healthcheck",
        stop_code=143,
    ),
    "borg": Program(
        "ghcr.io/borgmatic-collective/borgmatic:1.8.14",
        "1.8.14",
        131,
        0.3,
        77,
        (b"%T INFO summary: starting", b"%T INFO Creating archive nas-{now}"),
        (),
        entrypoint=("/init",),
        cmd=("borgmatic", "--verbosity", "1"),
    ),
    "dashboard": Program(
        "homelab/dashboard:local",
        "0.3.0",
        94,
        0.002,
        28,
        (b"dashboard 0.3.0 on :3005",),
        (b'%T "GET / HTTP/1.1" 200',),
        every=120.0,
        entrypoint=("/app/dashboard",),
        ports=("3005/tcp",),
    ),
    "alpine": Program("alpine:3.19", "3.19", 7, 0.0, 1, (), (), cmd=("/bin/sh",)),
}

LOCAL_BUILDS = ("dashboard",)
