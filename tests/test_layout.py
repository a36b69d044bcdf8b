"""The house keeps its walls: who may import whom, and what the folders may hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "paperlora"
STAGES = {"literature", "ideas", "microdata", "lora", "judge", "knowledge"}
SHARED = {"llm", "model", "prompts", "store", "progress", "licences", "pacing"}
GROUND = {"records", "errors", "settings"}
HEAVY = {"torch", "transformers", "peft", "datasets", "pymupdf"}


def imports(path: Path, *, module_level: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if module_level else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def rooms(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("paperlora.")}


def modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("path", modules(PACKAGE), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_domain_never_imports_prefect_flows_or_tasks(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & {"prefect", "flows", "tasks"}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_stage_imports_only_what_lies_below(stage: str) -> None:
    for path in modules(PACKAGE / stage):
        assert rooms(path) <= SHARED | GROUND | {stage}, path


@pytest.mark.parametrize("room", ["llm", "model"])
def test_shared_rooms_know_no_stage(room: str) -> None:
    for path in modules(PACKAGE / room):
        assert not rooms(path) & STAGES, path


@pytest.mark.parametrize("name", sorted(GROUND))
def test_ground_rests_on_itself(name: str) -> None:
    for path in modules(PACKAGE / name) or [PACKAGE / f"{name}.py"]:
        assert rooms(path) <= GROUND, path


def test_flows_import_only_tasks_and_prefect() -> None:
    for path in modules(ROOT / "flows"):
        assert {name.split(".")[0] for name in imports(path)} <= {"__future__", "typing", "prefect", "tasks"}, path


def test_flow_is_a_table_of_contents() -> None:
    for path in modules(ROOT / "flows"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < 25, f"{path}: {node.name}"
                assert not any(isinstance(inner, ast.For | ast.While | ast.Try) for inner in ast.walk(node)), f"{path}: {node.name}"


def test_importing_flows_leaves_heavy_libraries_out() -> None:
    code = (
        "import sys, importlib.util, pathlib\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"for path in sorted(pathlib.Path({str(ROOT / 'flows')!r}).glob('[a-z]*.py')):\n"
        "    spec = importlib.util.spec_from_file_location(path.stem, path)\n"
        "    spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        f"print(sorted(set({sorted(HEAVY)!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("folder", ["datasets", "prompts"])
def test_data_folders_hold_no_python(folder: str) -> None:
    assert not list((ROOT / folder).rglob("*.py"))


def test_no_flow_bears_the_name_of_an_installed_package() -> None:
    from importlib.metadata import packages_distributions

    taken = set(packages_distributions()) | set(sys.stdlib_module_names)
    assert not {path.stem for path in (ROOT / "flows").glob("[a-z]*.py")} & taken


def test_the_library_datasets_is_not_shadowed() -> None:
    code = "import datasets; print(datasets.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "site-packages" in done.stdout
