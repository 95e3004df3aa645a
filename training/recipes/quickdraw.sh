#!/usr/bin/env bash
# The model that ships, vpype_sketchformer/models/quickdraw.safetensors: from the drawings to the
# file, in six lessons. Run from the top of the checkout, with the drawings in
# ../shared/data/quickdraw (or fetched by: python -m training.download all -o data/google).
set -euo pipefail
data=data/quickdraw.safetensors
python -m training.prepare ../shared/data/quickdraw -o $data
python -m training.train training/configs/base.toml $data --out runs/base
python -m training.train training/configs/longer.toml $data --out runs/longer \
    --from runs/base/model.safetensors

# What is easy to recognise, chosen by the raster judge: twice, the second time from what the
# first lesson gave.
[ -e training/judges/raster.safetensors ] || python -m training.judge raster $data
python -m training.distill runs/longer/model.safetensors $data -o data/typical.safetensors
python -m training.train training/configs/typical.toml data/typical.safetensors \
    --out runs/typical --from runs/longer/model.safetensors
python -m training.distill runs/typical/model.safetensors $data --per-class 120 --seed 7 \
    -o data/typical2.safetensors
python -m training.train training/configs/typical.toml data/typical2.safetensors \
    --out runs/typical2 --from runs/typical/model.safetensors \
    --set steps=3300 --set lr=1.5e-3 --set muon_lr=0.01 --set seed=4 --set validate_every=500

# When to stop: what did not end is cut where the judge was sure of it.
python -m training.distill runs/typical2/model.safetensors $data --guidance 1 --cut \
    --per-class 110 --seed 11 -o data/ending.safetensors
python -m training.train training/configs/typical.toml data/ending.safetensors \
    --out runs/ending --from runs/typical2/model.safetensors \
    --set steps=1100 --set seed=5 --set validate_every=300

# A good third of the hidden units goes, so that sketches come faster; then the last lesson once
# more, gently.
python -m training.prune runs/ending/model.safetensors data/ending.safetensors --hidden 640 \
    -o runs/pruned.safetensors
python -m training.train training/configs/typical.toml data/ending.safetensors \
    --out runs/pruned --from runs/pruned.safetensors \
    --set steps=450 --set lr=2e-4 --set muon_lr=1.25e-3 --set seed=6 --set validate_every=150

# The file that ships says how it scores.
python -m training.evaluate runs/pruned/model.safetensors $data \
    --part likelihood --part samples --per-class 2 > runs/pruned/scores.txt
python -m training.export runs/pruned/model.safetensors runs/pruned/scores.txt \
    -o vpype_sketchformer/models/quickdraw.safetensors
