#!/usr/bin/env bash
# The README's example of a model with an artist's hand: fifty one-line figures by Andrew Look
# (MIT, Copyright (c) 2023 Andrew Look) become SVGs, and the model that ships goes on with them.
# Run with the drawings in data/look. Needs the plug-in, the training extra, and
# cairosvg (from the package index) for the pictures.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python - "$work/figures" <<'END'
import json, pathlib, sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
file = open("data/look/look_joined.ndjson", encoding="utf-8")
plain = (  # the first fifty that are not too intricate
    record
    for record in map(json.loads, file)
    if len(record["drawing"]) <= 6 and 40 <= sum(len(x) for x, _ in record["drawing"]) <= 110
)
for _, record in zip(range(50), plain):
    strokes = (" ".join(f"{x},{y}" for x, y in zip(*stroke)) for stroke in record["drawing"])
    lines = "".join(f'<polyline points="{points}"/>' for points in strokes)
    (folder / f"{record['number']}.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">{lines}</svg>'
    )
END

python -m training.train --svg "$work/figures" --from shipped --out runs/figures

sheet="--seed 1 -n 24 --temperature 0.6 grid 8 3 color black"
vpype sketchgen --class face $sheet write "$work/out.svg"
cairosvg "$work/out.svg" -o docs/own-before.png --output-width 800 --background white
vpype sketchgen --model runs/figures/model.safetensors $sheet write "$work/out.svg"
cairosvg "$work/out.svg" -o docs/own-after.png --output-width 800 --background white
