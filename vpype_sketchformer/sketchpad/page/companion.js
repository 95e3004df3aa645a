// The model's side of the page: asks for suggestions, shows them, and what it takes the
// drawing for. Emits "take" with lines, and "label" with a class.

import { bounds, element } from "./paper.js";

const COUNT = 8;
const LENGTHS = [[1, "one stroke"], [2, "two strokes"], [3, "three strokes"], [5, "five strokes"],
  [8, "eight strokes"], [null, "the whole drawing"]];
const MANNERS = [[0.15, "plain"], [0.45, "calm"], [0.75, "free"], [1, "loose"], [Infinity, "wild"]];

const find = id => document.getElementById(id);

export class Companion extends EventTarget {
  #wire; #paper; #request = 0; #suggestions = []; #shown = 0; #taken = 0; #over = true; #only = null;
  #deaf = false; #chosen = false; #named = false; #context = [];

  constructor(wire, paper) {
    super();
    this.#wire = wire;
    this.#paper = paper;
    find("strip").replaceChildren(...Array.from({ length: COUNT }, (_, i) => this.#thumbnail(i)));
    wire.addEventListener("suggestion", ({ detail }) => this.#drawn(detail));
    wire.addEventListener("suggested", ({ detail }) => this.#finished(detail));
    wire.addEventListener("anew", ({ detail }) => this.#begin(detail));
    wire.addEventListener("rest", ({ detail }) => this.#rest(detail));
    wire.addEventListener("guess", ({ detail }) => this.#guessed(detail));
    find("take").onclick = () => this.take();
    find("take-stroke").onclick = () => this.takeStroke();
    find("refuse").onclick = () => this.refuse();
    for (const id of ["temperature", "length"]) find(id).addEventListener("input", () => this.#tell());
  }

  set temperature(value) {
    const slider = find("temperature");
    slider.min = Math.min(slider.min, value);
    slider.max = Math.max(slider.max, value);
    slider.value = value;
    this.#tell();
  }

  #tell() {
    const temperature = Number(find("temperature").value);
    const [, manner] = MANNERS.find(([most]) => temperature <= most);
    find("temperature-text").textContent = manner;
    find("temperature").setAttribute("aria-valuetext", manner);
    const [, length] = LENGTHS[find("length").value];
    find("length-text").textContent = length;
    find("length").setAttribute("aria-valuetext", length);
  }

  canAsk = false;          // whether there is something to go on with

  get hasSome() { return this.#suggestions.some(s => s?.lines.length); }

  // Ask how a drawing could go on. The lines are what there is of it, for the thumbnails.
  ask(drawing, label, oneLine, lines) {
    this.#clear();
    find("suggestions").dataset.rests = false;
    this.#context = lines;
    this.#named = label !== null;
    this.#over = false;
    this.#show();
    this.#wire.say({
      type: "suggest", request: ++this.#request, drawing, label, one_line: oneLine,
      temperature: Number(find("temperature").value), strokes: LENGTHS[find("length").value][0],
    });
  }

  // Stop suggesting: the pen is down.
  hush() {
    this.#request += 1;
    this.#clear();
    this.#wire.say({ type: "hush" });
  }

  refuse() {
    this.hush();
    this.#say("No suggestion is shown.");
  }

  forget() {
    this.hush();
    find("guess").hidden = true;
  }

  #clear() {
    this.#suggestions = [];
    this.#shown = this.#taken = 0;
    this.#over = true;
    this.#only = null;
    this.#deaf = this.#chosen = false;
    this.#show();
  }

  #thumbnail(i) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "thumbnail";
    button.append(element("svg", { "aria-hidden": "true" }),
      Object.assign(document.createElement("kbd"), { textContent: i + 1 }),
      Object.assign(document.createElement("span"), { className: "name" }));
    button.onclick = () => this.choose(i);
    return button;
  }

  #drawn({ request, number, label, strokes, finished }) {
    if (request !== this.#request || this.#deaf || number !== (this.#only ?? number)) return;
    if (!this.#suggestions[number] && !strokes.length) return;  // a dot, or off the page
    const suggestion = this.#suggestions[number] ??= { label, lines: [], finished: false };
    suggestion.lines.push(...strokes);
    suggestion.finished ||= finished;
    this.#show();
  }

  // Now that it is known what is drawn, there are better suggestions; too late for one that
  // was chosen.
  #begin({ request }) {
    if (request !== this.#request) return;
    if (this.#chosen) this.#deaf = true;
    else this.#clear();
  }

  #rest({ request }) {
    if (request === this.#request) find("suggestions").dataset.rests = true;
  }

  #finished({ request }) {
    if (request !== this.#request) return;
    this.#over = true;
    // The first is of the likeliest class. Where there is none, show the next.
    if (!this.#suggestions[this.#shown])
      this.#shown = Math.max(0, this.#suggestions.findIndex(Boolean));
    this.#show();
    if (!this.hasSome) {
      find("hint").textContent = "The model has nothing to add.";
      this.#say("The model has nothing to add.");
    } else this.#say(`${this.#suggestions.filter(Boolean).length} suggestions. ${this.#described}`);
  }

  #guessed({ request, ranking }) {
    if (request !== this.#request) return;
    find("guess").hidden = this.#named;
    find("guess").querySelector("ol").replaceChildren(...ranking
      .filter(([, share], i) => i === 0 || share > 0.03)
      .map(([label, share]) => {
        const item = document.createElement("li"), button = document.createElement("button");
        const percent = `${Math.round(100 * share)} %`;
        button.type = "button";
        button.style.setProperty("--share", share);
        button.title = `Draw a ${label}`;
        button.append(Object.assign(document.createElement("span"), { textContent: label }),
          Object.assign(document.createElement("span"), { textContent: percent }));
        button.onclick = () => this.dispatchEvent(new CustomEvent("label", { detail: label }));
        item.append(button);
        return item;
      }));
  }

  // Show a suggestion; take it if it is shown already.
  choose(i) {
    if (!this.#suggestions[i]) return;
    if (i === this.#shown) { this.take(); return; }
    this.#shown = i;
    this.#taken = 0;
    this.#chosen = true;
    this.#show();
    this.#say(this.#described);
  }

  get #described() {
    const { label } = this.#suggestions[this.#shown];
    return `Suggestion ${this.#shown + 1}${label ? `, ${label}` : ""}. Enter takes it.`;
  }

  get #left() {
    return this.#suggestions[this.#shown]?.lines.slice(this.#taken) ?? [];
  }

  take() {
    const lines = this.#left;
    if (!lines.length) return;
    const { finished } = this.#suggestions[this.#shown];
    this.hush();
    this.dispatchEvent(new CustomEvent("take", { detail: { lines, last: true, finished } }));
  }

  takeStroke() {
    const [line, ...rest] = this.#left;
    if (!line) return;
    if (!rest.length && this.#over) { this.take(); return; }
    this.#taken += 1;
    this.#chosen = true;
    this.#context = [...this.#context, line];
    this.dispatchEvent(new CustomEvent("take", { detail: { lines: [line], last: false } }));
    // What was suggested besides does not go with this stroke.
    this.#only = this.#shown;
    this.#suggestions = this.#suggestions.map((s, i) => i === this.#only ? s : undefined);
    this.#show();
  }

  #show() {
    const some = this.hasSome;
    find("suggestions").hidden = !some;
    find("hint").hidden = some;
    find("ask").hidden = some || !this.#over || !this.canAsk;
    this.#paper.showPale(this.#left);
    const buttons = find("strip").children;
    const box = some && bounds([...this.#context, ...this.#suggestions.flatMap(s => s?.lines ?? [])]);
    for (let i = 0; i < COUNT; i++) {
      const suggestion = this.#suggestions[i], [svg, , name] = buttons[i].children;
      buttons[i].disabled = !suggestion;
      buttons[i].setAttribute("aria-pressed", some && i === this.#shown);
      buttons[i].setAttribute("aria-label",
        `Suggestion ${i + 1}${suggestion?.label ? `, ${suggestion.label}` : ""}`);
      name.textContent = suggestion?.label ?? "";
      svg.replaceChildren();
      if (!suggestion) continue;
      const side = Math.max(box.width, box.height, 1) * 1.16;
      svg.setAttribute("viewBox", [(box.left + box.right - side) / 2,
        (box.top + box.bottom - side) / 2, side, side].join(" "));
      svg.style.setProperty("--pen", side / 55);
      svg.append(...this.#context.map(points => element("polyline", { class: "you", points: points.join(" ") })),
        ...suggestion.lines.map(points => element("polyline", { class: "model", points: points.join(" ") })));
    }
  }

  #say(text) {
    find("said").textContent = text;
  }
}
