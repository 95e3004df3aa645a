#!/usr/bin/env bash
# The model oneline, vpype_sketchformer/models/oneline.safetensors: from the fragments of an
# artist's drawings to the file. Run from the top of the checkout, with the drawings in
# ../shared/data/oneline.
set -euo pipefail
data=data/oneline.safetensors

python -m training.mend ../shared/data/oneline/look_joined.ndjson -o $data
python -m training.train training/configs/oneline.toml $data --from shipped --out runs/oneline
python -m training.evaluate runs/oneline/model.safetensors $data --part likelihood \
    > runs/oneline/scores.txt
python -m training.export runs/oneline/model.safetensors runs/oneline/scores.txt \
    -o vpype_sketchformer/models/oneline.safetensors
