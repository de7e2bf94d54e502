"""The real engines for tests that are marked `engine`: `.ci/engine` starts them, and CI has promised both."""

import os

ADDRESSES = {
    "docker": os.environ.get("RACKHAND_TEST_ENGINE", ""),
    "podman": os.environ.get("RACKHAND_TEST_PODMAN", ""),
}
"""Where they are, as in DOCKER_HOST; empty when there is none, and its tests are skipped."""
IMAGE = "rackhand-busybox:1"
"""What each of them has."""
