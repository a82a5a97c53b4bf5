"""What a review would have to look for every time, so a test looks for it."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
PURE: list[str] = next(
    c["source_modules"] for c in PROJECT["tool"]["importlinter"]["contracts"] if c["name"].startswith("The brain")
)


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def product() -> list[Path]:
    return [p for p in tracked("*.py") if p.relative_to(ROOT).parts[0] in PACKAGES]


def pure() -> list[Path]:
    files = []
    for name in PURE:
        path = ROOT / name.replace(".", "/")
        files += sorted(path.glob("**/*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return files


@pytest.mark.parametrize("path", pure(), ids=lambda p: str(p.relative_to(ROOT)))
def test_the_pure_core_has_no_clock_no_randomness_and_makes_no_ids_of_its_own(path: Path) -> None:
    forbidden = {"now", "utcnow", "today", "uuid1", "uuid4", "monotonic", "perf_counter", "random", "urandom", "sleep"}
    called = {
        (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""), node.lineno)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not {(name, line) for name, line in called if name in forbidden}


def test_the_list_of_pure_modules_names_files_that_exist() -> None:
    assert not [p for p in pure() if not p.exists()]


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    long = {str(p.relative_to(ROOT)): n for p in product() if (n := len(p.read_text().splitlines())) > 400}
    assert not long


def test_every_package_says_what_it_is_for() -> None:
    said = {p: ast.get_docstring(ast.parse((ROOT / p / "__init__.py").read_text())) for p in PACKAGES}
    assert not [p for p, doc in said.items() if len(doc or "") < 30]


def test_no_installed_distribution_owns_one_of_our_names() -> None:
    owners = {name: packages_distributions().get(name, []) for name in PACKAGES}
    assert {n: o for n, o in owners.items() if set(o) - {"andon"}} == {}


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    path = re.compile(r"(?<![\w.])/(?:root|home/\w+|work|farm)/")
    hits = [
        f"{p.relative_to(ROOT)}:{i}"
        for p in tracked("*.py", "*.md", "*.toml", "*.yaml", "*.yml", "*.sh", "Makefile", "*.lock", "*.ini")
        for i, line in enumerate(p.read_text(errors="replace").splitlines(), 1)
        if path.search(line) and p.name != "test_house.py"
    ]
    assert not hits


def test_the_locks_have_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements.lock", ROOT / "requirements-dev.lock"):
        text = lock.read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > text.count("==")


def test_swallowing_every_exception_is_explained_where_it_is_done() -> None:
    bare = re.compile(r"except (Base)?Exception( as \w+)?:\s*$")
    hits = [
        f"{p.relative_to(ROOT)}:{i}"
        for p in product()
        for i, line in enumerate(p.read_text().splitlines(), 1)
        if bare.search(line) and not _raises_again(p, i)
    ]
    assert not hits, "say with `# noqa: BLE001 - why` that nothing is lost, or catch what you mean"


def _raises_again(path: Path, line: int) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler) and node.lineno == line:
            return any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    return False
