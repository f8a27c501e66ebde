"""What ``test_house`` reads of the sources: imports, the graph of modules, lengths."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOR_TYPE_CHECKERS = ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def module_name(path: Path, root: Path) -> str:
    """The dotted name of a file below ``root``; a package's ``__init__`` has the package's."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache  # most rules of the house read every file
def import_statements(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Every import of a file, those inside functions included.

    What only a type checker reads does not count.
    """
    statements = []
    open_nodes: list[ast.AST] = [ast.parse(path.read_text())]
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in FOR_TYPE_CHECKERS:
            open_nodes += node.orelse
            continue
        open_nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            statements.append(node)
    return statements


def imported(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Absolute dotted names: of the modules, and with each name that is taken from them."""
    folder = path.relative_to(root).parts[:-1]
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            continue
        base = ".".join(folder[: len(folder) - node.level + 1]) if node.level else ""
        module = ".".join(filter(None, (base, node.module)))
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_between(root: Path, package: str) -> dict[str, set[str]]:
    """module -> the modules of the same package that it imports.

    ``from package import name`` imports the module of that name where there is one, else the
    package's own ``__init__``. A stub (``.pyi``) stands for a compiled module. Whoever imports
    ``package.wing.module`` from outside the wing runs the wing's ``__init__`` too.
    """
    suffixes = {".py", ".pyi"}
    files = [p for p in sorted((root / package).rglob("*")) if p.suffix in suffixes]
    modules = {module_name(path, root): path for path in files}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        targets: set[str] = set()
        for node in import_statements(path):
            targets |= imported_modules(node, name, path, set(modules))
        wings = {parent for target in targets for parent in parents(target)}
        own = {name, *parents(name)}
        graph[name] = (targets | (wings - own)) - {name}
    return graph


def parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def imported_modules(
    node: ast.Import | ast.ImportFrom, module: str, path: Path, modules: set[str]
) -> set[str]:
    """Those of ``modules`` that one import statement of ``module`` names."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & modules
    base = node.module or ""
    if node.level:
        parts = module.split(".") + ["__init__"] * (path.stem == "__init__")
        base = ".".join(filter(None, (".".join(parts[: -node.level]), node.module)))
    names = {f"{base}.{alias.name}" for alias in node.names}
    plain = {base} if names - modules else set()
    return (names | plain) & modules


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """Modules of which each imports the next, the last being the first again; [] without any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # Each entry is imported by the one after it.
        return list(reversed(error.args[1]))
    return []


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines from its ``def`` to its end) of every function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1
