"""What an SDK loads for a feature that nobody uses is left out, and is there for whoever uses it."""

import subprocess
import sys
from pathlib import Path

OPENED = """
import sys
from tools.docker.hosts import DockerHosts
from tools.kit import Access, Unreachable
hosts = DockerHosts({"here": "unix:///no/such/socket", "far": "ssh://me@127.0.0.1:1"}, Access.READ)
hosts["here"].open(3.0)
print("docker" in sys.modules, "paramiko" in sys.modules)
try:
    hosts["far"].open(3.0)
except Unreachable:
    print("paramiko" in sys.modules)
"""


def test_ssh_is_loaded_where_there_is_a_host_behind_it() -> None:
    root = Path(__file__).parents[3]
    told = subprocess.run([sys.executable, "-c", OPENED], cwd=root, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["True", "False", "True"], told.stderr
