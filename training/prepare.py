"""Pack drawings into one dataset file: ``python -m training.prepare --help``."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from safetensors import SafetensorError
from tqdm import tqdm

from training import Refusal
from training.data import dataset
from training.data.dataset import SPLITS, Dataset, DatasetError, Drawing
from training.data.readers import READERS, ReaderError, Skipped, read
from vpype_sketchformer.wording import plain

#: What Google asks to be written beside the data.
QUICKDRAW = "Quick, Draw! dataset by Google, Inc., CC BY 4.0"
#: What is kept for SVGs of which nothing else is said.
OWN = "Drawings of one's own"
#: Skipped records shown per file; of more, only the number.
SHOWN = 10


class Preparation:
    """Reads files one after another and keeps what belongs into a dataset.

    Args:
        limit: Most drawings per class, None for all.

    Attributes:
        skipped: Records that were no drawings.
        doubles: Drawings that had come before.
        beyond: Drawings over the limit.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        self.skipped = 0
        self.doubles = 0
        self.beyond = 0
        self._seen: set[bytes] = set()
        self._per_class: Counter[str] = Counter()

    def drawings(self, paths: Sequence[Path]) -> Iterator[Drawing]:
        """Yield what is kept of the files, with a progress bar; report what is skipped.

        Raises:
            ReaderError: A file cannot be read.
        """
        total = sum(path.stat().st_size for path in paths)
        with tqdm(total=total, unit="B", unit_scale=True, disable=None) as bar:
            for path in paths:
                bar.set_description(plain(path.stem), refresh=False)
                yield from self._from_file(path)
                bar.update(path.stat().st_size)

    def _from_file(self, path: Path) -> Iterator[Drawing]:
        before = self.skipped
        shown: list[Skipped] = []

        def report(record: Skipped) -> None:
            self.skipped += 1
            if len(shown) < SHOWN:
                shown.append(record)

        yield from filter(self._is_wanted, read(path, report))
        for record in shown:
            tqdm.write(str(record), file=sys.stderr)
        if more := self.skipped - before - len(shown):
            tqdm.write(f"{path}: {more:,} more skipped", file=sys.stderr)

    def _is_wanted(self, drawing: Drawing) -> bool:
        if drawing.digest in self._seen:
            self.doubles += 1
            return False
        if self.limit is not None and self._per_class[drawing.label] >= self.limit:
            self.beyond += 1
            return False
        self._seen.add(drawing.digest)
        self._per_class[drawing.label] += 1
        return True


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the readable files among the paths and below them, sorted, each once.

    Raises:
        ReaderError: A path does not exist, or a folder holds nothing to read.
    """
    found: dict[Path, Path] = {}  # by what they are when links and dots are resolved
    for path in paths:
        if path.is_dir():
            below = [file for file in path.rglob("*") if file.suffix.lower() in READERS]
            for file in below:
                if not file.exists():
                    click.echo(plain(f"{file}: a link that leads nowhere, skipped"), err=True)
            below = [file for file in below if file.is_file()]
            if not below:
                raise ReaderError(f"{path}: no {' or '.join(READERS)} files in this folder")
            found |= {file.resolve(): file for file in below}
        elif path.exists():
            found[path.resolve()] = path
        else:
            raise ReaderError(f"{path}: no such file")
    return sorted(found.values())


def guess_sources(files: Iterable[Path]) -> list[str]:
    """Name what files probably come from: only SVGs are drawn by those who train."""
    own = {file.suffix.lower() == ".svg" for file in files}
    return ([QUICKDRAW] if False in own else []) + ([OWN] if True in own else [])


def table(packed: Dataset, preparation: Preparation, size: int) -> str:
    """Describe a dataset and what was left out of it, one figure a line."""
    rows: dict[str, int] = {
        "drawings": len(packed),
        "points": len(packed.points),
        "classes": len(packed.classes),
        **{split: len(packed.of(split)) for split in SPLITS},
        "skipped": preparation.skipped,
        "duplicates": preparation.doubles,
        "over the limit": preparation.beyond,
    }
    lines = [f"{name:<14} {number:>12,}" for name, number in rows.items()]
    return "\n".join([*lines, f"{'file, MiB':<14} {size / 2**20:>12,.1f}"])


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The dataset file to write.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="Keep only the first drawings of each class."
)
@click.option(
    "--source",
    "sources",
    multiple=True,
    help="Name and licence of the data, kept in the file. Can be repeated. Without it: Quick, "
    "Draw!'s for .ndjson and .npz files, and that they are one's own for SVGs.",
)
def main(
    paths: Sequence[Path], output: Path, limit: int | None, sources: Sequence[str]
) -> None:
    """Pack drawings into one dataset file.

    PATHS are Quick, Draw! .ndjson files (simplified or raw), sketch-rnn .npz files, SVGs, or
    folders of them. An SVG is one drawing, and the folder it lies in names its class. A
    drawing that comes twice is kept once. A record that is no drawing is reported and
    skipped; a file that cannot be read ends the command.

    Which drawings are for training, validation and test hangs on each drawing alone, so that
    it never changes; the sides inside .npz files are not kept.

    \b
    Examples:
      python -m training.prepare data/simplified -o data/quickdraw.safetensors
      python -m training.prepare cat.npz dog.ndjson -o pets.safetensors --limit 5000
      python -m training.prepare tu-berlin/svg -o data/tu-berlin.safetensors \\
          --source "TU-Berlin sketches (Eitz, Hays, Alexa 2012), CC BY 4.0"
    """  # noqa: D301
    preparation = Preparation(limit)
    try:
        files = find_files(paths)
        output.parent.mkdir(parents=True, exist_ok=True)
        sources = sources or guess_sources(files)
        packed = dataset.save(preparation.drawings(files), output, sources)
    except (ReaderError, DatasetError) as error:
        raise Refusal(str(error)) from error
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{output}: cannot be written ({error})") from error
    click.echo(table(packed, preparation, output.stat().st_size))


if __name__ == "__main__":
    main()
