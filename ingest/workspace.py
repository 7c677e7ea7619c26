"""The workspace: the customer's folder, and where each store lies in it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ingest.errors import WorkspaceError

LAYOUT_VERSION = 1
MARKER = "workspace.json"
COPY = "record"  # folder of a machine's copy of the shared record


@dataclass(frozen=True)
class Workspace:
    """Paths of one workspace. Nothing here touches the disk except :meth:`create` and :meth:`open`."""

    root: Path

    @property
    def registry_file(self) -> Path:
        """The declared inventory, ``registry.yaml``."""
        return self.root / "registry.yaml"

    @property
    def control_url(self) -> str:
        """SQLAlchemy URL of the control store: ``FLEETBOOK_CONTROL_URL``, or SQLite in the workspace."""
        return os.environ.get("FLEETBOOK_CONTROL_URL") or f"sqlite:///{self.root / 'control.db'}"

    @property
    def wal_dir(self) -> Path:
        """Hash-chained line files of open writers, ``<writer_id>.wal``."""
        return self.root / "wal"

    @property
    def lake_dir(self) -> Path:
        """Sealed Parquet segments, ``recorded_date=YYYY-MM-DD/<writer_id>-<first>-<last>.parquet``."""
        return self.root / "lake"

    @property
    def payload_dir(self) -> Path:
        """Prompt, answer, argument and result texts by month: apart from the log, so that they can go."""
        return self.root / "payloads"

    @property
    def manifest_file(self) -> Path:
        """Append-only list of everything sealed, one JSON line and one Merkle leaf each."""
        return self.root / "manifest.jsonl"

    @property
    def checkpoint_dir(self) -> Path:
        """Signed checkpoints of the manifest's tree."""
        return self.root / "checkpoints"

    @property
    def quarantine_dir(self) -> Path:
        """Rejected input with its reason."""
        return self.root / "quarantine"

    @property
    def build_dir(self) -> Path:
        """Warehouse generations ``gens/<n>/warehouse.duckdb`` and the pointer ``current``."""
        return self.root / "build"

    @property
    def export_dir(self) -> Path:
        """Exports with their manifests."""
        return self.root / "exports"

    @property
    def notices_file(self) -> Path:
        """Every notice as one JSON line, whatever else it is sent to."""
        return self.root / "notices.jsonl"

    @property
    def shared_file(self) -> Path:
        """Names the place where several machines bring their logs together; there only after joining it."""
        return self.root / "shared.json"

    @property
    def record(self) -> Workspace:
        """Where the whole log lies: the copy of what all machines shipped; else this folder."""
        return Workspace(self.root / COPY) if self.shared_file.exists() else self

    @property
    def origin_file(self) -> Path:
        """Of a copy of a shared record: where it comes from; what is added to it is added there first."""
        return self.root / "origin.json"

    @property
    def shipping_dir(self) -> Path:
        """What this machine knows of the shared record, to ship to it: made again when it is lost."""
        return self.root / "shipping"

    @property
    def has_control(self) -> bool:
        """Whether there is a control store: a workspace that only takes in outside runs has none."""
        return "FLEETBOOK_CONTROL_URL" in os.environ or (self.root / "control.db").exists()

    @property
    def demo_file(self) -> Path:
        """Mark of a demo workspace and how far it was made; only `fleetbook demo` writes it."""
        return self.root / "demo.json"

    @property
    def is_demo(self) -> bool:
        """True in a demo workspace: what the runner, the registry and the pages record there is demo data."""
        return self.demo_file.exists()

    def _folders(self) -> tuple[Path, ...]:
        return (
            self.wal_dir,
            self.lake_dir,
            self.payload_dir,
            self.checkpoint_dir,
            self.quarantine_dir,
            self.build_dir,
            self.export_dir,
        )

    @classmethod
    def create(cls, root: Path) -> Workspace:
        """Make the folders (existing ones stay as they are), write the marker last, return the workspace.

        Raises WorkspaceError when ``root`` holds foreign files or a workspace of a newer layout.
        """
        workspace = cls(root.resolve())
        if (workspace.root / MARKER).exists():
            return cls.open(root)
        if workspace.root.exists() and any(workspace.root.iterdir()) and not workspace.wal_dir.exists():
            raise WorkspaceError(
                f"Workspace not made: {root} is not empty and is no Fleetbook workspace. "
                "Name an empty folder with --workspace or FLEETBOOK_HOME."
            )
        for folder in workspace._folders():
            folder.mkdir(parents=True, exist_ok=True)
        temporary = workspace.root / f"{MARKER}.tmp"
        temporary.write_text(json.dumps({"layout_version": LAYOUT_VERSION}) + "\n", encoding="utf-8")
        temporary.replace(workspace.root / MARKER)
        return workspace

    @classmethod
    def open(cls, root: Path) -> Workspace:
        """Return the workspace at ``root``. Raises WorkspaceError when it is missing, half made or newer."""
        workspace = cls(root.resolve())
        marker = workspace.root / MARKER
        if not marker.exists():
            state = "is half made" if workspace.wal_dir.exists() else "does not exist"
            raise WorkspaceError(
                f"No workspace: {root} {state}. Run `fleetbook init --workspace {root}`, "
                "or set FLEETBOOK_HOME to an existing one."
            )
        try:
            version = int(json.loads(marker.read_text(encoding="utf-8"))["layout_version"])
        except (ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(
                f"Workspace unreadable: {marker} does not state a layout_version. "
                "Restore the file from a backup."
            ) from error
        if version > LAYOUT_VERSION:
            raise WorkspaceError(
                f"Workspace too new: {root} has layout {version}, this release reads up to {LAYOUT_VERSION}. "
                "Update Fleetbook."
            )
        return workspace


def home() -> Path:
    """The workspace folder this process works in: ``FLEETBOOK_HOME``, or ``./workspace``."""
    return Path(os.environ.get("FLEETBOOK_HOME", "workspace"))
