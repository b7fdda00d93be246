# SPDX-License-Identifier: BSD-3-Clause
"""Who may know whom: rooms of the package and of the core, the DC3b paths, and the cost of importing."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "harness"
CORE = ROOT / "src" / "pexcore"

LAYERS = [
    {"_core", "_clipboard", "_crossing", "_records", "_steps", "errors", "exceptions"},
    {"current"},
    {"arrays", "births", "clipboard", "inotify", "properties", "outputs", "streams", "workspaces"},
    {"log", "locations", "name_patterns", "ordered_process", "policy", "process_identity", "queue",
     "whole_files"},
    {"dataset", "directories", "ledger", "stage", "transport"},
    {"dc3a", "events", "storage", "utils"},
    {"butler"},
    {"event_stage", "iostage", "runtime"},
    {"bench", "check", "tester"},
    {"examples"},
    {"cli", "pytest_plugin"},
]
"""A room imports from its own files and from rooms above it in this list. `harness` itself imports from the
first three layers only, for whatever is imported imports it."""

RUNTIME_LAYERS = [
    {"configuration"}, {"records"}, {"halves"}, {"logs"}, {"processes"}, {"shutdown"}, {"pipeline"},
]
"""The rooms of `harness.runtime`, likewise; what is imported for types alone does not count there, for
the halves and the records name in their signatures what holds them."""

HEAVY = {"numpy", "astropy", "matplotlib"}
LIGHT_MODULES = ["harness", "harness.policy", "harness.log", "harness.stage", "harness.cli.main",
                 "harness.check.pipeline", "harness.pytest_plugin"]
SELDOM = {
    "calendar", "dataclasses", "decimal", "difflib", "inspect", "platform", "shutil", "tempfile", "uuid",
    "harness.events.spool", "harness.events.stomp_broker.settings", "harness.events.watching",
    "harness.ledger.resume", "harness.ledger.reading",
}  # fmt: skip
"""What `pex-harness run` has no use for unless somebody asks or something fails. Each takes a millisecond or
more, and so does each dataclass: what every run makes of that kind is a `NamedTuple`."""
FORBIDDEN_IN_CORE = re.compile(
    r"\bstd::(cout|cerr|clog)\b|(?<!\w)v?f?printf\(|\b(abort|terminate|getenv|syslog|perror)\("
)


def modules(folder: Path, name: str) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*.py")):
        parts = [name, *path.relative_to(folder).with_suffix("").parts]
        yield ".".join(part for part in parts if part != "__init__"), path


def for_types_alone(tree: ast.AST) -> set[ast.AST]:
    """Every node below an `if TYPE_CHECKING:`."""
    blocks = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    return {
        below for block in blocks if ast.unparse(block.test) == "TYPE_CHECKING" for below in ast.walk(block)
    }


def imported(module: str, path: Path, types: bool = True) -> Iterator[tuple[str, int]]:
    """Every module that is imported anywhere in a file, inside functions too, with its line; `types`: also
    where this serves type checkers alone."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text())
    left_out = set() if types else for_types_alone(tree)
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


PYTHON_MODULES = [*modules(PACKAGE, "harness"), *modules(ROOT / "examples", "harness.examples")]
KNOWN_ROOMS = set().union(*LAYERS)


def test_every_room_of_the_package_has_a_layer():
    here = {room(module) for module, _ in PYTHON_MODULES} | {path.stem for path in PACKAGE.glob("*.pyi")}
    assert here - {""} == KNOWN_ROOMS


def test_arrows_between_the_rooms_of_the_package_point_one_way():
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = []
    for module, path in PYTHON_MODULES:
        own = room(module)
        for name, line in imported(module, path):
            other = room(name)
            if name.split(".")[0] != "harness" or other not in KNOWN_ROOMS or other == own:
                continue
            allowed = layer[other] < (layer[own] if own else 3)
            if not allowed:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {own or 'harness'} must not import {other}")
    assert wrong == []


def test_arrows_between_the_rooms_of_the_runtime_point_one_way():
    layer = {name: number for number, names in enumerate(RUNTIME_LAYERS) for name in names}
    folder = PACKAGE / "runtime"
    assert {path.parent.name for path in folder.glob("*/__init__.py")} == layer.keys()
    assert [path.name for path in folder.glob("*.py")] == ["__init__.py"], "a module outside the rooms"
    wrong = []
    for module, path in modules(folder, "harness.runtime"):
        if path.parent == folder:
            continue
        own = path.parent.name
        for name, line in imported(module, path, types=False):
            other = name.removeprefix("harness.runtime.").split(".")[0]
            if name.startswith("harness.runtime.") and other != own and not layer[other] < layer[own]:
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {own} must not import {other}")
    assert wrong == []


def test_the_package_never_imports_its_dc3b_paths():
    of_others = "lsst.daf.butler"
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for module, path in modules(PACKAGE, "harness")
        for name, line in imported(module, path)
        if name.split(".")[0] == "lsst" and not name.startswith(of_others)
    ]
    assert wrong == []


# --- lsst.*: namespace portions that hold nothing of their own

DC3B_MODULES = list(modules(ROOT / "python" / "lsst", "lsst"))


def test_namespaces_shared_with_other_distributions_have_no_init():
    for folder in ("lsst", "lsst/ctrl", "lsst/pex", "lsst/daf", "lsst/dps"):
        assert not (ROOT / "python" / folder / "__init__.py").exists()


@pytest.mark.parametrize(("module", "path"), DC3B_MODULES, ids=[module for module, _ in DC3B_MODULES])
def test_a_dc3b_path_only_hands_on_objects_of_the_package(module, path):
    docstring, *body = ast.parse(path.read_text()).body
    assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
    here = importlib.import_module(module)
    public = set(here.__all__)
    for statement in body:
        if isinstance(statement, ast.Assign):
            assert [ast.unparse(target) for target in statement.targets] == ["__all__"]
            continue
        assert isinstance(statement, ast.ImportFrom), f"{path}:{statement.lineno}: more than an import"
        assert statement.module.split(".")[0] == "harness"
        source = importlib.import_module(statement.module)
        for alias in statement.names:
            pairs = [(alias.name, alias.asname or alias.name)]
            if alias.name == "*":
                pairs = [(name, name) for name in source.__all__]
            for theirs, name in pairs:
                assert getattr(here, name) is getattr(source, theirs)
                public.discard(name)
    assert public == set(), f"{module} lists names that it does not import"


# --- what importing costs


@pytest.mark.parametrize("name", LIGHT_MODULES)
def test_importing_stays_light(name, tmp_path):
    program = f"import sys; import {name}; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = {module.split(".")[0] for module in done.stdout.split()}
    assert "harness" in loaded
    assert loaded & (HEAVY if name == "harness.cli.main" else HEAVY | {"rich"}) == set()


def test_a_run_begins_without_what_runs_seldom_need(tmp_path):
    program = """
import sys
before = set(sys.modules)
from harness.cli.main import build_parser
build_parser(["run"]).parse_args(["run", "night.paf", "r1"])
print(*set(sys.modules) - before)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "harness.runtime.pipeline.pipeline" in loaded
    assert loaded & SELDOM == set()


# --- the rooms of the core


def knows() -> dict[str, set[str]]:
    """The table in the build file, closed: a room also sees what the rooms it knows see."""
    text = (CORE / "CMakeLists.txt").read_text()
    rows = re.findall(r"^pex_room\((\w+)(?: KNOWS ([\w ]+))?\)$", text, re.MULTILINE)
    table: dict[str, set[str]] = {}
    for name, others in rows:
        direct = set(others.split())
        assert direct <= table.keys(), f"{name} must come after the rooms it knows"
        table[name] = direct.union(*(table[other] for other in direct))
    return table


def sources(name: str) -> list[Path]:
    return sorted(path for path in (CORE / name).rglob("*") if path.suffix in {".cpp", ".hpp"})


def includes(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := re.match(r'\s*#\s*include\s*([<"][^>"]+[>"])', line):
            yield number, found[1]


def test_every_room_of_the_core_is_in_the_table():
    assert {path.name for path in CORE.iterdir() if path.is_dir()} == knows().keys() | {"bindings"}
    assert all(sources(name) for name in knows())


def test_the_core_includes_only_headers_of_rooms_it_knows():
    wrong = []
    for name, others in knows().items():
        for path in sources(name):
            for line, header in includes(path):
                own = header.startswith('"') and header[1:].split("/")[0] in {name, *others}
                system = header.startswith("<") and not header.startswith(("<Python", "<pybind11"))
                if not own and not system:
                    wrong.append(f"{path.relative_to(ROOT)}:{line}: {name} must not include {header}")
    assert wrong == []


def test_the_core_neither_prints_nor_aborts_nor_reads_the_environment():
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for name in knows()
        for path in sources(name)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if FORBIDDEN_IN_CORE.search(line.split("//")[0])
    ]
    assert wrong == []
