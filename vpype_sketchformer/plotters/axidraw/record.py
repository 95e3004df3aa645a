"""What an AxiDraw has plotted of a drawing, in files beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vpype_sketchformer.files import write_whole
from vpype_sketchformer.plotters.job import Job, JobError, JobFile, Progress, key


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

    def stopped(self, job: Job, setup: str) -> Progress | None:
        """Return how far an unfinished job got, None if it was never begun.

        Args:
            job: The job.
            setup: With what it is to be plotted.

        Raises:
            JobError: The job was begun with another model or rotation, or it is not known how
                far it got.
        """
        progress = self.progress(job)
        if progress is None or progress.complete:
            return None
        if progress.setup and progress.setup != setup:
            raise JobError(
                f"{job.layers[0]} was begun with {progress.setup}, and this is {setup}: what "
                "is left would be drawn across it. Say the same as before, or plot without "
                "--resume."
            )
        if progress.finishing:
            raise self._cut_off(job)
        return progress

    def svg(self, job: Job) -> str:
        """Return what the module goes on with.

        Raises:
            JobError: It is not there.
        """
        try:
            return self._svg(job).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._cut_off(job) from error

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

    def begin(self, job: Job, progress: Progress) -> None:
        """Note that a job is being plotted."""
        self._before = self._file.load()
        self._save(job, replace(progress, finishing=True))

    def undo(self) -> None:
        """Note that the last job that began did not begin after all."""
        self._jobs = self._before
        self._file.save(self._jobs)

    def stop(self, job: Job, progress: Progress, svg: str) -> None:
        """Keep what a job is resumed from."""
        path = self._svg(job)
        try:
            write_whole(path, svg)
        except OSError as error:
            raise JobError(f"cannot write {path}: {error.strerror}.") from error
        self._save(job, replace(progress, finishing=False))

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

    def _cut_off(self, job: Job) -> JobError:
        return JobError(
            f"{job.layers[0]} was cut off, and nothing tells how far it got; without "
            "--resume it is plotted from its beginning, `-l` chooses layers."
        )
