#!/usr/bin/env bash
# The model of figures in one line that ships, vpype_sketchformer/models/oneline.safetensors: from
# Andrew Look's drawings (MIT, Copyright (c) 2023 Andrew Look) to the file. Run from the top of
# the checkout, with his drawings in data/look and the plug-in and the extra
# `training` installed, after the lessons of training/recipes/quickdraw.sh. Twenty minutes of one core with AMX.
set -euo pipefail
data=data/oneline.safetensors
python -m training.mend data/look/look_joined.ndjson -o $data
python -m training.train training/configs/oneline.toml $data \
    --from runs/more/model.safetensors --out runs/oneline
python -m training.evaluate runs/oneline/model.safetensors $data --part likelihood \
    --split test --json runs/oneline/scores.json
python -m training.export runs/oneline/model.safetensors runs/oneline/scores.json \
    -o vpype_sketchformer/models/oneline.safetensors
