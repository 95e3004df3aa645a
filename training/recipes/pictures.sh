#!/usr/bin/env bash
# The pictures of the README, the docs and the model card, from the commands that stand there. Needs
# the plug-in with the extra `training`, and cairosvg (from the package index) to turn SVG into
# PNG.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

picture() {  # picture NAME WIDTH: $work/out.svg becomes docs/NAME.png
    cairosvg "$work/out.svg" -o "$work/out.png" --output-width "$2" --background white
    python - "$work/out.png" "docs/$1.png" <<'END'  # a palette: a fourth of the size
import sys
from PIL import Image
Image.open(sys.argv[1]).convert("RGB").quantize(16).save(sys.argv[2], optimize=True)
END
}

classes=cat,dog,owl,butterfly,face,flower,bicycle,house
classes+=,fish,tree,car,sailboat,bird,rabbit,snowman,cactus
classes+=,"ice cream,hot air balloon,umbrella,guitar,mushroom,teapot,lighthouse,giraffe"
vpype sketchgen --seed 4 -n 48 --size 3cm --class "$classes" --grid 8 6 color black \
    write "$work/out.svg"
picture classes 1000

# What is hard: a dozen of each, a column each, as they come.
vpype sketchgen --seed 1 -n 120 --size 2.5cm \
    --class dog,horse,cow,elephant,owl,rabbit,bicycle,lobster,bulldozer,cat \
    --grid 10 12 color black write "$work/out.svg"
picture dozens 1000

vpype sketchgen --seed 1 -n 20 --class cat grid 5 4 color black linesort write "$work/out.svg"
picture cats 800

# In one line: joined the shortest way, and as a hand would.
lines=face,cat,rabbit,flower,butterfly,snail,fish,umbrella,teapot,owl,cactus,mushroom
lines+=,dog,bird,house,tree,bicycle,sailboat,guitar,lion,elephant,shoe,octopus,horse
vpype sketchgen --seed 6 -n 24 --class "$lines" --layers sketch --grid 8 3 \
    oneline -b 1m color black write "$work/out.svg"
picture one-line-shortest 1400

vpype sketchgen --seed 6 -n 24 --one-line \
    --class face,cat,rabbit,flower,butterfly,snail \
    --class fish,umbrella,teapot,owl,cactus,mushroom \
    --class dog,bird,house,tree,bicycle,sailboat \
    --class guitar,lion,elephant,shoe,octopus,horse \
    --grid 8 3 color black write "$work/out.svg"
picture one-line 1400

vpype sketchgen --model oneline -t 0.4 --structure-temperature 0.6 --seed 7 -n 10 \
    grid 5 2 color black write "$work/out.svg"
picture figures 900

vpype sketchgen --model oneline -t 0.4 --structure-temperature 0.6 --seed 7 -n 5 --layers sketch \
    sketchgen --seed 6 -n 12 --one-line \
    --class cat,rabbit,flower,butterfly,snail,fish --layers sketch \
    flashsheet -p a4 --frame --title "Flash" --signature "A. Nonymous" color black \
    write "$work/out.svg"
picture flash 700

# All classes, for the model card.
python -m training.sample quickdraw -n 1 --columns 15 --captions -o "$work/out.svg"
picture all-classes 1500

for pair in circle:cat eyes:face triangle:house spiral:snail letter:; do
    name=${pair%:*} class=${pair#*:}
    vpype read "tests/data/$name.svg" \
        sketchcomplete --seed 1 ${class:+--class "$class"} grid 6 1 \
        color -l 1 black color -l 2 red layout -m 0.5cm tight write "$work/out.svg"
    picture "complete-$name" 900
done

# Twelve like a drawing, and what lies between (the drawing in black, the model's in red).
vpype sketchgen --seed 7 --class cat write "$work/cat.svg"
vpype read "$work/cat.svg" sketchvary --seed 1 -n 12 --amount 0.5 grid 4 3 \
    color -l 1 black color -l 2 red write "$work/out.svg"
picture vary-cat 900
vpype grid -o 5cm 5cm 6 1 read "$work/cat.svg" \
    sketchvary --seed 1 --replace --amount "%_i/5%" end color black write "$work/out.svg"
picture vary-amounts 900
vpype sketchmorph --seed 1 --from cat --to rabbit -n 8 color black write "$work/out.svg"
picture morph-cat-rabbit 900
vpype grid -o 24cm 4cm 1 4 sketchmorph --seed 1 --from fish --to bird -n 6 end color black \
    write "$work/out.svg"
picture morph-fish-bird 900
