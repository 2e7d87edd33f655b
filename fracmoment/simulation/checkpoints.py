"""Files that hold what a run has done so far: whole or not there, and refused if damaged."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAGIC = b"fracmoment checkpoint 1\n"
_HASH_BYTES = 64  # of SHA-256 in hexadecimal
_LONGEST_HEADER = 1 << 28


class CheckpointError(RuntimeError):
    """A checkpoint that is damaged, of another version, or of another run."""

    def __init__(self, path: Any, problem: str) -> None:
        super().__init__(f"{path} {problem}")


class Checkpoint:
    """A file with the state of one run.

    Layout: a line with the name and version of the format; a line with the SHA-256 of all that
    follows; a line of JSON that describes the run and says how many replicas are done and how
    long the state is; the state. Nothing in it is code.

    Parameters
    ----------
    path : str or os.PathLike
        The file. It need not exist.
    description : dict
        What the run is, in JSON; a file of a run with another description is refused.
    """

    def __init__(self, path: Any, description: Mapping[str, Any]) -> None:
        self.path = _file(path)
        self.description: dict[str, Any] = json.loads(json.dumps(description))

    def load(self) -> tuple[int, bytes] | None:
        """Return how many replicas are done and the state; None if there is no file.

        Raises
        ------
        CheckpointError
            The file is damaged, or belongs to another run.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        header, state = _parse(content, self.path)
        found = header.get("run")
        if found != self.description:
            raise CheckpointError(self.path, f"belongs to another run: {self._differences(found)}")
        done = header.get("done")
        if not isinstance(done, int) or not done >= 0:
            raise CheckpointError(self.path, "is damaged: it does not say how much is done")
        return done, state

    @staticmethod
    def seed_in(path: Any) -> int | None:
        """Return the seed of the run that a file belongs to; None if there is no file."""
        file = _file(path)
        try:
            header, _ = _parse(file.read_bytes(), file)
        except FileNotFoundError:
            return None
        run = header.get("run")
        seed = run.get("seed") if isinstance(run, dict) else None
        return seed if isinstance(seed, int) and 0 <= seed < 2**64 else None

    def save(self, done: int, state: bytes) -> None:
        """Replace the file, which is at every moment either the old or the new one."""
        header = json.dumps({"run": self.description, "done": done, "size": len(state)})
        body = header.encode() + b"\n" + state
        digest = hashlib.sha256(body).hexdigest().encode()
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                file.write(_MAGIC + digest + b"\n" + body)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)

    def _differences(self, found: Any) -> str:
        if not isinstance(found, dict):
            return "it has no description"
        names = [
            name
            for name in {**self.description, **found}
            if self.description.get(name) != found.get(name)
        ]
        return "; ".join(
            f"{name} is {_shown(found.get(name))} there, {_shown(self.description.get(name))} here"
            for name in names
        )


def _file(path: Any) -> Path:
    file = Path(path)
    if file.is_dir() or not file.absolute().parent.is_dir():
        message = f"checkpoint must be a file in an existing folder, got {str(path)!r}"
        raise ValueError(message)
    return file


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _parse(content: bytes, path: Path) -> tuple[dict[str, Any], bytes]:
    if not content.startswith(_MAGIC):
        raise CheckpointError(path, "is not a checkpoint of this version of fracmoment")
    start = len(_MAGIC) + _HASH_BYTES + 1
    digest, body = content[len(_MAGIC) : start - 1], content[start:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise CheckpointError(path, "is damaged: its checksum does not match; delete it")
    end = body.find(b"\n", 0, _LONGEST_HEADER)
    header = json.loads(body[: max(end, 0)] or b"null")
    if not isinstance(header, dict) or header.get("size") != len(body) - end - 1:
        raise CheckpointError(path, "is damaged: its header does not match; delete it")
    return header, body[end + 1 :]
