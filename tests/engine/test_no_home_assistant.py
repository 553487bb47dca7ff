"""The engine never imports Home Assistant: read in its sources and seen in a running process."""

import ast
import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "custom_components" / "media_pipeline" / "engine"


def test_no_source_file_imports_home_assistant() -> None:
    files = sorted(ENGINE.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] not in {"homeassistant", "custom_components"}, file


def test_the_engine_loads_without_home_assistant() -> None:
    code = (
        "import sys, pkgutil, importlib, engine\n"
        "sys.modules['homeassistant'] = None\n"
        "for m in pkgutil.walk_packages(engine.__path__, 'engine.'):\n"
        "    if m.name.endswith(('migrations.env', 'media.worker')): continue\n"
        "    importlib.import_module(m.name)\n"
        "print(len([m for m in sys.modules if m.startswith('engine.')]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ENGINE.parent,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ENGINE.parent), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
