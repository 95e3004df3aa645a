// The contact sheet: choose, order, enlarge, ask for more. vpype keeps what is chosen.

import { showKeyList } from "./keys.js";
import { element } from "./paper.js";
import { Wire } from "./wire.js";

const find = id => document.getElementById(id);

const wire = new Wire();
const items = [];        // {picture, node}, by number
let order = [], chosen = new Set();
let before = [];         // what was chosen earlier, in which order
let sent = false, wait = null;

// ----- What vpype says -----------------------------------------------------------------------

wire.addEventListener("welcome", ({ detail }) => {
  notify("");
  const known = items.length;
  detail.items.slice(known).forEach(add);
  if (!known) { order = detail.order; chosen = new Set(detail.chosen); }
  else {  // the connection is back: what was chosen meanwhile is here
    order = [...order, ...detail.order.filter(number => !order.includes(number))];
    tell();
  }
  find("more").hidden = !detail.more;
  show();
  if (!known) items[order[0]]?.node.querySelector(".item").focus({ focusVisible: false });
});

wire.addEventListener("added", ({ detail: { items: found, like, trouble } }) => {
  busy(false);
  if (trouble) { notify(trouble); return; }
  const numbers = found.map((_, i) => items.length + i);
  found.forEach(add);
  order.splice(like === null ? order.length : order.indexOf(like) + 1, 0, ...numbers);
  show();
  tell();
  say(`${found.length} further ones.`);
  items[numbers[0]]?.node.scrollIntoView({ block: "nearest", behavior: "smooth" });
});

wire.addEventListener("closing", ({ detail }) => {
  sent = detail.finished;
  tell();
  wire.say({ type: "bye" });
});
wire.addEventListener("lost", () => {
  if (!sent) notify("The connection to vpype is lost. Choose on; your choice stays here until it is back.");
});
wire.addEventListener("refused", ({ detail }) =>
  end("vpype did not understand this page", `${detail} Load the page again.`));
wire.addEventListener("busy", () =>
  end("The contact sheet is open in another tab", "Choose there, or go on here.", true));
wire.addEventListener("elsewhere", () =>
  end("The contact sheet has moved to another tab", "Choose there, or take it back.", true));
wire.addEventListener("gone", () =>
  end("vpype has gone", "What was chosen did not go on. Start the pipeline again."));
wire.addEventListener("over", () => sent
  ? end("Done", "What you chose has gone on down the pipeline. You can close this page.")
  : end("The contact sheet has ended", "It was ended in the terminal; nothing went on."));

// ----- The sheet -----------------------------------------------------------------------------

function add(picture) {
  const number = items.length;
  const node = document.createElement("li"), button = document.createElement("button");
  const [width, height] = picture.size, side = Math.max(width, height, 1) * 1.06;
  const svg = element("svg", { "aria-hidden": "true",
    viewBox: [(width - side) / 2, (height - side) / 2, side, side].join(" ") },
    ...picture.strokes.map(points => element("polyline", { points: points.join(" ") })));
  if (picture.colour) for (const line of svg.children) line.style.stroke = picture.colour;
  button.className = "item";
  button.type = "button";
  button.append(svg, piece("name", picture.name), piece("tick", "✓"));
  button.onclick = () => toggle(number);
  node.append(button);
  if (picture.again) {
    const like = piece("like", "More like this", "button");
    like.type = "button";
    like.onclick = () => drawMore(number);
    node.append(like);
  }
  node.draggable = true;
  node.ondragstart = event => {
    event.dataTransfer.setData("text/plain", number);
    event.dataTransfer.effectAllowed = "move";
    node.classList.add("dragged");
  };
  node.ondragend = () => { node.classList.remove("dragged"); mark(null); };
  node.ondragover = event => { event.preventDefault(); mark(node, isRight(event, node)); };
  node.ondrop = event => {
    event.preventDefault();
    mark(null);
    const moved = Number(event.dataTransfer.getData("text/plain"));
    if (items[moved]) move(moved, number, isRight(event, node));
  };
  items.push({ picture, node });
}

function piece(name, text, tag = "span") {
  const node = Object.assign(document.createElement(tag), { className: name, textContent: text });
  if (tag === "span" && name === "tick") node.setAttribute("aria-hidden", "true");
  return node;
}

const isRight = (event, node) => {
  const box = node.getBoundingClientRect();
  return event.clientX > box.left + box.width / 2;
};

function mark(node, right) {
  for (const { node: other } of items) {
    other.classList.toggle("before", other === node && !right);
    other.classList.toggle("after", other === node && right);
  }
}

function show() {
  const focused = document.activeElement;
  const nodes = order.map(number => items[number].node);
  if (nodes.some((node, i) => find("sheet").children[i] !== node)) {
    find("sheet").replaceChildren(...nodes);
    focused?.focus?.({ preventScroll: true });
  }
  order.forEach((number, i) => {
    const button = items[number].node.querySelector(".item");
    button.setAttribute("aria-pressed", chosen.has(number));
    button.setAttribute("aria-label", `${i + 1}${items[number].picture.name && `, ${items[number].picture.name}`}`);
  });
  find("count").textContent = `${chosen.size} of ${items.length} chosen`;
  find("done").disabled = !chosen.size;
  find("done").textContent = chosen.size ? `Send ${chosen.size}` : "Send";
  find("undo").disabled = !before.length;
}

// ----- What one can do -----------------------------------------------------------------------

function change(newOrder, newChosen) {
  before.push({ order, chosen });
  [order, chosen] = [newOrder, newChosen];
  show();
  tell();
}

function tell() {
  wire.say({ type: "choice", order, chosen: [...chosen] });
}

function toggle(number) {
  const now = new Set(chosen);
  if (!now.delete(number)) now.add(number);
  change(order, now);
}

function move(number, target, behind) {
  if (number === target) return;
  const rest = order.filter(other => other !== number);
  rest.splice(rest.indexOf(target) + (behind ? 1 : 0), 0, number);
  change(rest, chosen);
}

function undo() {
  const last = before.pop();
  if (!last) return;
  // Those that came since stay, behind the others.
  order = [...last.order, ...order.filter(number => !last.order.includes(number))];
  chosen = last.chosen;
  show();
  tell();
}

function drawMore(like = null) {
  if (like === null && find("more").hidden || wait !== null || !wire.isOpen) return;
  tell();
  busy(true);
  say("Drawing further ones.");
  wire.say({ type: "more", like });
}

function busy(is) {
  wait = is ? true : null;
  for (const button of document.querySelectorAll("#more, .like")) button.disabled = is;
  find("sheet").setAttribute("aria-busy", is);
}

function zoom(by) {
  const slider = find("zoom");
  if (by) slider.value = Number(slider.value) * by;
  find("sheet").style.setProperty("--side", `${slider.value}px`);
}

function send() {
  if (!chosen.size) { notify("Nothing is chosen yet."); return; }
  if (!wire.isOpen) { notify("The connection to vpype is lost. Send when it is back."); return; }
  sent = true;
  tell();
  wire.say({ type: "done" });
}

// ----- Buttons and keys ----------------------------------------------------------------------

find("all").onclick = () => change(order, new Set(order));
find("none").onclick = () => change(order, new Set());
find("undo").onclick = undo;
find("more").onclick = () => drawMore();
find("done").onclick = send;
find("keys").onclick = showKeys;
find("zoom").oninput = () => zoom();
find("notice-close").onclick = () => notify("");
find("end").addEventListener("cancel", event => event.preventDefault());
find("here").onclick = () => { find("end").close(); wire.open(true); };

const KEYS = [
  [["Arrows"], "go from one to the next"],
  [["Space", "Enter"], "choose, or no longer"],
  [["Shift Arrows"], "move it on the sheet"],
  [["A"], "choose all", "a", () => find("all").click()],
  [["X"], "choose none", "x", () => find("none").click()],
  [["L"], "draw more like this", "l", () => { if (items[current()]?.picture.again) drawMore(current()); }],
  [["M"], "draw further ones", "m", () => drawMore()],
  [["+", "−"], "larger, smaller", /^[-+=]$/, ({ key }) => zoom(key === "-" ? 1 / 1.25 : 1.25)],
  [["Ctrl Z"], "undo"],
  [["Ctrl Enter"], "let what is chosen go on"],
  [["?"], "show the keys", "?", showKeys],
];

const current = () => order.find(number => items[number].node.contains(document.activeElement));

// Where an arrow leads: as many on as there are in a row, for those up and down.
function reached(key) {
  const nodes = order.map(number => items[number].node), top = nodes[0].offsetTop;
  const row = nodes.findIndex(node => node.offsetTop > top);
  const columns = row < 0 ? nodes.length : row;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key];
  const at = order.indexOf(current());
  return at < 0 ? order[0] : order[at + by];
}

document.addEventListener("keydown", event => {
  if (document.querySelector("dialog[open]")) return;
  const { key, target } = event, command = event.ctrlKey || event.metaKey;
  if (command && key === "Enter") { event.preventDefault(); send(); return; }
  if (command && key.toLowerCase() === "z") { event.preventDefault(); undo(); return; }
  if (command || event.altKey || target.matches("input")) return;
  if (key.startsWith("Arrow") && order.length) {
    event.preventDefault();
    const number = current(), to = reached(key);
    if (to === undefined) return;
    if (event.shiftKey && number !== undefined)
      move(number, to, ["ArrowRight", "ArrowDown"].includes(key));
    else items[to].node.querySelector(".item").focus();
    return;
  }
  const found = KEYS.find(([, , pattern]) => pattern instanceof RegExp ? pattern.test(key) : pattern === key.toLowerCase());
  if (!found) return;
  event.preventDefault();
  found[3](event);
});

function showKeys() { showKeyList(KEYS); }

function say(text) { find("said").textContent = text; }

function notify(text) {
  find("notice-text").textContent = text;
  find("notice").hidden = !text;
}

function end(title, text, canTakeOver = false) {
  notify("");
  find("end-title").textContent = title;
  find("end-text").textContent = text;
  find("here").hidden = !canTakeOver;
  find("end").showModal();
}

zoom();
wire.open();
