"""The house's own rules: layers, one importer per heavy dependency, a README whose tree is true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import calib_kernels
import pytest

ROOT = Path(__file__).resolve().parent.parent

# Lower may not import higher. Names are modules or packages directly below the package.
KERNEL_LAYERS = [
    {"bins", "checks", "backend", "dispatch", "grid", "philox", "transforms"},
    {"coarse"},
    {"reference", "native", "gpu"},
    {"ops", "rows", "gradient", "loss", "sampling"},
    {"counted", "lm_head", "lm_head_gradient", "lm_head_options", "lm_head_tiles"},
    {"histogram"},
    {"sweep"},
]
CALIB_LAYERS = [
    {"records"},
    {"metrics", "images"},
    {"intervals"},
    {"tasks", "train"},
    {"judge", "runs"},
    {"calibrators", "hf", "logs"},
    {"drive", "summary"},
    {"uncertainty", "idk"},
    {"report"},
    {"checks"},
    {"demo"},
    {"cli"},
]

# Heavy dependency -> the only places that may import it.
IMPORTERS = {
    "transformers": (
        "calib/hf/",
        "training/",
        "tests/",
        "bench/ops/scoring.py",
        "bench/ops/answers.py",
    ),
    "peft": ("calib/hf/", "training/", "tests/"),
    "triton": ("kernels/calib_kernels/gpu/", "tests/", "bench/gpu.py"),
    "matplotlib": (
        "calib/report/plots.py",
        "calib/report/plots_answers.py",
        "tests/",
        "bench/figures.py",
    ),
    "jinja2": ("calib/report/page.py", "tests/"),
    "typer": ("calib/cli/", "tests/"),
    "rich": ("calib/cli/", "tests/"),
    "pint": ("calib/judge/numeric/units.py",),
    "text_to_num": ("calib/judge/numeric/words.py",),
    "torchmetrics": (
        "calib/metrics/torchmetric.py",
        "calib/checks/crosscheck.py",
        "tests/",
        "bench/ops/ece.py",
    ),
}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Dotted names of every import in a file, those inside functions included.

    What only a type checker sees does not count.
    """
    package = path.relative_to(ROOT).with_suffix("").parts
    open_nodes: list[ast.AST] = [ast.parse(path.read_text())]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            open_nodes += node.orelse
            continue
        open_nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: -node.level]) if node.level else ""
            name = ".".join(filter(None, (base, node.module)))
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


def layer_violations(package: str, folder: Path, layers: list[set[str]]) -> list[str]:
    height = {name: level for level, names in enumerate(layers) for name in names}
    found = []
    for path in sorted(folder.rglob("*.py")):
        own = path.relative_to(folder).with_suffix("").parts[0]
        if own == "__init__":
            continue
        assert own in height, f"{path.relative_to(ROOT)} stands in no layer"
        for name in imported(path):
            parts = name.split(".")
            if parts[0] != package or len(parts) < 2 or parts[1] not in height:
                continue
            if height[parts[1]] > height[own]:
                found.append(f"{path.relative_to(ROOT)} imports {name}, which is above it")
    return found


def test_layers_point_one_way() -> None:
    kernels = ROOT / "kernels" / "calib_kernels"
    assert not layer_violations("calib_kernels", kernels, KERNEL_LAYERS)
    assert not layer_violations("calib", ROOT / "calib", CALIB_LAYERS)


def test_kernels_know_tensors_and_nothing_else() -> None:
    banned = {"calib", "transformers", "datasets", "PIL", "pandas"}
    for path in sources("kernels/calib_kernels"):
        assert not banned & {name.split(".")[0] for name in imported(path)}, path


def test_calib_uses_the_public_names_of_the_kernels() -> None:
    for path in sources("calib", "training"):
        inner = {n for n in imported(path) if n.startswith("calib_kernels.")}
        public = {f"calib_kernels.{name}" for name in calib_kernels.__all__}
        assert inner <= public, f"{path.relative_to(ROOT)} imports {inner}"


def test_nothing_imports_bench_or_tests() -> None:
    for path in sources("kernels", "calib", "training"):
        assert not {"bench", "tests"} & {n.split(".")[0] for n in imported(path)}, path


@pytest.mark.parametrize("dependency", IMPORTERS)
def test_a_heavy_dependency_has_one_importer(dependency: str) -> None:
    for path in sources("kernels", "calib", "training", "bench", "tests"):
        if dependency in {name.split(".")[0] for name in imported(path)}:
            place = path.relative_to(ROOT).as_posix()
            assert place.startswith(IMPORTERS[dependency]), f"{place} imports {dependency}"


def test_the_kernels_folder_is_no_package() -> None:
    """transformers imports a package called ``kernels`` wherever it finds one."""
    assert not (ROOT / "kernels" / "__init__.py").exists()


def test_transformers_imports_beside_the_kernels_folder() -> None:
    code = "import sys; sys.path.insert(0, '.'); import transformers.pipelines"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("module", ["calib", "calib.metrics", "calib.cli"])
def test_imports_without_torch(module: str) -> None:
    code = f"import {module}, sys; assert 'torch' not in sys.modules, 'torch was imported'"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_kernels_import_needs_torch_and_numpy_only() -> None:
    heavy = ["transformers", "datasets", "pandas", "matplotlib", "scipy", "sklearn", "PIL"]
    code = f"import calib_kernels, sys; assert not set({heavy}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return listed.stdout.split()


def test_the_readme_names_files_that_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    names = set(re.findall(r"`([\w./-]+\.(?:py|md|hpp|cpp|txt|toml|json|svg|png))`", readme))
    names |= set(re.findall(r"\]\((?!https?:)([^)#]+)\)", readme))
    assert names
    # A bare file name may stand for the one file of that name.
    everything = set(tracked())
    for name in names:
        known = name in everything or any(path.endswith("/" + name) for path in everything)
        assert known or (ROOT / name).is_dir(), f"README names {name}"


def test_the_readme_tree_is_true() -> None:
    readme = (ROOT / "README.md").read_text()
    tree = re.search(r"```text\n(README\.md.*?)```", readme, re.S)
    assert tree, "README has no tree"
    for line in tree[1].splitlines():
        path = line.split("  ")[0].strip()
        if path:
            assert (ROOT / path).exists(), f"the README's tree names {path}"


def test_no_machine_paths() -> None:
    pattern = re.compile(r"(?<![\w.])/(work|tmp|root|home)/")
    for name in tracked():
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".cpp", ".hpp", ".txt", ".json", ""}:
            assert path == Path(__file__) or not pattern.search(path.read_text()), name


def test_files_stay_small() -> None:
    for path in sources("kernels", "calib", "training", "bench"):
        lines = path.read_text().count("\n")
        assert lines <= 400, f"{path.relative_to(ROOT)} has {lines} lines"
