#!/usr/bin/env bash
# The network and recipe this project began with, and ours, after equally many points (921,600,
# padding included), each with a constant rate and with a schedule, so that what a schedule does
# is not taken for what the network does. Run from the top of the checkout after training.prepare
# has made the data (the first command of training/recipes/quickdraw.sh). A run that is done is
# not run again, so this can be stopped and gone on with.
set -euo pipefail
data=data/quickdraw.safetensors
configs=training/configs

compare() {  # compare NAME CONFIG STEPS MODEL SETTING...: trains runs/compare/NAME, measures MODEL
    local name=$1 config=$2 steps=$3 model=$4 changes=()
    shift 4
    echo "== $name"
    for setting; do changes+=(--set "$setting"); done
    python -m training.train "$configs/$config.toml" $data --out "runs/compare/$name" \
        --set "steps=$steps" "${changes[@]}"
    python -m training.evaluate "runs/compare/$name/$model" $data --part likelihood --split test
}

schedule=(warmup=100 decay=0.65)  # that of base.toml
constant=(warmup=0 decay=0.0)     # that of baseline.toml

compare baseline baseline 300 state.pt "${constant[@]}"
compare baseline-schedule baseline 300 state.pt "${schedule[@]}"
# A rate that ends at zero may begin higher: that of AdamW in our tries (tries.sh).
compare baseline-schedule-fast baseline 300 state.pt "${schedule[@]}" lr=1e-3
compare ours-constant base 225 model.safetensors "${constant[@]}"
compare ours base 225 model.safetensors "${schedule[@]}"
