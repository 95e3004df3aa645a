#!/usr/bin/env bash
# One change at a time to training/configs/base.toml, 225 steps each (921,600 points, padding
# included), and what the last validation says: the table of tries in training/LOG.md. Run from
# the top of the checkout after training.prepare has made the data (training/recipes/quickdraw.sh).
# A try takes some eight minutes on one core; those that are done are not run again.
set -euo pipefail
data=data/quickdraw.safetensors

try() {  # try NAME SETTING...: trains runs/tries/NAME
    local name=$1 changes=()
    shift
    for setting; do changes+=(--set "$setting"); done
    python -m training.train training/configs/base.toml $data --out "runs/tries/$name" \
        --set steps=225 --set validate_every=225 --set sample_every=225 "${changes[@]}"
    echo "$name: $(tail -n 1 "runs/tries/$name/log.jsonl")"
}

try base
try seed seed=2
try adamw 'optimizer="adamw"' lr=1e-3
try adamw-fast 'optimizer="adamw"' lr=3e-3
try muon-slow muon_lr=0.01
try muon-fast muon_lr=0.04
try deep layers=6
try shallow layers=2
try few-mixtures mixtures=10
try many-mixtures mixtures=40
try dropout dropout=0.1
try undistorted stretch=0.0
try as-they-are balance=1.0
try short context=128

# Without the drawings that do not look like their class; validation is the same.
[ -e data/clean.safetensors ] || python -m training.recipes.clean $data data/clean.safetensors
data=data/clean.safetensors try clean

# Variants of the network, as long.
for variant in discretised no-place learned-positions diagonal blind-pen averaged; do
    python -m training.recipes.variants $variant $data
    echo "$variant: $(tail -n 1 "runs/tries/$variant/log.jsonl")"
done
