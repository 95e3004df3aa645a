// The sheet of paper on the screen: shows the strokes, finds what the pointer is on.

import { outline, toSegment } from "./ink.js";

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 0.02;     // of the paper's longer side, around it
const PEN = 1.9;         // width of the ink on the paper, pixels: half a millimetre
const USUAL = 0.5;       // the same in mm
const LIGHT = 0.3, HARD = 2;   // shares of it, where a pen that feels pressure hardly touches, and presses
const THINNEST = 1.7;    // and on the screen
const NEAREST = 24, FARTHEST = 0.5;   // how many times larger or smaller than the whole sheet

export function element(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

export const pairs = flat =>
  Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);

export const lengthOf = points => pairs(points).reduce((sum, [x, y], i, all) =>
  sum + (i ? Math.hypot(x - all[i - 1][0], y - all[i - 1][1]) : 0), 0);

export function bounds(lines) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const points of lines) for (const [x, y] of pairs(points)) {
    left = Math.min(left, x); right = Math.max(right, x);
    top = Math.min(top, y); bottom = Math.max(bottom, y);
  }
  return { left, top, right, bottom, width: right - left, height: bottom - top };
}

export class Paper {
  size = [1, 1];
  pens = {};               // colour and width in mm, by name
  #home = [0, 0, 1, 1];    // what is seen when the whole sheet is: left, top, width, height
  #seen = [0, 0, 1, 1];
  #svg; #above; #groups = new Map(); #shown = new Map();

  constructor(svg) {
    this.#svg = svg;
    this.#above = svg.nextElementSibling;   // lies exactly on it
    for (const id of ["under", "pale", "ink", "wet", "frame", "nib", "span", "plan"])
      this[id] = document.getElementById(id);
    new ResizeObserver(() => this.#thicken()).observe(svg);
  }

  // Keep the ink visible however small the paper is shown.
  #thicken() {
    for (const svg of [this.#svg, this.#above])
      svg.style.setProperty("--pen", Math.max(PEN, THINNEST * this.grain));
  }

  fit(size, pipeline) {
    this.size = size;
    const [width, height] = size, margin = MARGIN * Math.max(width, height);
    this.#home = [-margin, -margin, width + 2 * margin, height + 2 * margin];
    this.showAll();
    this.under.replaceChildren(element("rect", { class: "sheet", width, height, rx: 1 }));
    if (pipeline) this.under.append(
      element("image", { class: "pipeline", href: "pipeline.svg", width, height }));
  }

  // Show the whole sheet.
  showAll() { this.#look(this.#home); }

  #look(seen) {
    this.#seen = seen;
    for (const svg of [this.#svg, this.#above]) svg.setAttribute("viewBox", seen.join(" "));
    this.#thicken();
    this.#svg.dispatchEvent(new Event("look"));
  }

  // How many times larger than the whole sheet fits.
  get zoom() { return this.#home[2] / this.#seen[2]; }

  // Show it so many times larger; a point of the page stays where it is on the screen.
  zoomBy(factor, point = this.middle) {
    const zoom = Math.min(Math.max(this.zoom * factor, FARTHEST), NEAREST);
    const by = this.zoom / zoom, [left, top, width, height] = this.#seen;
    this.#look([point[0] - by * (point[0] - left), point[1] - by * (point[1] - top), by * width, by * height]);
  }

  // Move what is seen, by pixels of the page; something of the sheet stays in sight.
  pan(dx, dy) {
    const [left, top, width, height] = this.#seen;
    const hold = (x, extent, size) => Math.min(Math.max(x, -0.8 * extent), size - 0.2 * extent);
    this.#look([hold(left - dx, width, this.size[0]), hold(top - dy, height, this.size[1]), width, height]);
  }

  get middle() {
    const [left, top, width, height] = this.#seen;
    return [left + width / 2, top + height / 2];
  }

  // A picture under the ink, to trace; null for none.
  trace(href) {
    this.#svg.querySelector("#trace")?.remove();
    if (!href) return;
    const [width, height] = this.size;
    this.under.append(element("image", { id: "trace", href, width, height }));
  }

  // Where on the paper a pointer is.
  at(event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(this.#svg.getScreenCTM().inverse());
    return [x, y];
  }

  // Pixels of the page for one of the screen.
  get grain() {
    return 1 / this.#svg.getScreenCTM().a;
  }

  // Show these strokes, leaving alone what is shown already.
  show(strokes) {
    for (const [id, line] of this.#shown)
      if (line.stroke !== strokes.get(id)) { line.node.remove(); this.#shown.delete(id); }
    for (const [id, stroke] of strokes) {
      if (this.#shown.has(id)) continue;
      const node = element("polyline", { class: stroke.by });
      this.#draw(node, pairs(stroke.points), stroke.pressure ?? [], stroke.pen);
      this.group(stroke.drawing).append(node);
      this.#shown.set(id, { node, stroke });
    }
  }

  // Black is ink: in the dark it is light. Where the pen was pressed, the line is an outline.
  #draw(node, points, pressure, pen = "") {
    const [colour, width] = this.pens[pen] ?? ["#000000", USUAL];
    const pressed = pressure.length > 0, share = width / USUAL;
    if (pressed) points = outline(points, pressure.map(p => PEN * share * (LIGHT + (HARD - LIGHT) * p)));
    node.setAttribute("points", points.join(" "));
    node.style.stroke = colour === "#000000" ? "" : colour;
    node.style.fill = pressed ? node.style.stroke || "var(--you)" : "";
    node.style.strokeWidth = `calc(var(--pen) * ${pressed ? LIGHT * share : share})`;
  }

  // A file with these strokes.
  asSvg(strokes) {
    const [width, height] = this.size;
    return new XMLSerializer().serializeToString(
      element("svg", { width, height, viewBox: `0 0 ${width} ${height}` },
        ...[...strokes.values()].map(({ points, pen }) => {
          const [stroke, width] = this.pens[pen] ?? ["#000000", USUAL];
          return element("polyline", { points: points.join(" "), fill: "none", stroke,
            "stroke-width": PEN * width / USUAL, "stroke-linecap": "round", "stroke-linejoin": "round" });
        })));
  }

  group(drawing) {
    if (!this.#groups.has(drawing)) {
      const group = element("g");
      this.#groups.set(drawing, group);
      this.ink.append(group);
    }
    return this.#groups.get(drawing);
  }

  node(id) {
    return this.#shown.get(id)?.node;
  }

  showWet(points, pressure = [], pen = "") {
    this.#draw(this.wet, points, pressure, pen);
  }

  // Show a suggestion: what comes next first, or what would stand in the place of a drawing.
  showPale(lines, instead = null) {
    for (const [drawing, group] of this.#groups) group.classList.toggle("replaced", drawing === instead);
    this.pale.replaceChildren(...lines.map((points, i) =>
      element("polyline", { class: i && instead === null ? "" : "next", points: points.join(" ") })));
  }

  // Show what a drawing would become, and where that crosses white paper; null for nothing.
  showPlan(plan) {
    this.#svg.classList.toggle("planning", plan !== null);
    this.plan.replaceChildren(...Object.entries(plan ?? {}).flatMap(([name, lines]) =>
      lines.map(points => element("polyline", { class: name, points: points.join(" ") }))));
  }

  // Show the box that the pointer spans to choose what is in it; null for none.
  showSpan(box) {
    this.span.toggleAttribute("hidden", !box);
    if (!box) return;
    for (const [name, value] of Object.entries({ x: box.left, y: box.top, width: box.width, height: box.height }))
      this.span.setAttribute(name, value);
  }

  // Show the frame around a drawing, with handles to scale it; null for none.
  showFrame(box) {
    this.frame.toggleAttribute("hidden", !box);
    if (!box) return;
    const pad = 6 * this.grain, r = 5 * this.grain;
    const [left, top] = [box.left - pad, box.top - pad];
    const [right, bottom] = [box.right + pad, box.bottom + pad];
    const corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
    this.frame.replaceChildren(
      element("rect", { x: left, y: top, width: right - left, height: bottom - top }),
      ...corners.map(([cx, cy], i) => element("circle", { cx, cy, r, "data-corner": i })),
      element("circle", { cx: (left + right) / 2, cy: top - 4 * pad, r, "data-corner": "turn" }));
  }

  // The strokes that are nearer to a point than so many pixels of the screen, nearest first.
  hits(strokes, point, reach) {
    const limit = reach * this.grain, found = [];
    for (const [id, stroke] of strokes) {
      const points = pairs(stroke.points);
      let nearest = Infinity;
      for (let i = 1; i < points.length; i++)
        nearest = Math.min(nearest, toSegment(point, points[i - 1], points[i]));
      if (nearest <= limit) found.push([nearest, id]);
    }
    return found.sort((a, b) => a[0] - b[0]).map(([, id]) => id);
  }
}
