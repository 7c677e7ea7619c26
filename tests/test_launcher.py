"""The launcher: a fresh folder is set up, a half-made one recovers, and words reach what they name.

Each test copies ``fleetbook`` into a folder of its own with two tiny packages as locked dependencies,
so that nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
CLI = """
import os, sys
import greeting
print("words", sys.argv[1:], "in", os.getcwd(), "with", greeting.VERSION, "pid", os.getpid(), flush=True)
if "wait" in sys.argv:
    sys.stdin.read()
"""
BENCH = 'import sys, greeting; print("bench", sys.argv[1:])'


def make_wheel(folder: Path, name: str, version: str) -> str:
    """Write a wheel with one module that holds VERSION; returns its line for a lock file."""
    info = f"{name}-{version}.dist-info"
    members = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class House:
    """A folder with a launcher, two lock files and a stand-in for the product."""

    def __init__(self, root: Path):
        self.root = root
        self.wheels = root.parent / "wheels"  # pip splits PIP_FIND_LINKS at spaces, the house has one
        for folder in (self.wheels, root / "app", root / "tests" / "benchmarks"):
            folder.mkdir(parents=True)
        shutil.copy(ROOT / "fleetbook", root / "fleetbook")
        (root / "app" / "cli.py").write_text(CLI)
        (root / "tests" / "benchmarks" / "__main__.py").write_text(BENCH)
        self.lock("1.0")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "FLEETBOOK_PYTHON": sys.executable,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_CONFIG_FILE": os.devnull,
        }

    def lock(self, version: str, developers: str = "listening") -> None:
        """Lock ``greeting`` at ``version``; the developers' lock has one more package."""
        base = make_wheel(self.wheels, "greeting", version)
        (self.root / "requirements.lock").write_text(base)
        (self.root / "requirements-dev.lock").write_text(base + make_wheel(self.wheels, developers, "3.0"))

    def start(
        self, *words: str, launcher: Path | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[str]:
        """The launcher as a process of its own session."""
        return subprocess.Popen(
            [str(launcher or self.root / "fleetbook"), *words],
            cwd=cwd or self.root,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(
        self, *words: str, launcher: Path | None = None, cwd: Path | None = None
    ) -> tuple[int, str, str]:
        """Exit code, output and messages of one call."""
        process = self.start(*words, launcher=launcher, cwd=cwd)
        output, messages = process.communicate(timeout=120)
        return process.returncode, output, messages


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A fresh folder, nothing set up."""
    return House(tmp_path / "a house")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A folder that has been set up once."""
    house = House(tmp_path_factory.mktemp("made") / "a house")
    code, _, messages = house.call("first")
    assert code == 0, messages
    assert "installing requirements.lock" in messages
    return house


def test_words_reach_the_product_through_a_symlink_from_another_directory(
    made: House, tmp_path: Path
) -> None:
    link = tmp_path / "bin" / "fleetbook"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(made.root / "fleetbook", link.parent))
    (tmp_path / "app").mkdir()  # a folder of this name where the command is called does not hide ours
    code, output, messages = made.call("export", "--format", "a b", launcher=link, cwd=tmp_path)
    assert (code, messages) == (0, "")
    assert f"words ['export', '--format', 'a b'] in {tmp_path} with 1.0" in output


def test_the_product_replaces_the_launcher_so_that_ctrl_c_reaches_it(made: House) -> None:
    process = made.start("wait")
    assert process.stdout is not None
    assert process.stdout.readline().endswith(f"pid {process.pid}\n")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT


def test_the_developers_words_bring_their_packages_and_keep_the_others(made: House) -> None:
    code, output, messages = made.call("bench", "log")
    assert (code, output) == (0, "bench ['log']\n"), messages
    assert "installing requirements-dev.lock" in messages
    assert made.call("bench")[2] == ""
    assert made.call("again")[2] == ""


def test_a_changed_lock_is_followed_and_what_it_dropped_is_removed(house: House) -> None:
    assert "with 1.0" in house.call("x")[1]
    house.call("bench")
    house.lock("2.0", developers="waiting")
    code, output, messages = house.call("x")
    assert code == 0, messages
    assert "with 2.0" in output
    (site,) = (house.root / ".venv" / "lib").glob("python*/site-packages")
    assert not (site / "listening.py").exists()
    assert house.call("bench")[1] == "bench []\n"
    assert (site / "waiting.py").exists()


def test_two_launchers_at_once_set_up_once(house: House) -> None:
    processes = [house.start(word) for word in ("one", "two")]
    messages = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], messages
    assert sum("installing" in text for text in messages) == 1
    assert sum("waiting for it" in text for text in messages) == 1


def test_a_set_up_that_was_killed_is_finished_by_the_next_call(house: House) -> None:
    process = house.start("x")
    assert process.stderr is not None
    while "installing" not in process.stderr.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    code, output, messages = house.call("x")
    assert code == 0, messages
    assert "with 1.0" in output


def test_a_package_that_was_half_installed_is_installed_again(house: House) -> None:
    house.call("x")
    (site,) = (house.root / ".venv" / "lib").glob("python*/site-packages")
    (site / "greeting.py").unlink()
    (site / "greeting-1.0.dist-info" / "INSTALLER").unlink()
    (house.root / ".venv" / "requirements.lock").unlink()
    code, output, messages = house.call("x")
    assert code == 0, messages
    assert "with 1.0" in output


def test_an_environment_without_a_working_python_is_made_again(house: House) -> None:
    (house.root / ".venv" / "bin").mkdir(parents=True)
    (house.root / ".venv" / "bin" / "python").symlink_to("/nonexistent/python3")
    shutil.copy(house.root / "requirements.lock", house.root / ".venv" / "requirements.lock")
    code, output, messages = house.call("x")
    assert code == 0, messages
    assert "with 1.0" in output


def test_packages_that_cannot_be_had_are_named_and_a_later_call_carries_on(house: House) -> None:
    house.environment["PIP_FIND_LINKS"] = str(house.root / "app")
    code, output, messages = house.call("x")
    assert (code, output) == (2, "")
    assert "greeting==1.0" in messages
    assert "Check the connection to the package index" in messages
    house.environment["PIP_FIND_LINKS"] = str(house.wheels)
    assert house.call("x")[0] == 0


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python-of-the-test"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_an_old_python_is_named_with_its_version(house: House) -> None:
    old = 'case "$2" in *version_info\\[*) echo 3.9.2 ;; *) exit 1 ;; esac'
    house.environment["FLEETBOOK_PYTHON"] = fake_python(house.root, old)
    code, _, messages = house.call("x")
    assert code == 2
    assert "Python 3.11 or newer is needed" in messages
    assert "is 3.9.2" in messages
    assert not (house.root / ".venv").exists()


def test_a_python_without_venv_is_told_apart_from_no_python(house: House) -> None:
    bare = f'case "$2" in *ensurepip*) exit 1 ;; esac; exec {sys.executable} "$@"'
    house.environment["FLEETBOOK_PYTHON"] = fake_python(house.root, bare)
    code, _, messages = house.call("x")
    assert code == 2
    assert "its venv module is missing" in messages
    assert "python3-venv" in messages


def pins(name: str) -> dict[str, set[str]]:
    """Package name → locked versions (several where the Python version decides)."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"(?m)^([A-Za-z0-9_.-]+)(?:\[.*?\])?==([^ ;]+)", (ROOT / name).read_text()
    ):
        found.setdefault(re.sub(r"[-_.]+", "-", package).lower(), set()).add(version)
    return found


def test_the_developers_lock_holds_the_products_lock() -> None:
    # A test run on other versions than the product's would prove nothing about it.
    base, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    assert base
    assert {name: dev.get(name) for name in base} == base


@pytest.mark.parametrize("extra", ["", "dev"])
def test_each_declared_dependency_is_locked_within_its_range(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = pins("requirements-dev.lock" if extra else "requirements.lock")
    for text in project["optional-dependencies"][extra] if extra else project["dependencies"]:
        requirement = Requirement(text)
        versions = locked.get(re.sub(r"[-_.]+", "-", requirement.name).lower(), set())
        assert versions, f"{text} is not locked; renew the lock files (docs/decisions/0007-two-lock-files.md)"
        assert all(requirement.specifier.contains(version) for version in versions), text


def test_lock_files_carry_hashes_and_no_address() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=[A-Za-z])", text)[1:])
