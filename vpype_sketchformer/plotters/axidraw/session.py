"""One plot on an AxiDraw, from the document to the finished or stopped drawing."""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import vpype as vp

from vpype_sketchformer.plotters import operator as operators
from vpype_sketchformer.plotters.axidraw import module, remainder
from vpype_sketchformer.plotters.axidraw.module import AxiDraw, AxiDrawError, Run
from vpype_sketchformer.plotters.axidraw.record import Record
from vpype_sketchformer.plotters.job import Job, JobError, JobFile, Progress
from vpype_sketchformer.plotters.operator import DOWN, UP, DeclinedError, duration
from vpype_sketchformer.wording import OneLineError

if TYPE_CHECKING:
    from vpype_sketchformer.plotters.job import Stroke
    from vpype_sketchformer.plotters.operator import Operator

#: How much of a drawing is drawn again, in mm, where the module has counted on after the
#: cable was out, and only the carriage could tell.
OVERLAP = 30.0

#: Where the carriage is at home, in mm.
HOME = (0.0, 0.0, 0.0)

#: By how much the arrow keys change a height of the pen.
ARROWS = {UP: 1, DOWN: -1}

#: What the keys change in the middle of a layer, and which way: the module reads its options
#: when it begins, so it is stopped, and goes on with others.
CHANGES = {
    "+": ("speed_pendown", 1),
    "-": ("speed_pendown", -1),
    "u": ("pen_pos_down", 1),
    "d": ("pen_pos_down", -1),
}
PAUSE, GO_ON, STOP = (" ", "p"), ("\n", "\r"), "q"


class StoppedError(OneLineError):
    """A plot did not get to its end; says why, and what to do."""


@dataclass(frozen=True)
class Wanted:
    """What the user wants of a plot.

    Attributes:
        sure: Whether not to ask before the plot.
        preview: Whether only to say what would be plotted.
        resume: Whether to go on with a plot that was stopped.
        at_home: Whether the carriage was put into the home corner since.
        back: How much of what was drawn to draw again, in mm.
        pause: Whether to stop before each layer but the first, for another pen.
        frame: What to travel around before the plot: ``page``, ``drawing``, or nothing.
        copies: How often to plot.
        park: Where the carriage waits for another pen or paper, x + iy in mm from the home
            corner along the long side and the short one.
    """

    sure: bool = False
    preview: bool = False
    resume: bool = False
    at_home: bool = False
    back: float = 0.0
    pause: bool = True
    frame: str | None = None
    copies: int = 1
    park: complex = 0j


@dataclass(frozen=True)
class Surroundings:
    """The other layers of a drawing that is plotted layer by layer, as `forlayer` does.

    Attributes:
        shown: The numbers of all layers; empty where the drawing is plotted at once.
        finished: Those of the layers that are done.
        more: Whether another layer follows.
    """

    shown: frozenset[int] = frozenset()
    finished: frozenset[int] = frozenset()
    more: bool = False


@dataclass(frozen=True)
class Part:
    """One layer, as the AxiDraw is to plot it.

    Attributes:
        job: The layer alone.
        page: Width and height in mm.
        label: The layer's name for the module.
        svg: The layer on its page, or what the module returned when it stopped.
        pause: Whether its name asks for a pause before it.
        progress: What to record when its plot begins.
        is_resumed: Whether the module goes on with what it returned.
        walk: How to bring the carriage home first, x + iy in mm.
    """

    job: Job
    page: tuple[float, float]
    label: str
    svg: str
    pause: bool
    progress: Progress
    is_resumed: bool = False
    walk: complex = 0j

    def __str__(self) -> str:
        """Name the layer."""
        return str(self.job.layers[0])

    @property
    def is_begun(self) -> bool:
        """Whether some of it is drawn."""
        return self.is_resumed or self.progress.span[0] > 0

    @property
    def is_elsewhere(self) -> bool:
        """Whether the carriage is not at home."""
        return self.is_resumed or bool(self.walk)

    @property
    def mode(self) -> str:
        """The module's mode."""
        return "res_plot" if self.is_resumed else "plot"


class Session:
    """One run of the command."""

    def __init__(
        self,
        axidraw: AxiDraw,
        file: JobFile,
        around: Surroundings,
        wanted: Wanted,
        operator: Operator,
    ) -> None:
        """Prepare.

        Args:
            axidraw: The machine.
            file: Where to keep how far it got.
            around: The layers beside those that are plotted.
            wanted: What the user wants.
            operator: Who stands at the machine.

        Raises:
            JobError: The file is not a job file.
        """
        self.axidraw = axidraw
        self.record = Record(file)
        self.around = around
        self.wanted = wanted
        self.operator = operator

    def run(self, document: vp.Document, numbers: Sequence[int]) -> None:
        """Plot.

        Args:
            document: The drawing.
            numbers: The layers to plot.

        Raises:
            AxiDrawError: The machine, or its module, cannot.
            JobError: The drawing cannot be plotted, or gone on with.
            StoppedError: It was stopped before its end.
            DeclinedError: The user does not want to.
        """
        self._check_park()
        parts = whole = self._parts(document, numbers)
        if self.wanted.resume:
            self.record.require_begun()
            parts = [self._resumed(part) for part in parts if not self._is_drawn(part)]
        estimates = self._estimates(parts)
        self._announce(parts, estimates)
        if self.wanted.preview:
            return
        if parts:
            self._check_power()
            self._frame(parts)
            self._ask(parts)
        for copy in range(1, self.wanted.copies + 1):
            if copy > 1:
                self._ask_for_paper(copy)
                parts, estimates = whole, self._estimates(whole)
            self._plot(parts, estimates)
            if not self.around.more:
                self.record.close()

    def go_home(self, document: vp.Document, numbers: Sequence[int]) -> None:
        """Move the carriage home from where a plot was stopped.

        Args:
            document: The drawing.
            numbers: The layers that were to be plotted.

        Raises:
            AxiDrawError: The machine, or its module, cannot.
            JobError: None was stopped, or nobody knows where the carriage is.
            StoppedError: It was stopped on its way.
        """
        parts = self._parts(document, numbers)
        stopped = [part for part in parts if self.record.is_stopped(part.job)]
        if not stopped:
            raise JobError(
                "no plot of this drawing was stopped, the carriage stays where it is."
            )
        part = stopped[0]
        progress = self.record.stopped(part.job, part.progress.setup)
        assert progress is not None
        svg = self.record.svg(part.job)
        if progress.lost:
            done, walk = self._whereabouts(part, progress)
            self._walk_home(part, replace(progress, span=(done, done)), svg, walk)
        else:
            self._check_place(part, progress)
            self._let_go_home(part, progress, svg)
        self.operator.say("the carriage is home; --resume goes on from there")

    # --- what to plot ---------------------------------------------------------------------

    def _parts(self, document: vp.Document, numbers: Sequence[int]) -> list[Part]:
        """Return the layers to plot, one by one; refuse a drawing that would be cut off."""
        parts = []
        turned = "turned" if self.axidraw.rotates else "not turned"
        setup = f"model {self.axidraw.model} and portrait pages {turned}"
        for number in numbers:
            layer = document.layers[number]
            lines = [line for line in layer if len(line) > 1]
            name = str(layer.property(vp.METADATA_FIELD_NAME) or number).strip()
            if len(lines) < len(layer):
                self.operator.say(f"layer {number}: single points are not plotted")
            if not lines or name.startswith("%"):
                continue
            alone = document.clone()
            alone.add(layer.clone(lines), number, with_metadata=True)
            job = Job.from_document(alone)
            page = job.page or self.axidraw.travel
            self._check_bounds(job, page)
            label = name.removeprefix("!")
            svg = module.to_svg(list(job.strokes), page, label)
            progress = Progress(
                job.fingerprint,
                job.count,
                position=HOME,
                setup=setup,
                span=(0.0, job.drawn),
            )
            parts.append(Part(job, page, label, svg, name.startswith("!"), progress))
        return parts

    def _check_bounds(self, job: Job, page: tuple[float, float]) -> None:
        """Refuse a drawing that the module would cut off at an edge.

        Raises:
            JobError: It reaches beyond its page or the machine.
        """
        over = module.excess(job.points, page)
        if job.page and over > module.TOLERANCE:
            raise JobError(
                f"{job.layers[0]} reaches {over:.2f} mm beyond its page; `layout` or `crop` "
                "it, or set another `pagesize`."
            )
        travel, model = self.axidraw.travel, self.axidraw.model
        points = module.on_the_bed(job.points, page, rotate=self.axidraw.rotates)
        over = module.excess(points, travel)
        if over > module.TOLERANCE:
            raise JobError(
                f"{job.layers[0]} reaches {over:.2f} mm beyond the travel of model {model} "
                f"({module.MODELS[model].names}), {travel[0]:.2f} x {travel[1]:.2f} mm; "
                "choose another --model, or `layout` the drawing on a smaller page."
            )

    def _check_park(self) -> None:
        """Refuse a parking place that the carriage does not reach.

        Raises:
            JobError: It does not.
        """
        travel = self.axidraw.travel
        if module.excess(np.array([self.wanted.park]), travel) > module.TOLERANCE:
            raise JobError(
                f"--park is beyond the travel, {travel[0]:.2f} x {travel[1]:.2f} mm from the "
                "home corner along the long side and the short one."
            )

    def _estimates(self, parts: Sequence[Part]) -> list[Run]:
        """Return what the module makes of the layers, and refuse what it would leave out.

        Raises:
            AxiDrawError: It would draw less than there is.
        """
        estimates = []
        for part in parts:
            run = self.axidraw.run(part.svg, part.mode, preview=True)
            begun = part.progress.span[0] - part.progress.base if part.is_resumed else 0.0
            wanted, told = part.job.drawn - part.progress.span[0], run.drawn - begun
            unknown = self.axidraw.maker.package == "nextdraw" and not run.drawn
            if told < (1 - module.MISSING) * wanted - 1 and not unknown:
                raise AxiDrawError(
                    f"{part}: {self.axidraw.maker.package} would draw {told:.0f} of "
                    f"{wanted:.0f} mm, and leave out the rest; `layout` it with a margin, or "
                    "on a smaller page"
                )
            estimates.append(run)
        return estimates

    def _is_drawn(self, part: Part) -> bool:
        """Tell whether a layer has been plotted already, and say so."""
        progress = self.record.progress(part.job)
        drawn = progress is not None and progress.complete
        if drawn:
            self.operator.say(f"{part} is drawn already")
        return drawn

    def _resumed(self, part: Part) -> Part:
        """Return the rest of a layer whose plot was stopped; all of one not begun."""
        progress = self.record.stopped(part.job, part.progress.setup)
        if progress is None:
            return part
        at_home = self.wanted.at_home or progress.homed
        if not (progress.lost or at_home or self.wanted.preview):
            self._check_place(part, progress)
        if not (progress.lost or at_home or self.wanted.back):
            svg = self.record.svg(part.job)
            return replace(part, svg=svg, is_resumed=True, progress=progress)
        if at_home:
            done, walk = progress.span[1] - OVERLAP * progress.lost, 0j
        else:
            done, walk = self._whereabouts(part, progress)
        done = max(0.0, done - self.wanted.back)
        rest = remainder.after(list(part.job.strokes), done)
        begun = replace(part.progress, span=(done, part.job.drawn), base=done)
        svg = module.to_svg(rest, part.page, part.label)
        return replace(part, svg=svg, progress=begun, walk=walk)

    def _whereabouts(self, part: Part, progress: Progress) -> tuple[float, complex]:
        """Return how much is drawn in mm, and how the carriage comes home from where it is.

        Raises:
            JobError: That cannot be known.
        """
        start = None if progress.position is None else complex(*progress.position[:2])
        if not progress.lost and start is not None:
            return progress.span[1], -start
        board = self.axidraw.look()
        if start is not None and board is not None and board.place is not None:
            place = start + board.place
            strokes = self._on_the_bed(part)
            done = remainder.locate(strokes, place, progress.span, start, lag=OVERLAP)
            if done is not None:
                return done, -place
        raise _astray(part)

    def _check_place(self, part: Part, progress: Progress) -> None:
        """Refuse to go on where the carriage may have been moved since.

        Raises:
            JobError: It is not at home, and its motors are off: the machine was switched off.
        """
        board = self.axidraw.look()
        is_home = progress.position == HOME
        if not is_home and board is not None and board.place is None:
            raise _astray(part)

    def _walk_home(self, part: Part, progress: Progress, svg: str, walk: complex) -> None:
        """Bring the carriage home; until it is there, nobody knows where it is."""
        self.record.stop(part.job, replace(progress, position=None, lost=True), svg)
        self.axidraw.walk(walk)
        home = replace(progress, position=HOME, lost=False, homed=True)
        self.record.stop(part.job, home, svg)

    def _let_go_home(self, part: Part, progress: Progress, svg: str) -> None:
        """Have the module bring the carriage home; until then, nobody knows where it is."""
        self.axidraw.by_hand("raise_pen")  # or there is no machine
        self.record.stop(part.job, replace(progress, position=None, lost=True), svg)
        if self.axidraw.maker.package == "nextdraw":  # which has no res_home
            self.axidraw.by_hand("walk_home")
            progress = replace(progress, homed=True)
        else:
            run = self.axidraw.run(svg, "res_home")
            if run.code:
                raise _stopped(run)
            svg = run.svg
        self.record.stop(part.job, replace(progress, position=HOME), svg)

    def _on_the_bed(self, part: Part) -> list[Stroke]:
        rotate = self.axidraw.rotates
        return [
            module.on_the_bed(stroke, part.page, rotate=rotate) for stroke in part.job.strokes
        ]

    # --- before the plot ------------------------------------------------------------------

    def _announce(self, parts: Sequence[Part], estimates: Sequence[Run]) -> None:
        """Say what is going to be plotted, and how long that takes."""
        say, model = self.operator.say, self.axidraw.model
        if not parts:
            say("nothing to plot")
            return
        for part, estimate in zip(parts, estimates, strict=True):
            rest = "the rest of " if part.is_begun else ""
            say(
                f"{rest}{part}: {part.job.count} strokes, {part.job.drawn / 1000:.2f} m, "
                f"{duration(estimate.seconds)}"
            )
        travelled = sum(estimate.travelled for estimate in estimates)
        say(
            f"model {model} ({module.MODELS[model].names}): "
            f"{travelled / 1000:.2f} m above the paper, "
            f"{sum(estimate.lifts for estimate in estimates)} pen lifts, "
            f"{duration(sum(estimate.seconds for estimate in estimates))} in all"
        )

    def _check_power(self) -> None:
        """Refuse to plot with motors that cannot move.

        Raises:
            StoppedError: They have no power.
        """
        board = self.axidraw.look()
        if board is not None and not board.powered:
            raise StoppedError(
                "the motors have no power: plug in the machine's own power supply."
            )

    def _frame(self, parts: Sequence[Part]) -> None:
        """Travel around the page or the drawing, as often as the user likes."""
        if self.wanted.frame is None:
            return
        if any(part.is_elsewhere for part in parts):
            raise JobError("--frame begins in the home corner; the carriage is elsewhere.")
        page = parts[0].page
        low, size = 0j, complex(*page)
        if self.wanted.frame == "drawing":
            points = np.concatenate([part.job.points for part in parts])
            low = complex(points.real.min(), points.imag.min())
            size = complex(np.ptp(points.real), np.ptp(points.imag))
        corners = low + np.array([0, size.real, size, 1j * size.imag, 0])
        svg = module.to_svg([corners], page, "frame")
        up = self.axidraw.setting("pen_pos_up")
        again = True
        while again:
            run = self.axidraw.run(svg, pen_pos_down=up)
            if run.code:
                away = " The carriage is not at home: push it there while the machine is off."
                raise _stopped(run, away if run.code != module.NOT_FOUND else "")
            again = not self.wanted.sure and self.operator.confirm("Around the frame again?")

    def _ask(self, parts: Sequence[Part]) -> None:
        if self.wanted.sure:
            return
        if not self.wanted.resume and any(self.record.is_stopped(part.job) for part in parts):
            self.operator.say("a plot of this was stopped; --resume goes on with it")
        question = "The carriage is in the home corner, pen and paper are in place: plot?"
        if any(part.is_elsewhere for part in parts):
            question = "The carriage is where it was left, pen and paper are in place: go on?"
        if not self.operator.confirm(question, default=True):
            raise DeclinedError

    def _ask_for_paper(self, copy: int) -> None:
        with self._parked():
            if not self.operator.confirm(
                f"New paper for copy {copy} of {self.wanted.copies}: plot?", default=True
            ):
                raise DeclinedError

    def _change_pen(self, part: Part) -> None:
        with contextlib.suppress(DeclinedError), self._parked():
            if self.operator.confirm(f"Now the pen for {part}: plot?", default=True):
                return
        raise StoppedError(f"stopped before {part}; the same command with --resume goes on.")

    @contextlib.contextmanager
    def _parked(self) -> Iterator[None]:
        """Have the carriage out of the way, and home again, whatever is answered."""
        if not self.wanted.park:
            yield
            return
        self.axidraw.walk(self.wanted.park)
        try:
            yield
        finally:
            self.axidraw.walk(-self.wanted.park)

    # --- the plot -------------------------------------------------------------------------

    def _plot(self, parts: Sequence[Part], estimates: Sequence[Run]) -> None:
        """Plot layers one after the other, with a pause for another pen before each."""
        around, wanted = self.around, self.wanted
        if not wanted.resume:
            numbers = {part.job.layers[0].number for part in parts}
            self.record.forget(numbers | (around.shown - around.finished))
        for number, (part, estimate) in enumerate(zip(parts, estimates, strict=True)):
            another = number or (around.finished and wanted.sure and not part.is_begun)
            if another and (part.pause or wanted.pause):
                self._change_pen(part)
            paused = self._draw(part, estimate.seconds)
            while paused:
                (left,) = self._estimates([paused])
                paused = self._draw(paused, left.seconds)

    def _draw(self, part: Part, seconds: float) -> Part | None:
        """Plot a layer, or what is left of it, and keep how far it got.

        Args:
            part: The layer.
            seconds: How long it takes.

        Returns:
            What is left of it after a pause that the user has ended; None once it is drawn.

        Raises:
            JobError: The record cannot be written.
            StoppedError: It was stopped.
        """
        answers = self.axidraw.look() is not None
        if part.walk:
            done = part.progress.span[0]
            self._walk_home(
                part, replace(part.progress, span=(done, done)), part.svg, part.walk
            )
        self.record.begin(part.job, part.progress)
        try:
            with _clock(seconds), self._keys() as typed:
                run = self.axidraw.run(part.svg, part.mode)
        except AxiDrawError as error:
            raise StoppedError(f"{part}: {error}.") from error
        if run.code == module.NOT_FOUND:
            self.record.undo()
            raise _stopped(run)
        least, base = part.progress.span[0], part.progress.base
        most = min(part.job.drawn, max(least, base + run.drawn))
        seems_drawn = run.code is None and most >= part.job.drawn * (1 - module.MISSING)
        if run.code == 0 or seems_drawn:
            board = self.axidraw.look()
            if board is not None and not board.powered:
                raise StoppedError(
                    f"{part}: the motors have no power, so it may not be drawn, and is not "
                    "recorded as drawn. Look at the paper; plot it anew without --resume."
                )
            if board is not None or not answers:
                self.record.finish(part.job)
                return None
            run = run._replace(code=module.UNPLUGGED)  # which the module has not noticed
        progress = replace(
            part.progress, span=(least, most), lost=run.code == module.UNPLUGGED
        )
        if not progress.lost:
            progress = self._noted(part, progress)
        try:
            self.record.stop(part.job, progress, run.svg)
        except JobError as error:
            raise StoppedError(f"{part}: {error}") from error
        if self._goes_on(run, typed):
            return replace(part, svg=run.svg, is_resumed=True, progress=progress, walk=0j)
        raise _stopped(run, f" {part} is unfinished; the same command with --resume goes on.")

    @contextlib.contextmanager
    def _keys(self) -> Iterator[list[str]]:
        """Let keys stop the module, as Ctrl-C does; gives the ones that were pressed.

        Without a terminal there are none but requests to end.
        """
        typed: list[str] = []
        over = threading.Event()

        def listen() -> None:
            stopped = False
            while not over.wait(0.02):
                key = pressed()
                if key and key in (*PAUSE, *CHANGES, STOP):
                    typed.append(key)
                # Before the module listens to Ctrl-C, it would be lost.
                if typed and not stopped and signal.getsignal(signal.SIGINT) != before:
                    stopped = True
                    _thread.interrupt_main()

        with self.operator.keys() as pressed:
            before = signal.getsignal(signal.SIGINT)
            listener = threading.Thread(target=listen, daemon=True)
            listener.start()
            try:
                yield typed
            finally:
                over.set()
                listener.join()

    def _goes_on(self, run: Run, typed: Sequence[str]) -> bool:
        """Pause after a stop by keys or the button, and change what is asked for.

        Args:
            run: What the module stopped with.
            typed: The keys that were pressed meanwhile.

        Returns:
            Whether to go on.
        """
        by_button = run.code == module.BUTTON and self.operator.present
        if STOP in typed or not (by_button or (run.code == module.KEYBOARD and typed)):
            return False
        for key in typed:
            self._change(key)
        if not by_button and not set(typed).intersection(PAUSE):
            return True
        with self.operator.keys() as pressed:
            self.operator.say(
                "paused, pen up: + and - draw on faster or slower, u and d with the pen "
                "higher or lower, Enter goes on, q stops"
            )
            while (key := pressed()) not in GO_ON:
                if key == STOP:
                    return False
                self._change(key)
                time.sleep(0.02)
        return True

    def _change(self, key: str) -> None:
        """Draw with another speed, or the pen at another height, as a key says."""
        if key not in CHANGES:
            return
        name, sign = CHANGES[key]
        value = self.axidraw.setting(name)
        if name == "speed_pendown":
            most = self.axidraw.maker.fastest
            value = min(most, max(1, value + sign * max(1, round(value / 10))))
        else:
            value = min(100, max(0, value + sign))
        self.axidraw = replace(self.axidraw, options={**self.axidraw.options, name: value})
        speed, height = map(self.axidraw.setting, ("speed_pendown", "pen_pos_down"))
        self.operator.say(f"draws on with --speed-down {speed} --pen-down {height}")

    def _noted(self, part: Part, progress: Progress) -> Progress:
        """Return the progress with the place where the carriage stands, by the board."""
        board = self.axidraw.look()
        if progress.position is None or board is None or board.place is None:
            return replace(progress, position=None)
        start = complex(*progress.position[:2])
        place = start + board.place
        done = remainder.locate(self._on_the_bed(part), place, progress.span, start)
        span = progress.span if done is None else (done, done)
        return replace(progress, position=(place.real, place.imag, 0.0), span=span)


def _astray(part: Part) -> JobError:
    """Return the error for a carriage of which nobody knows where it is."""
    return JobError(
        f"{part}: where the carriage is cannot be told, for the machine was off, or moved. "
        "Switch it off, push the carriage into the home corner, switch it on, and say "
        f"--at-home as well: up to {OVERLAP:.0f} mm are drawn again then."
    )


def _stopped(run: Run, advice: str = "") -> StoppedError:
    """Return the error for a run that did not get to its end."""
    reason = "stopped, and the module does not say why"
    if run.code is not None:
        reason = module.STOPS.get(run.code, f"stopped with the module's code {run.code}")
    return StoppedError(f"{reason}.{advice}")


@contextlib.contextmanager
def _clock(seconds: float) -> Iterator[None]:
    """Show a bar of the time that a plot takes by its estimate: the module has none."""
    from tqdm import tqdm

    over = threading.Event()

    def tick() -> None:
        while not over.wait(1) and bar.n < bar.total:
            bar.update()

    with tqdm(total=round(seconds), unit="s", disable=None, leave=False) as bar:
        clock = threading.Thread(target=tick, daemon=True)
        clock.start()
        try:
            yield
        finally:
            over.set()
            clock.join()


def try_pen(axidraw: AxiDraw, operator: Operator) -> dict[str, int]:
    """Raise and lower the pen, and change its heights, as keys are pressed, until Enter.

    Returns:
        The heights to keep, as the command calls them, in percent; the pen is up.

    Raises:
        AxiDrawError: The machine, or its module, cannot.
        DeclinedError: The user gives up.
    """
    documented = {"pen_up": "pen_pos_up", "pen_down": "pen_pos_down"}
    heights = {name: axidraw.setting(option) for name, option in documented.items()}

    def move(down: bool) -> None:
        values = {documented[name]: height for name, height in heights.items()}
        axidraw.by_hand("lower_pen" if down else "raise_pen", **values)
        told = ", ".join(f"{name} {height}" for name, height in heights.items())
        operator.say(f"pen {'down' if down else 'up'}: {told}")

    def change(key: str, down: bool) -> bool:
        if key not in ARROWS:
            return False
        name = "pen_down" if down else "pen_up"
        heights[name] = min(100, max(0, heights[name] + ARROWS[key]))
        return True

    try:
        operators.try_pen(
            operator, "", move=move, change=change, wait=lambda: time.sleep(0.02)
        )
    finally:
        axidraw.lift()
    return heights
