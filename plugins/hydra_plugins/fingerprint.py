"""Writes a fingerprint of conf/ into params.yaml: the resolver `${fingerprint:}` of conf/config.yaml.

DVC loads this file (hydra.plugins_path in .dvc/config) whenever it composes, perhaps from an environment without
mlworkflow: so it imports nothing of it, and mlworkflow.config.conf loads this same file by its path.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

CONF = Path(__file__).resolve().parents[2] / "conf"


def files(folder: Path = CONF) -> dict[str, str]:
    """Return {name: first 12 hex digits of the SHA-256} of the files that Hydra may read.

    Hidden files do not count, nor do those of sweep/: they name sets of experiments, and no composition reads them.
    """
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml") if path.is_file())
    parts = {name: name.split("/") for name in names}
    seen = [name for name in names if parts[name][0] != "sweep" and not any(part[0] == "." for part in parts[name])]
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12] for name in seen}


def digest(text: str) -> str:
    """Return 12 hex digits for what the YAML `text` says beside its fingerprint, whatever its line ends."""
    content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    said = {key: value for key, value in content.items() if key != "fingerprint"}
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()[:12]


def fingerprint(*, _root_: Any) -> Any:
    """Return {"files": ..., "composed": ...} of the configuration being resolved, which stays as it is."""
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(_root_, resolve=False)
    composed = OmegaConf.create({key: value for key, value in content.items() if key != "fingerprint"})
    return OmegaConf.create({"files": files(), "composed": digest(OmegaConf.to_yaml(composed, resolve=True))})


def register() -> None:
    """Make `${fingerprint:}` known to OmegaConf; a second time does no harm."""
    from omegaconf import OmegaConf

    OmegaConf.register_new_resolver("fingerprint", fingerprint, replace=True)


if __name__.startswith("hydra_plugins."):  # Hydra found it
    register()
