"""What the cluster begins with: three nodes, fourteen guests and a template, storages, backups."""

from time import gmtime, strftime

from lab.kit import Json

GIB, DAY = 2**30, 86_400
NODES = {"pve1": ("192.0.2.21", 8, 32), "pve2": ("192.0.2.22", 12, 64), "pve3": ("192.0.2.23", 4, 16)}
"""Address, cores, GiB of memory."""

# number, kind, name, node, running for so many days (0: stopped), cores, GiB of memory, GiB of disk, share of CPU
GUESTS = (
    (100, "qemu", "opnsense", "pve1", 61, 2, 4, 16, 0.06),
    (101, "lxc", "pihole", "pve1", 41, 1, 0.5, 4, 0.02),
    (102, "lxc", "unifi", "pve1", 41, 2, 2, 16, 0.04),
    (103, "qemu", "homeassistant", "pve2", 12, 2, 4, 32, 0.11),
    (104, "qemu", "media", "pve2", 41, 4, 8, 64, 0.38),
    (105, "lxc", "paperless", "pve2", 9, 2, 2, 32, 0.07),
    (106, "lxc", "immich", "pve2", 20, 4, 4, 64, 0.15),
    (107, "qemu", "win11", "pve2", 3, 4, 16, 128, 0.02),
    (108, "lxc", "vault", "pve3", 41, 1, 1, 8, 0.01),
    (109, "qemu", "k3s", "pve3", 0, 2, 4, 32, 0.0),
    (110, "lxc", "test", "pve1", 0, 1, 0.5, 8, 0.0),
    (111, "lxc", "test", "pve3", 5, 1, 0.5, 8, 0.01),
    (112, "qemu", "mirror", "pve3", 27, 4, 8, 32, 0.01),
    (113, "lxc", "grafana", "pve1", 14, 2, 2, 16, 0.05),
    (900, "qemu", "debian-12", "pve1", 0, 2, 2, 8, 0.0),
)
MORE: dict[int, Json] = {
    100: {"config": {"protection": 1, "onboot": 1}},
    107: {"lock": "backup"},
    108: {"tags": "rackhand.forbid"},
    900: {"template": 1},
}
"""What is special about some."""
SNAPSHOTS = {"qemu/104": ("fresh", "before-upgrade"), "lxc/105": ("clean",)}
STORAGES = (
    ("local", "pve1", "dir", "backup,iso,vztmpl", 0, 40, 100),
    ("local", "pve2", "dir", "backup,iso,vztmpl", 0, 30, 100),
    ("local", "pve3", "dir", "backup,iso,vztmpl", 0, 20, 100),
    ("local-zfs", "pve1", "zfspool", "images,rootdir", 0, 200, 900),
    ("local-zfs", "pve2", "zfspool", "images,rootdir", 0, 700, 1800),
    ("local-zfs", "pve3", "zfspool", "images,rootdir", 0, 120, 450),
    ("nas", "pve1", "nfs", "backup,iso", 1, 2700, 4000),
    ("nas", "pve2", "nfs", "backup,iso", 1, 2700, 4000),
    ("nas", "pve3", "nfs", "backup,iso", 1, 2700, 4000),
)
"""Name, node, type, content, shared, GiB used, GiB in all."""
BACKUPS = ((100, 0.4), (101, 0.4), (102, 0.4), (103, 0.4), (104, 3.4), (105, 0.4), (106, 0.4), (113, 0.4))
"""Days since a guest's newest backup: that of 104 is old, and some guests have none."""
JOB: Json = {"id": "backup-nightly", "enabled": 1, "schedule": "02:00", "storage": "nas", "mode": "snapshot",
             "vmid": ",".join(str(number) for number, _ in BACKUPS), "type": "vzdump"}  # fmt: skip
TEMPLATES = ("local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst", "local:vztmpl/alpine-3.22_amd64.tar.xz")

DISKS: tuple[Json, ...] = tuple(
    {"devpath": path, "model": model, "size": size * 10**9, "health": "PASSED", "wearout": left, "used": "ZFS",
     "gpt": 1, "mounted": 0, "osdid": -1, "osdid-list": [], "serial": f"S{size}"}
    for path, model, size, left in (("/dev/nvme0n1", "Samsung SSD 980", 1000, 91), ("/dev/sda", "CT500MX500", 500, 14))
)  # fmt: skip
POOL: Json = {"name": "rpool", "health": "ONLINE", "size": 900 * GIB, "alloc": 300 * GIB, "free": 600 * GIB, "frag": 21,
              "dedup": 1.0}  # fmt: skip
UPDATE: Json = {"Package": "pve-kernel", "OldVersion": "6.14.8-2", "Version": "6.14.11-1", "Origin": "Proxmox",
                "Arch": "amd64", "Description": "", "Priority": "optional", "Section": "kernel",
                "Title": "Kernel"}  # fmt: skip
HA: tuple[Json, ...] = (
    {"id": "quorum", "type": "quorum", "node": "pve1", "status": "OK", "quorate": 1},
    {"id": "master", "type": "master", "node": "pve1", "status": "pve1 (idle)"},
)


def guest(number: int, kind: str, name: str, node: str, cores: int, memory: float, disk: int) -> Json:
    """A stopped guest as the cluster keeps it."""
    config: Json = {"cores": cores, "net0": f"{'virtio' if kind == 'qemu' else 'name=eth0'},bridge=vmbr0"}
    if kind == "qemu":
        config |= {"name": name, "memory": str(int(memory * 1024)), "agent": "1", "boot": "order=scsi0"}
        config["scsi0"] = f"local-zfs:vm-{number}-disk-0,size={disk}G"
    else:
        config |= {"hostname": name, "memory": int(memory * 1024), "swap": 512, "arch": "amd64", "ostype": "debian"}
        config["rootfs"] = f"local-zfs:subvol-{number}-disk-0,size={disk}G"
    fresh = {"lock": "", "tags": "", "template": 0, "at": "", "cpu": 0.0, "since": 0.0}
    return {"id": f"{kind}/{number}", "vmid": number, "type": kind, "name": name, "node": node, "status": "stopped",
            "config": config, **fresh}  # fmt: skip


def backup(guest_: Json, made: float, storage: str = "nas", notes: str = "") -> Json:
    """A backup of a guest, with what a restore needs."""
    stamp = strftime("%Y_%m_%d-%H_%M_%S", gmtime(made))
    end = "vma.zst" if guest_["type"] == "qemu" else "tar.zst"
    name = f"{storage}:backup/vzdump-{guest_['type']}-{guest_['vmid']}-{stamp}.{end}"
    kept = {key: value for key, value in guest_.items() if key not in ("lock", "since")}
    return {"volid": name, "vmid": guest_["vmid"], "ctime": int(made), "size": 3 * GIB, "format": end,
            "notes": notes or guest_["name"], "kept": kept, "storage": storage}  # fmt: skip
