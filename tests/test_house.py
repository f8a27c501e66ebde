"""The house's own rules: layers, no circles, one importer per heavy dependency, a true README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import calib_kernels
import pytest

from tests.house import ROOT, cycle, functions, imported, imports_between, sources

# Lower may not import higher. Names are modules or packages directly below the package.
KERNEL_LAYERS = [
    {"bins", "checks", "backend", "dispatch", "grid", "philox", "transforms"},
    {"coarse", "results", "rows", "tiles"},
    {"heads"},
    {"reference", "native", "gpu"},
    {"histogram", "ops"},
]
CALIB_LAYERS = [
    {"records"},
    {"fields"},
    {"metrics", "images"},
    {"intervals"},
    {"tasks", "train"},
    {"judge", "runs"},
    {"models"},
    {"calibrators", "hf", "logs"},
    {"drive", "summary"},
    {"uncertainty", "idk"},
    {"prompts", "modalities", "trajectories", "twin_sets"},
    {"report"},
    {"studies"},
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
        "bench/drives.py",
        "bench/ops/scoring.py",
        "bench/ops/answers.py",
    ),
    "peft": ("calib/hf/", "training/", "tests/"),
    "triton": ("kernels/calib_kernels/gpu/", "tests/", "bench/gpu.py", "bench/registers.py"),
    "matplotlib": (
        "calib/report/plots/",
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


@pytest.mark.parametrize(("root", "package"), [("kernels", "calib_kernels"), (".", "calib")])
def test_modules_import_in_no_circle(root: str, package: str) -> None:
    graph = imports_between(ROOT / root, package)
    assert len(graph) > 40
    assert cycle(graph) == []


@pytest.mark.parametrize(
    ("one", "other", "circle"),
    [
        ("import wing.inner.other", "from wing.one import name", True),
        ("from .inner import other", "from .. import one", True),
        ("from .inner.other import name", "def f():\n    from ..one import name", True),
        ("from wing.inner import name", "from wing import one", True),  # through inner/__init__
        ("from .inner import other", "import wing", True),  # through wing/__init__
        ("from .inner import other", "if TYPE_CHECKING:\n    from .. import one", False),
        ("from .inner import other", "import inner, one, sys", False),
    ],
)
def test_a_planted_circle_is_found(tmp_path: Path, one: str, other: str, circle: bool) -> None:
    inner = tmp_path / "wing" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "wing" / "__init__.py").write_text("from . import one")
    (tmp_path / "wing" / "one.py").write_text(one)
    (inner / "__init__.py").write_text("from .other import name")
    (inner / "other.py").write_text(other)
    found = cycle(imports_between(tmp_path, "wing"))
    assert {"wing.one", "wing.inner.other"} <= set(found) if circle else found == []


def test_kernels_know_tensors_and_nothing_else() -> None:
    banned = {"calib", "transformers", "datasets", "PIL", "pandas"}
    for path in sources("kernels/calib_kernels"):
        assert not banned & {name.split(".")[0] for name in imported(path)}, path


def test_calib_uses_the_public_names_of_the_kernels() -> None:
    for path in sources("calib", "training"):
        inner = {n for n in imported(path) if n.startswith("calib_kernels.")}
        public = {f"calib_kernels.{name}" for name in calib_kernels.__all__}
        assert inner <= public, f"{path.relative_to(ROOT)} imports {inner}"


def test_the_stories_know_neither_tensors_nor_who_runs_the_model() -> None:
    stories = [ROOT / "calib" / "drive" / f"{name}.py" for name in ("score", "sample", "reason")]
    for path in [*stories, *sources("calib/models")]:
        names = set(imported(path))
        assert not {"torch", "transformers", "calib_kernels"} & {n.split(".")[0] for n in names}
        assert not [n for n in names if n.startswith("calib.hf")], path.relative_to(ROOT)


def test_nothing_imports_bench_or_tests() -> None:
    for path in sources("kernels", "calib", "training"):
        assert not {"bench", "tests"} & {n.split(".")[0] for n in imported(path)}, path


def test_the_gate_imports_nothing_of_the_benches() -> None:
    for path in sources("tests/gate"):
        assert "bench" not in {name.split(".")[0] for name in imported(path)}, path


def test_no_test_module_imports_another() -> None:
    for path in sources("tests", "bench"):
        tests = {n for n in imported(path) if n.startswith("tests.") and ".test_" in n}
        assert not tests, f"{path.relative_to(ROOT)} imports {tests}"


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


def test_hooks_run_what_make_lint_runs() -> None:
    hooks = re.findall(r"entry: make (\S+)", (ROOT / ".pre-commit-config.yaml").read_text())
    lint = re.search(r"^lint: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert lint and hooks == lint[1].split()


def test_files_stay_small() -> None:
    paths = sources("kernels", "calib", "training", "bench", "tests")
    lengths = {p.relative_to(ROOT): p.read_text().count("\n") for p in paths}
    long = {str(p): n for p, n in lengths.items() if n > 400 and "data" not in p.parts}
    assert not long, f"files of more than 400 lines: {long}"


def test_calib_has_few_loose_files() -> None:
    loose = [path.name for path in (ROOT / "calib").glob("*.py")]
    assert len(loose) <= 5, f"calib/ has loose files: {', '.join(sorted(loose))}"


def test_the_drives_are_told_in_short_functions() -> None:
    long = {
        f"{path.relative_to(ROOT)}: {name}": lines
        for path in sources("calib/drive")
        for name, lines in functions(path)
        if lines > 60
    }
    assert not long, f"functions of more than 60 lines: {long}"
