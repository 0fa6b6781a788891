// The page of `ascii-maze play`. What models wrote is only ever put into the page as text; the drawings are made by the
// server from parsed moves and hold numbers alone.
"use strict";

const $ = (id) => document.getElementById(id);
const LETTERS = { "#": "x", " ": "_", S: "S", G: "G" }; // of a map in a link: rows parted by dots
const SIGNS = Object.fromEntries(Object.entries(LETTERS).map(([sign, letter]) => [letter, sign]));
const MOVES = ["U", "D", "L", "R"];
const START = "#######\n#S    #\n##### #\n#     #\n# #####\n#    G#\n#######";

let rows = []; // of the map, as lists of signs
let cursor = [1, 1];
let tool = "wall";
let limits = {};
let walks = [];
let timer = null;
let drawing = null; // what a stroke sets: wall or open

async function post(path, sent = {}) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent) });
  const got = await response.json().catch(() => ({ error: "the server gave no answer" }));
  if (!response.ok) throw new Error(got.error || "the server gave no answer");
  return got;
}

async function attempt(what, button) {
  if (button) button.disabled = true;
  try {
    await what();
    $("error").hidden = true;
  } catch (error) {
    $("error").textContent = error instanceof TypeError ? "The server does not answer." : error.message;
    $("error").hidden = false;
  } finally {
    if (button) button.disabled = false;
  }
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const textOf = () => rows.map((row) => row.join("")).join("\n");
const toLink = () => rows.map((row) => row.map((sign) => LETTERS[sign]).join("")).join(".");
const fromLink = (link) => link.split(".").map((row) => [...row].map((letter) => SIGNS[letter] ?? "#"));

function setMap(text) {
  rows = text.split("\n").map((row) => [...row]);
  cursor = [Math.min(cursor[0], rows.length - 1), Math.min(cursor[1], rows[0].length - 1)];
  changed();
}

// The map has changed: what was walked on it holds no longer.
function changed() {
  history.replaceState(null, "", `#${toLink()}`);
  $("text").value = textOf();
  $("results").hidden = true;
  clearInterval(timer);
  draw();
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw() {
  const canvas = $("map"), side = 24, context = canvas.getContext("2d");
  canvas.width = rows[0].length * side;
  canvas.height = rows.length * side;
  context.fillStyle = colour("--page");
  context.fillRect(0, 0, canvas.width, canvas.height);
  rows.forEach((row, r) => row.forEach((sign, c) => {
    if (sign === "#") {
      context.fillStyle = colour("--wall");
      context.fillRect(c * side, r * side, side, side);
    } else if (sign !== " ") {
      context.fillStyle = sign === "S" ? "#2563eb" : "#a21caf";
      context.beginPath();
      context.arc((c + 0.5) * side, (r + 0.5) * side, side * 0.42, 0, 7);
      context.fill();
      context.fillStyle = "#fff";
      context.font = `700 ${side * 0.6}px system-ui, sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(sign, (c + 0.5) * side, (r + 0.55) * side);
    }
  }));
  if (document.activeElement === canvas) {
    context.strokeStyle = colour("--link");
    context.lineWidth = 3;
    context.strokeRect(cursor[1] * side + 1.5, cursor[0] * side + 1.5, side - 3, side - 3);
  }
}

function place(r, c, sign) {
  if (!rows[r] || rows[r][c] === undefined) return;
  const there = rows[r][c];
  if (there === "S" || there === "G" || there === sign) return; // start and goal move, they are never lost
  if (sign === "S" || sign === "G") rows.forEach((row) => row.forEach((other, k) => { if (other === sign) row[k] = " "; }));
  rows[r][c] = sign;
  changed();
}

function tell() {
  const [r, c] = cursor, names = { "#": "wall", " ": "open", S: "start", G: "goal" };
  $("status").textContent = `row ${r + 1}, column ${c + 1}: ${names[rows[r][c]]}`;
}

function onMapKey(event) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const [r, c] = cursor;
  if (steps[event.key]) {
    const [down, right] = steps[event.key];
    cursor = [Math.max(0, Math.min(rows.length - 1, r + down)), Math.max(0, Math.min(rows[0].length - 1, c + right))];
    draw();
  } else if (event.key === " ") place(r, c, rows[r][c] === "#" ? " " : "#");
  else if (event.key === "s") place(r, c, "S");
  else if (event.key === "g") place(r, c, "G");
  else return;
  tell();
  event.preventDefault();
}

function positionOf(event) {
  const box = $("map").getBoundingClientRect();
  return [Math.floor(((event.clientY - box.top) / box.height) * rows.length), Math.floor(((event.clientX - box.left) / box.width) * rows[0].length)];
}

function onPointer(event) {
  const [r, c] = positionOf(event);
  if (!rows[r] || rows[r][c] === undefined) return;
  cursor = [r, c];
  if (event.type === "pointerdown") {
    $("map").setPointerCapture(event.pointerId);
    drawing = tool !== "wall" ? tool : rows[r][c] === "#" ? " " : "#";
  }
  if (drawing !== null) place(r, c, drawing);
}

function chosen() {
  return [...document.querySelectorAll("#models input:checked")].map((box) => box.value);
}

function kind() {
  return { generator: $("generator").value, ...Object.fromEntries(["width", "height", "braid", "seed"].map((name) => [name, Number($(name).value)])) };
}

async function generate(step = 0) {
  $("seed").value = Number($("seed").value) + step;
  setMap((await post("api/generate", kind())).maze);
}

async function differ() {
  const names = chosen().filter((name) => !limits.guides.includes(name));
  const found = await post("api/differ", { ...kind(), seed: Number($("seed").value) + 1, models: names });
  $("seed").value = found.seed;
  setMap(found.maze);
  await walk();
}

async function walk() {
  const names = chosen();
  if (!names.length) throw new Error("choose who walks");
  walks = [];
  $("walks").replaceChildren();
  $("results").hidden = false;
  for (const model of names) {
    const found = await post("api/walk", { maze: textOf(), model });
    walks.push(found);
    $("walks").append(card(found));
  }
  $("status").textContent = walks.map((one) => `${one.model}: ${one.verdict}`).join("; ");
  $("results-title").focus();
  again();
}

function card(one) {
  const picture = element("div");
  picture.innerHTML = one.svg; // made by the server from moves
  picture.firstElementChild.setAttribute("aria-label", `${one.model}: ${one.verdict}`);
  const walker = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  walker.setAttribute("class", "walker");
  walker.setAttribute("r", 4);
  picture.firstElementChild.append(walker);
  const answer = element("pre", { textContent: one.completion || "(nothing)", tabIndex: 0 });
  answer.setAttribute("aria-label", `${one.model}: what was answered`);
  const chances = element("div", { className: "chances", hidden: !one.probabilities });
  const fields = element("table", {}, ...Object.entries(one.score).map(([name, value]) => element("tr", {}, element("th", { textContent: name.replace("_", " "), scope: "row" }), element("td", { textContent: shown(value) }))));
  const score = element("details", {}, element("summary", { textContent: "score" }), fields);
  const made = element("figure", { className: "side" }, element("h3", { textContent: one.model }), picture, element("p", { className: `verdict ${one.score.valid ? "good" : "bad"}`, textContent: one.verdict }), chances, answer, score);
  one.parts = { line: picture.querySelector(".path"), walker, chances, crash: picture.querySelector(".crash") };
  one.places = one.parts.line.getAttribute("points").split(" ");
  return made;
}

function shown(value) {
  if (value === null) return "none";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return Number.isInteger(value) ? value : value.toFixed(2);
}

// Every walk after so many of its moves, and what its model thought of the next.
function showStep(step) {
  for (const one of walks) {
    const here = Math.min(step, one.places.length - 1), [x, y] = one.places[here].split(",");
    one.parts.line.setAttribute("points", one.places.slice(0, here + 1).join(" "));
    one.parts.walker.setAttribute("cx", x);
    one.parts.walker.setAttribute("cy", y);
    if (one.parts.crash) one.parts.crash.style.visibility = step >= one.places.length ? "visible" : "hidden";
    const chances = one.probabilities?.[Math.min(step, one.probabilities.length - 1)];
    if (!chances) continue;
    const next = one.moves[Math.min(step, one.moves.length - 1)];
    one.parts.chances.replaceChildren(...MOVES.flatMap((move, k) => {
      const taken = move === next ? "taken" : "";
      const meter = element("meter", { min: 0, max: 1, value: chances[k] });
      meter.setAttribute("aria-label", `probability of ${move}`);
      return [element("span", { textContent: move, className: taken }), meter, element("span", { textContent: `${(100 * chances[k]).toFixed(1)} %`, className: taken })];
    }));
  }
  $("step").value = step;
  $("at").textContent = `move ${step} of ${$("step").max}`;
}

function again() {
  clearInterval(timer);
  const last = Math.max(...walks.map((one) => one.places.length - (one.crash ? 0 : 1)));
  $("step").max = last;
  let step = 0;
  showStep(0);
  timer = setInterval(() => {
    step += 1;
    if (step > last) clearInterval(timer);
    else showStep(step);
  }, 120);
}

function choose(box) {
  const most = limits.most_models + limits.guides.length;
  const models = chosen().filter((name) => !limits.guides.includes(name));
  if (models.length > limits.most_models || chosen().length > most) {
    box.checked = false;
    $("error").textContent = `at most ${limits.most_models} models at once`;
    $("error").hidden = false;
  }
}

async function begin() {
  limits = await post("api/models");
  $("generator").append(...limits.generators.map((name) => element("option", { value: name, textContent: name.replaceAll("_", " ") })));
  $("generator").value = "depth_first";
  for (const name of ["width", "height"]) $(name).max = limits.most_cells;
  [...limits.models, ...limits.guides].forEach((name, k) => {
    const guide = limits.guides.includes(name);
    const box = element("input", { type: "checkbox", value: name, checked: guide || k < limits.most_models });
    box.addEventListener("change", () => choose(box));
    $("models").append(element("label", {}, box, name));
  });
  const link = decodeURIComponent(location.hash.slice(1));
  setMap(START);
  if (link) setMap((await post("api/read", { text: fromLink(link).map((row) => row.join("")).join("\n") })).maze);
}

const on = (id, what) => $(id).addEventListener("click", () => attempt(what, $(id)));
on("generate", () => generate());
on("next", () => generate(1));
on("walk", walk);
on("differ", differ);
on("play", async () => again());
on("paste", async () => setMap((await post("api/read", { text: $("text").value })).maze));
on("copy", async () => {
  await navigator.clipboard.writeText(location.href);
  $("status").textContent = "copied";
});
// A key that does not move the slider, Home at its beginning, stops the walk too.
for (const name of ["keydown", "pointerdown"]) $("step").addEventListener(name, () => clearInterval(timer));
$("step").addEventListener("input", () => showStep(Number($("step").value)));
for (const button of document.querySelectorAll(".tool")) {
  button.addEventListener("click", () => {
    tool = button.dataset.tool;
    for (const other of document.querySelectorAll(".tool")) other.setAttribute("aria-pressed", other === button);
  });
}
const map = $("map");
map.addEventListener("keydown", onMapKey);
map.addEventListener("focus", () => { draw(); tell(); });
map.addEventListener("blur", draw);
map.addEventListener("pointerdown", onPointer);
map.addEventListener("pointermove", onPointer);
for (const name of ["pointerup", "pointercancel"]) map.addEventListener(name, () => { drawing = null; });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
attempt(begin);
