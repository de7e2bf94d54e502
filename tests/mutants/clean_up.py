"""The defences of a clean-up: name, file, its line, the line without it, and the test that holds it."""

CLEAN, KEPT = "tests/tools/test_docker_prune.py", "tests/tools/test_docker_prune_kept.py"
SIZES, LAYERS = "tests/tools/test_docker_sizes.py", "tests/tools/test_docker_layers.py"

CLEAN_UP = [
    ("a clean-up takes the evidence along", "tools/docker/unused.py",
     "if code != 0 or state.get(", "if state.get(", KEPT),
    ("a clean-up takes what was stopped a minute ago", "tools/docker/unused.py",
     'return "recent" if max(times) >= since else None', "return None", KEPT),
    ("a clean-up takes what can still be undone", "tools/docker/unused.py",
     "if any(deed.undoable for deed in deeds):", "if False:", KEPT),
    ("a clean-up takes what an Undo needs", "tools/docker/unused.py",
     "elif ident in found.needed:", "elif False:", KEPT),
    ("a clean-up takes what its owner has forbidden", "tools/docker/unused.py",
     "    if is_forbidden(item):\n        return \"forbidden\"\n    if is_own(", "    if is_own(", KEPT),
    ("a clean-up takes the way back from a new image", "tools/docker/unused.py",
     "for name in repositories_of(image) if not tags]", "for name in ()]", KEPT),
    ("a clean-up takes young build cache", "tools/docker/sweep.py",
     "api.prune_builds(filters={\"until\": f\"{age}s\"})", "api.prune_builds()", KEPT),
    ("a clean-up removes an image that came into use", "tools/docker/sweep.py",
     "            raise Conflict(f\"{thing.names[0]} came into use.\")\n        for",
     "            pass\n        for", CLEAN),
    ("a clean-up believes the engine", "tools/docker/prune.py",
     "expect=lambda before, after: after.left == 0", "expect=lambda before, after: True", CLEAN),
    ("what a card does not name may change", "tools/docker/prune.py",
     'version=sha256("\\n".join(ids).encode()).hexdigest()[:12]', 'version="0"', CLEAN),
    ("a layer that others have is promised as well", "tools/docker/layers.py",
     "held |= set(image.chain)\n    amounts", "pass\n    amounts", LAYERS),
    ("a clean-up waits for a number", "tools/kit/errors.py",
     "    except ToolFailed:\n        return otherwise",
     "    except ZeroDivisionError:\n        return otherwise", SIZES),
]  # fmt: skip
