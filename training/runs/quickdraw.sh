#!/usr/bin/env bash
# The model that ships, vpype_sketchformer/models/quickdraw.safetensors: from the drawings to the
# file, in three lessons. Run from the top of the checkout, with the drawings in
# ../shared/data/quickdraw (or fetched by: python -m training.download all -o data/google).
set -euo pipefail
data=data/quickdraw.safetensors
python -m training.prepare ../shared/data/quickdraw -o $data
python -m training.train training/configs/base.toml $data --out runs/base
python -m training.train training/configs/longer.toml $data --out runs/longer \
    --from runs/base/model.safetensors

# What is easy to recognise, chosen by the raster judge.
[ -e training/judges/raster.safetensors ] || python -m training.judge raster $data
python -m training.distill runs/longer/model.safetensors $data -o data/typical.safetensors
python -m training.train training/configs/typical.toml data/typical.safetensors \
    --out runs/typical --from runs/longer/model.safetensors
cp runs/typical/model.safetensors vpype_sketchformer/models/quickdraw.safetensors
