"""The folder of a run: state, log, curve, samples, models."""

from __future__ import annotations

import csv
import io
import json
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training import Refusal
from training.config import MAY_CHANGE
from training.data.dataset import Dataset
from training.export import to_checkpoint
from training.model import Sketchformer
from training.report import draw_curve, draw_samples
from vpype_sketchformer.files import replacing, write_whole
from vpype_sketchformer.model.checkpoint import Checkpoint, save


@dataclass(frozen=True)
class Scores:
    """Nats per real point in pixels: offset, pen."""

    offset: float
    pen: float

    @property
    def total(self) -> float:
        """Nats per point in all."""
        return self.offset + self.pen


class RunFolder:
    """A run's folder: state, log, curve, samples.

    Attributes:
        folder: Where everything lies.
        settings: What the run was started with; a state is of use to the same run only.
        recent: Training losses since the last validation.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        """Open or create the folder.

        Raises:
            Refusal: The folder cannot be made.
        """
        self.folder, self.settings = folder, settings
        self.recent: list[float] = []
        self.state_path = folder / "state.pt"
        self.log_path = folder / "log.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refusal(f"{folder}: cannot be made a folder ({error})") from error

    def restore(self, model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> int:
        """Load the last state, if there is one; returns the step to begin with.

        Raises:
            Refusal: The state cannot be read, or is that of another run.
        """
        if not self.state_path.exists():
            return 0
        state = self._read_state()
        saved = state.get("settings", {})
        others = [
            key
            for key, value in saved.items()
            if key not in MAY_CHANGE and self.settings.get(key) != value
        ]
        if others:
            was = ", ".join(f"{key} = {saved[key]}" for key in others[:3])
            raise Refusal(f"{self.folder} holds another run ({was}); choose another --out.")
        try:
            model.load_state_dict(state["model"])
            for optimizer, moments in zip(optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(moments)
            step = int(state["step"])
        except (KeyError, TypeError, RuntimeError, ValueError) as error:
            raise Refusal(f"{self.folder} holds another run; choose another --out.") from error
        self.recent = state.get("recent", [])
        return step

    def _read_state(self) -> dict[str, Any]:
        unreadable = Refusal(
            f"{self.state_path}: not the state of a run, or damaged; "
            "remove it to begin the run again."
        )
        try:
            state = torch.load(self.state_path, "cpu", weights_only=True)
            if isinstance(state, dict):
                return state
        except Exception as error:  # a damaged file makes torch raise whatever it likes
            raise unreadable from error
        raise unreadable

    def keep(
        self, step: int, model: nn.Module, optimizers: list[torch.optim.Optimizer]
    ) -> None:
        """Save the state after ``step`` steps, whole or not at all."""
        state = {
            "step": step,
            "settings": self.settings,
            "model": model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            "recent": self.recent,
        }
        with replacing(self.state_path) as file:
            torch.save(state, file)

    def cut_log(self, step: int) -> None:
        """Drop from the log what came after a step, since it will come again."""
        self._write_log([entry for entry in self.entries() if entry["step"] <= step])

    def log(self, entry: dict[str, float]) -> None:
        """Add a line to the log and redraw the curve."""
        entries = [*self.entries(), entry]
        self._write_log(entries)
        draw_curve(entries, self.folder / "curve.svg")

    def _write_log(self, entries: list[dict[str, float]]) -> None:
        """Write the log, whole or not at all."""
        write_whole(self.log_path, "".join(json.dumps(entry) + "\n" for entry in entries))
        if entries:
            text = io.StringIO()
            table = csv.DictWriter(text, entries[-1], extrasaction="ignore")
            table.writeheader()
            table.writerows(entries)
            write_whole(self.folder / "log.csv", text.getvalue())

    def entries(self) -> list[dict[str, float]]:
        """The log so far."""
        if not self.log_path.exists():
            return []
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def is_best(self) -> bool:
        """Tell whether no validation before the last one gave less."""
        valid = [entry["valid"] for entry in self.entries()]
        return valid[-1] == min(valid)

    def export(
        self, model: Sketchformer, dataset: Dataset, step: int, scores: Scores, name: str
    ) -> Checkpoint:
        """Write the model as a checkpoint that vpype draws with."""
        metadata = {
            "data": list(dataset.sources),
            "command": shlex.join(["python", "-m", "training.train", *sys.argv[1:]]),
            "settings": self.settings,
            "step": step,
            "validation": asdict(scores),
        }
        checkpoint = to_checkpoint(model, dataset.classes, metadata)
        save(checkpoint, self.folder / f"{name}.safetensors")
        return checkpoint

    def show(self, checkpoint: Checkpoint, step: int) -> None:
        """Draw a sheet of samples."""
        draw_samples(checkpoint, self.folder / f"samples-{step:06d}.svg")
