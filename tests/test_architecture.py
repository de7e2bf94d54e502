"""The floor plan and the habits of the code, held by looking at the code."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import locks
from tools.kit.registry import discover

ROOT = Path(__file__).parents[1]
OURS = ("bot", "scheduler", "tools", "memory", "lab")
LONGEST_FILE = 400
BROAD_EXCEPTS = {
    "tools/gate/proposals.py": 1,  # a tool call: proposing
    "tools/gate/outcomes.py": 1,  # a tool call: doing
    "bot/runs/tasks.py": 1,  # an update
    "scheduler/clock.py": 1,  # a job
}
"""Where everything must be survived, and how many handlers that takes."""
SLOW_TO_IMPORT = {"anthropic", "matplotlib", "numpy", "wordllama"}
REGISTRIES = re.compile(r"py[p]i\.org|python[h]osted\.org|npm[j]s\.(org|com)|deb\.debian[.]org|crates[.]io")
MACHINE_PATHS = re.compile(r"(?<![\w.$})-])/(home|Users|root|work|opt)/(?!rackhand\b)[\w.]+")
"""Folders of somebody's machine; the unit's own is /opt/rackhand."""


def files() -> list[Path]:
    """Every file that is tracked or about to be; outside a Git checkout, all but the hidden folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path) for folder in (*OURS, "docs", "systemd", "tests") for path in (ROOT / folder).rglob("*.*")]
    return sorted({path for name in listed if name and (path := ROOT / name).is_file()})


FILES = files()
SOURCES = [path for path in FILES if path.suffix == ".py"]
PRODUCTION = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in (*OURS, "main.py")]


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(), str(path)))


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """Top-level name and column of everything a file imports."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.col_offset) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.col_offset


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command as run; run(['--no-cache', '--no-logo'])"
    return subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)


def test_imports_only_go_down() -> None:
    ended = lint_imports(ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def modules_imported(path: Path, modules: Collection[str]) -> set[str]:
    """Which of these modules a file imports when it runs, at once or later; what only types need does not count."""
    typing = [node for node in nodes(path) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    skipped = {
        ast.dump(part, include_attributes=True) for node in typing for line in node.body for part in ast.walk(line)
    }
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import | ast.ImportFrom) and ast.dump(node, include_attributes=True) not in skipped:
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [name if (name := f"{node.module}.{each}") in modules else str(node.module) for each in names]
            found.update(names)
    return found & set(modules)


def circle(graph: Mapping[str, Collection[str]]) -> list[str]:
    """Modules that import each other in a ring, if there are any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other() -> None:
    named = {short(path)[:-3].removesuffix("/__init__").replace("/", "."): path for path in PRODUCTION}
    graph = {name: modules_imported(path, named) - {name} for name, path in named.items()}
    assert circle(graph) == []
    assert circle(graph | {"memory.points": {"bot.core"}}) != [] and "memory.clock" in graph["memory.database"]


FORBIDDEN_IMPORTS = {
    "An import only goes down": ("memory/zz.py", "import bot"),
    "In bot, doors know the rest": ("bot/telegram/zz.py", "import bot.terminal"),
    "In tools, services and the gate": ("tools/zz.py", "import tools.gate"),
    "The thinking knows no Telegram": ("bot/agent/zz.py", "import telegram"),
    "One file knows the Anthropic SDK": ("bot/zz.py", "def f():\n    import anthropic"),
    "The lab knows none of ours": ("lab/zz.py", "import memory"),
    "None of ours knows the lab": ("scheduler/zz.py", "import lab"),
    "Nobody imports main": ("tools/gate/zz.py", "import main"),
}


def test_every_contract_can_be_broken(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".importlinter", tmp_path)
    for package in OURS:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, line in FORBIDDEN_IMPORTS.values():
        (tmp_path / name).write_text(f"{line}\n")
    said = lint_imports(tmp_path).stdout
    for contract in FORBIDDEN_IMPORTS:
        assert re.search(rf"^{contract}.* BROKEN", said, re.MULTILINE), f"{contract}\n{said}"
    assert f"0 kept, {len(FORBIDDEN_IMPORTS)} broken" in said


def test_main_starts_the_lab_and_does_not_import_it() -> None:
    assert "lab" not in {name for name, _ in imported(ROOT / "main.py")}


def test_slow_libraries_are_imported_when_needed() -> None:
    early = [
        f"{short(path)}: {name}"
        for path in PRODUCTION
        for name, column in imported(path)
        if name in SLOW_TO_IMPORT and column == 0
    ]
    assert early == []


def test_tests_do_not_hide_the_code() -> None:
    for package in ("tests/__init__.py", "tests/tools/__init__.py"):
        assert (ROOT / package).is_file(), f"without {package} `import tools` means the tests"


def test_files_stay_small() -> None:
    counted = {short(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in counted.items() if lines > LONGEST_FILE} == {}


def catches_everything(node: ast.AST) -> bool:
    """Whether a node swallows any exception: a broad handler, or `suppress(Exception)`."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        return any(_broad(argument) for argument in node.args)
    if not isinstance(node, ast.ExceptHandler) or (node.type is not None and not _broad(node.type)):
        return False
    cleans_up = ast.unparse(node.body[-1]) == "raise" and not any(isinstance(p, ast.Return) for p in ast.walk(node))
    return not cleans_up


def _broad(node: ast.expr) -> bool:
    kinds = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in kinds)


@pytest.mark.parametrize(
    ("handler", "caught"),
    [
        ("except Exception:\n    pass", True),
        ("except:\n    pass", True),
        ("except (OSError, BaseException):\n    pass", True),
        ("except BaseException:\n    clean()\n    raise", False),
        ("except BaseException:\n    if odd:\n        return\n    raise", True),
        ("except OSError:\n    pass", False),
    ],
)
def test_the_look_for_broad_handlers_is_right(handler: str, caught: bool) -> None:
    tree = ast.parse(f"def f():\n    try:\n        pass\n    {handler.replace(chr(10), chr(10) + '    ')}")
    assert any(catches_everything(node) for node in ast.walk(tree)) is caught


def test_only_three_places_survive_everything() -> None:
    counted = {short(path): sum(map(catches_everything, nodes(path))) for path in PRODUCTION}
    assert {name: count for name, count in counted.items() if count > BROAD_EXCEPTS.get(name, 0)} == {}


def starts_a_shell(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    shell = any(word.arg == "shell" and ast.unparse(word.value) != "False" for word in node.keywords)
    return shell or ast.unparse(node.func) in ("os.system", "os.popen", "asyncio.create_subprocess_shell")


@pytest.mark.parametrize("call", ["run('ls', shell=True)", "run('ls', shell=yes)", "os.system('ls')"])
def test_the_look_for_shells_is_right(call: str) -> None:
    assert any(map(starts_a_shell, ast.walk(ast.parse(call))))


def test_no_shell() -> None:
    assert [short(path) for path in SOURCES if any(map(starts_a_shell, nodes(path)))] == []


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registries", "machine paths"])
def test_nothing_names_where_it_was_made(pattern: re.Pattern[str]) -> None:
    found = {short(path): hit.group() for path in FILES if (hit := pattern.search(path.read_text(errors="replace")))}
    assert found == {}


def test_lock_files_are_whole() -> None:
    assert locks.problems() == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("httpx==0.28.1", "not pinned with a hash"),
        (f"httpx>=0.28 --hash=sha256:{'0' * 64}", "not pinned with a hash"),
        (f"--index-url somewhere\nhttpx==0.28.1 --hash=sha256:{'0' * 64}", "does not belong"),
        (f"httpx @ https://example.org/httpx.whl --hash=sha256:{'0' * 64}", "does not belong"),
    ],
)
def test_a_bad_line_of_a_lock_file_is_seen(line: str, problem: str) -> None:
    assert any(problem in found for found in locks.read(line, "x.lock")[1])


def test_a_dependency_outside_the_lock_is_seen() -> None:
    pins, found = locks.read(f"httpx==0.28.1 \\\n    --hash=sha256:{'0' * 64}\n", "x.lock")
    assert (found, locks.missing(["httpx>=0.28"], pins, "x.lock")) == ([], [])
    assert len(locks.missing(["httpx>=0.29", "starlette"], pins, "x.lock")) == 2


def test_the_bot_knows_no_service_by_name() -> None:
    """Pages, commands, help and buttons follow from what services declare: the second one needs no line in bot/."""
    named = [service.name for service in discover() if not service.own]
    word = re.compile(rf"\b(?:{'|'.join(named)})|container", re.IGNORECASE)
    bot = [path for path in FILES if short(path).startswith("bot/")]
    assert {short(path): hit[0] for path in bot if (hit := word.search(path.read_text()))} == {} and "docker" in named


def test_nothing_else_speaks_to_a_chat() -> None:
    """One door to Telegram: whoever opens another one leaves out the cleaner and the redactor."""
    speaking = re.compile(r"\.(send_(?!chat_action|now)\w+|edit_message\w+|answer|reply_\w+|copy_message)\(")
    found = [
        f"{path.name}: {call[0]}"
        for path in sorted((ROOT / "bot").rglob("*.py"))
        for call in speaking.finditer(path.read_text(encoding="utf-8"))
    ]
    names = [".send_photo(", ".send_message(", ".edit_message_media(", ".edit_message_text(", ".answer("]
    assert found == [f"chats.py: {name}" for name in names]


def test_buttons_are_packed_in_one_place() -> None:
    packed = re.compile(r"""["'](a1|u1|k1|s|m):""")
    assert [
        short(path) for path in PRODUCTION if short(path).startswith("bot/") and packed.search(path.read_text())
    ] == []


def test_only_memory_speaks_sql() -> None:
    sql = re.compile(
        r"\s*(SELECT|INSERT|REPLACE INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA|CREATE|DROP|ALTER|BEGIN|VACUUM)\b"
    )
    found = {
        f"{short(path)}: {node.value[:40]}"
        for path in PRODUCTION
        if not short(path).startswith(("memory/", "lab/"))
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and sql.match(node.value)
    }
    assert found == set() and sql.match("UPDATE calls SET needs_tap = 1")


def test_one_file_knows_the_drivers() -> None:
    """Everybody else catches DATABASE_ERRORS; a restore reads what it replaces, whatever that is."""
    knows = {short(path) for path in PRODUCTION for name, _ in imported(path) if name in ("sqlite3", "pysqlite3")}
    assert knows == {"memory/database.py", "memory/backup.py"}


def test_a_secret_is_described_in_one_place() -> None:
    """Another list of names, or a look of its own, would know less."""
    described = re.compile(r"""re\.compile\([^\n]*(pass|secret|token|bearer)""")
    ours = [path for path in PRODUCTION if not short(path).startswith("lab/")]
    assert [short(path) for path in ours if described.search(path.read_text())] == ["memory/secrets.py"]
