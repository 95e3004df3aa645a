"""The AxiDraw, driven by its maker's own Python module, `pyaxidraw`.

The module is not on the package index and is not part of this plug-in: the user installs it.
What is used of it is what its documentation promises for the plot context of the AxiDraw
Python API 3.9 (axidraw.com/doc/py_api): `plot_setup` with a string of SVG, `options`,
`keyboard_pause`, `plot_run(True)`, `errors.code`, and the variables that `plot_run` leaves.

The plot context rather than the interactive one, because the module then plans the speeds,
understands the names of layers, estimates the time, stops at the pause button or at Ctrl-C
with the pen up, and returns an SVG that knows how far it got (`res_plot`).
"""

from __future__ import annotations

import contextlib
import importlib
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.plotters.job import Job, JobError, JobFile, Progress, key

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARCHIVE = "https://cdn.evilmadscientist.com/dl/ad/public/AxiDraw_API.zip"
DOCUMENTATION = "https://axidraw.com/doc/py_api"


class Model(NamedTuple):
    """One of the machines, by the number that `options.model` takes.

    Attributes:
        names: What it is sold as.
        travel: How far it reaches, in mm, along the long side and along the short one.
    """

    names: str
    travel: tuple[float, float]


#: From the documentation of `options.model`; travel from the module's configuration file.
MODELS = {
    1: Model("V2, V3 or SE/A4", (300, 218)),
    2: Model("V3/A3 or SE/A3", (430, 297)),
    3: Model("V3 XLX", (595, 218)),
    4: Model("MiniKit", (160, 101.6)),
    5: Model("SE/A1", (864, 594)),
    6: Model("SE/A2", (594, 432)),
    7: Model("V3/B6", (190, 140)),
}

#: vpype has put the strokes in order, and each of them is plotted once, as it is.
FIXED = {
    "reordering": 4,
    "random_start": False,
    "hiding": False,
    "copies": 1,
    "digest": 0,
    "rendering": 0,
}

#: Why a plot ended early, by `errors.code`. 1 is a pause by the name of a layer.
STOPS = {
    1: "the plot was paused by the name of a layer",
    101: "no AxiDraw was found: connect it by USB, switch it on, end what else uses it",
    102: "stopped by the pause button",
    103: "stopped by Ctrl-C",
    104: "the AxiDraw does not answer any more: its USB cable or its power is out; "
    "the pen may still be down, lift it by hand",
}
NOT_FOUND = 101

#: How far a drawing may reach over an edge, in mm: rounding, nothing visible.
TOLERANCE = 0.01


class AxiDrawError(Exception):
    """The AxiDraw, or its module, cannot do what it should; the message is one clear line."""


class Run(NamedTuple):
    """What one run of the module came to.

    Attributes:
        code: 0 if it went to the end, or why not, see `STOPS`.
        svg: The SVG with the progress that it can be resumed from.
        seconds: How long the plot takes, by the module's estimate.
        travelled: How far the pen moves above the paper, in m.
        lifts: How often the pen is lifted.
    """

    code: int
    svg: str
    seconds: float
    travelled: float
    lifts: int


@dataclass(frozen=True)
class AxiDraw:
    """An AxiDraw and how to plot with it.

    Attributes:
        options: The module's own options, by their documented names; those that are not
            there are as its configuration has them.
        config: A configuration file of the module's, or None for its own.
    """

    options: Mapping[str, Any]
    config: Path | None = None

    @property
    def model(self) -> int:
        """The number of the model, a key of `MODELS`.

        Raises:
            AxiDrawError: The module is not there, or its configuration has another model.
        """
        number = int(self._set_up(None).options.model)
        if number not in MODELS:
            raise AxiDrawError(f"the configuration says model {number}; give --model.")
        return number

    def run(self, svg: str, mode: str = "plot", *, preview: bool = False) -> Run:
        """Plot, resume (`res_plot`), or move the carriage home (`res_home`).

        Ctrl-C stops the plot as the pause button does, with the pen up, and returns.

        Args:
            svg: The drawing; to resume or to go home, the one that the last run returned.
            mode: One of the module's modes.
            preview: Whether to find out how long it takes instead, without the machine.

        Raises:
            AxiDrawError: The module failed; the pen has been lifted where that was possible.
        """
        ad = self._set_up(svg)
        ad.options.mode = mode
        ad.options.preview = preview
        ad.keyboard_pause = not preview
        try:
            with _interrupts_restored():
                output = ad.plot_run(True)
        except BaseException as error:
            if not preview:
                self.lift()
            if isinstance(error, Exception):
                raise AxiDrawError(
                    f"pyaxidraw failed: {error or type(error).__name__}"
                ) from error
            raise
        travelled = ad.distance_total - ad.distance_pendown
        return Run(ad.errors.code, output, ad.time_estimate, travelled, ad.pen_lifts)

    def lift(self) -> None:
        """Lift the pen, if the machine answers."""
        with contextlib.suppress(Exception), _interrupts_restored():
            ad = self._set_up(None)
            ad.options.mode = "manual"
            ad.options.manual_cmd = "raise_pen"
            ad.plot_run()

    def _set_up(self, svg: str | None) -> Any:
        """Return the module's object; a new one, for it keeps the last drawing."""
        ad = load().AxiDraw()
        if not hasattr(ad, "errors"):
            raise AxiDrawError(
                f"pyaxidraw is older than 3.9; install {ARCHIVE} with --upgrade"
            )
        try:
            ad.plot_setup(svg)
            if self.config is not None:
                ad.load_config(str(self.config))
        except (Exception, SystemExit) as error:
            raise AxiDrawError(f"pyaxidraw does not start: {_words(error)}") from error
        for name, value in {**FIXED, **self.options}.items():
            setattr(ad.options, name, value)
        return ad


def load() -> Any:
    """Import the maker's module.

    Raises:
        AxiDrawError: It is not installed, or broken.
    """
    try:
        return importlib.import_module("pyaxidraw.axidraw")
    except ModuleNotFoundError as error:
        if error.name != "pyaxidraw":
            raise AxiDrawError(f"pyaxidraw does not load: {error}") from error
        raise AxiDrawError(
            "the AxiDraw's maker offers the module pyaxidraw, which is not installed: "
            f"`python -m pip install {ARCHIVE}` does that (see {DOCUMENTATION})"
        ) from error


def _words(error: BaseException) -> str:
    """Return an error's message on one line, or its name."""
    return " ".join(str(error).split()) or type(error).__name__


def on_the_bed(
    points: NDArray[np.complex128], page: tuple[float, float], *, rotate: bool
) -> NDArray[np.complex128]:
    """Return where points of a page are plotted, x + iy in mm from the home corner.

    The module turns a page that is taller than wide by a quarter, counter-clockwise
    (`options.auto_rotate`).

    Args:
        points: x + iy in mm, y down.
        page: Width and height in mm.
        rotate: Whether such pages are turned.
    """
    width, height = page
    return points * -1j + width * 1j if rotate and height > width else points


def excess(points: NDArray[np.complex128], size: tuple[float, float]) -> float:
    """Return how far points lie outside of a rectangle at the origin, in mm, at least 0."""
    width, height = size
    beyond = (-points.real, -points.imag, points.real - width, points.imag - height)
    return max(0.0, *(float(side.max()) for side in beyond))


class Record:
    """What has been plotted of a drawing, in files beside it.

    The job file tells which layers are finished. The layer that was being plotted has an SVG
    of its own, the one that the module returned when it stopped. A layer is marked in the job
    file before its plot begins (`Progress.finishing`), so that one that was cut off without
    such an SVG is known, and not drawn over.
    """

    def __init__(self, file: JobFile) -> None:
        """Read the job file.

        Raises:
            JobError: It is not a job file, or cannot be read.
        """
        self._file = file
        self._jobs = file.load()

    def require_begun(self) -> None:
        """Refuse to go on where nothing was begun: it might be drawn over what is there.

        Raises:
            JobError: There is no job file.
        """
        if not self._jobs:
            raise JobError(
                f"no plot was stopped here, there is no {self._file.path}; plot without "
                "--resume."
            )

    def progress(self, job: Job) -> Progress | None:
        """Return how far this very job got, None if it was never begun.

        Raises:
            JobError: What was begun under the job's name is another drawing.
        """
        progress = self._jobs.get(key(job))
        if progress and progress.fingerprint != job.fingerprint:
            raise JobError(
                f"{job.layers[0]} is not the drawing that {self._file.path} knows; run the "
                "line that was stopped, or plot without --resume."
            )
        return progress

    def stopped(self, job: Job) -> str | None:
        """Return the SVG that an unfinished job is resumed from, None if it was never begun.

        Raises:
            JobError: The job was begun, but it is not known how far it got.
        """
        progress = self.progress(job)
        if progress is None or progress.complete:
            return None
        try:
            if progress.finishing:
                raise FileNotFoundError
            return self._svg(job).read_text(encoding="utf-8")
        except OSError as error:
            raise JobError(
                f"{job.layers[0]} was cut off, and nothing tells how far it got; without "
                "--resume it is plotted from its beginning, `-l` chooses layers."
            ) from error

    def is_stopped(self, job: Job) -> bool:
        """Tell whether a plot of this very job has begun and is not finished."""
        progress = self._jobs.get(key(job))
        return (
            progress is not None
            and progress.fingerprint == job.fingerprint
            and not progress.complete
        )

    def forget(self, layers: set[int]) -> None:
        """Know nothing more of layers that are to be plotted anew, once a job begins."""
        self._jobs = {
            name: progress
            for name, progress in self._jobs.items()
            if name not in map(str, layers)
        }

    def begin(self, job: Job) -> None:
        """Note that a job is being plotted."""
        self._before = self._file.load()
        self._save(job, Progress(job.fingerprint, job.count, finishing=True))

    def undo(self) -> None:
        """Note that the last job that began did not begin after all."""
        self._jobs = self._before
        self._file.save(self._jobs)

    def stop(self, job: Job, svg: str) -> None:
        """Keep what a job is resumed from."""
        path = self._svg(job)
        try:
            write_whole(path, svg)
        except OSError as error:
            raise JobError(f"cannot write {path}: {error.strerror}.") from error
        self._save(job, Progress(job.fingerprint, job.count))

    def finish(self, job: Job) -> None:
        """Note that a job is drawn."""
        self._save(job, Progress(job.fingerprint, job.count, drawn=job.count))
        self._svg(job).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the job file if nothing is left to draw."""
        if all(progress.complete for progress in self._jobs.values()):
            self._jobs.clear()
            self._file.save(self._jobs)

    def _save(self, job: Job, progress: Progress) -> None:
        self._jobs[key(job)] = progress
        self._file.save(self._jobs)

    def _svg(self, job: Job) -> Path:
        stem = self._file.path.name.removesuffix(".job.json")
        return self._file.path.with_name(f"{stem}.{key(job)}.axidraw.svg")


@contextlib.contextmanager
def _interrupts_restored() -> Iterator[None]:
    """Give Ctrl-C back its meaning: the module keeps it for itself."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
