// The page of `ascii-maze annotate`. What models wrote is only ever put into the page as text; the drawings are made by
// the server from parsed moves and hold numbers alone.
"use strict";

const $ = (id) => document.getElementById(id);
const RATE = document.body.dataset.mode === "rate";
const KEY = "ascii-maze-annotator";
const CHOICES = RATE
  ? [..."12345"].map((n) => ({ keys: [n], choice: n, label: n + { 1: " worst", 5: " best" }[n] || n })).concat([{ keys: ["0"], choice: "neither", label: "Cannot say" }])
  : [
      { keys: ["1", "ArrowLeft"], choice: "left", label: "Left is better" },
      { keys: ["2", "ArrowRight"], choice: "right", label: "Right is better" },
      { keys: ["="], choice: "tie", label: "Equally good or bad" },
      { keys: ["0"], choice: "neither", label: "Cannot say" },
    ];

let annotator = null; // who answers
let current = null; // what the server said last
let since = 0; // when the question came onto the screen
let busy = false;

async function post(path, sent) {
  const response = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(sent) });
  const got = await response.json().catch(() => ({ error: "the server gave no answer" }));
  if (!response.ok) throw new Error(got.error || "the server gave no answer");
  return got;
}

function fail(error) {
  const lost = error instanceof TypeError; // fetch could not reach the server
  $("error").textContent = lost ? "Not saved: the server does not answer. Once it runs again, answer again." : error.message;
  $("error").hidden = false;
}

async function send(path, sent) {
  if (busy) return;
  busy = true;
  try {
    show(await post(path, { annotator, ...sent }));
    $("error").hidden = true;
  } catch (error) {
    fail(error);
  } finally {
    for (const marked of document.querySelectorAll(".chosen")) marked.classList.remove("chosen");
    busy = false;
  }
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function side(answer, number, count) {
  const name = count === 1 ? "The answer" : ["Left", "Right"][number];
  const drawing = element("div");
  drawing.innerHTML = answer.svg; // made by the server from moves
  drawing.firstElementChild.setAttribute("aria-label", answer.words);
  const text = element("pre", { textContent: answer.text || "(nothing)", tabIndex: 0 });
  text.setAttribute("aria-label", name + ": what was answered");
  const made = element("figure", { className: "side" }, element("h3", { textContent: name }), drawing, element("p", { className: "words", textContent: answer.words }), text);
  if (answer.thought) {
    const thought = element("details", {}, element("summary", { textContent: "thought" }), element("pre", { textContent: answer.thought, tabIndex: 0 }));
    made.append(thought);
  }
  made.dataset.choice = ["left", "right"][number];
  return made;
}

function show(place) {
  current = place;
  const question = place.question;
  $("who").hidden = true;
  $("question").hidden = !question;
  $("done").hidden = !!question;
  $("share").hidden = $("leave").hidden = false;
  $("share").value = place.done / Math.max(1, place.done + place.left);
  $("progress").textContent = `${annotator}: ${place.done} answered, ${place.left} left`;
  $("undo").disabled = $("undo-last").disabled = place.done === 0;
  if (!question) {
    $("thanks").focus();
    return;
  }
  $("ask").textContent = RATE ? `Question ${place.done + 1}: how good is this answer?` : `Question ${place.done + 1}: which answer is better?`;
  $("sides").replaceChildren(...question.sides.map((answer, number) => side(answer, number, question.sides.length)));
  $("sides").classList.toggle("one", question.sides.length === 1);
  $("status").textContent = `${$("ask").textContent} ${question.sides.map((answer, number) => (question.sides.length > 1 ? ["Left: ", "Right: "][number] : "") + answer.words).join(" ")}`;
  $("ask").focus({ preventScroll: true });
  since = performance.now();
}

function choose(choice) {
  if (!current?.question || busy) return;
  for (const marked of document.querySelectorAll(`[data-choice="${choice}"]`)) marked.classList.add("chosen");
  send("api/answer", { number: current.number, question: current.question.id, choice, seconds: (performance.now() - since) / 1000 });
}

function undo() {
  if (current?.done) send("api/undo", { number: current.number });
}

// Walk both paths at once, a position a tenth of a second.
function animate() {
  for (const drawing of document.querySelectorAll("#sides svg")) {
    const line = drawing.querySelector(".path");
    const places = line.getAttribute("points").split(" ").map((place) => place.split(","));
    if (line.dataset.timer) clearInterval(Number(line.dataset.timer));
    drawing.querySelector(".walker")?.remove();
    const walker = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    walker.setAttribute("class", "walker");
    walker.setAttribute("r", 4);
    drawing.append(walker);
    let step = 0;
    const tick = () => {
      line.setAttribute("points", places.slice(0, step + 1).join(" "));
      [["cx", 0], ["cy", 1]].forEach(([name, k]) => walker.setAttribute(name, places[step][k]));
      step += 1;
      if (step === places.length) {
        clearInterval(timer);
        delete line.dataset.timer;
      }
    };
    const timer = setInterval(tick, 100);
    line.dataset.timer = timer;
    tick();
  }
}

function begin(name) {
  annotator = name;
  busy = true;
  return post("api/place", { annotator: name })
    .then((place) => {
      try { localStorage.setItem(KEY, name); } catch { /* a browser that keeps nothing asks again */ }
      $("error").hidden = true;
      show(place);
    })
    .catch((error) => {
      ask();
      fail(error);
    })
    .finally(() => { busy = false; });
}

function ask() {
  current = null;
  for (const id of ["question", "done", "share", "leave"]) $(id).hidden = true;
  $("progress").textContent = "";
  $("who").hidden = false;
  $("annotator").focus();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("guideline").open) return;
  if (event.target.closest("input, textarea, select")) return;
  const onButton = event.target.closest("button, summary");
  if (event.key === "?") $("guideline").showModal();
  else if (event.key === " " && !onButton) animate();
  else if (event.key === "z") undo();
  else {
    const chosen = CHOICES.find((one) => one.keys.includes(event.key));
    if (!chosen || event.repeat) return;
    choose(chosen.choice);
  }
  event.preventDefault();
}

for (const { keys, choice, label } of CHOICES) {
  const button = element("button", { type: "button" }, element("kbd", { textContent: keys[0] }), ` ${label}`);
  button.querySelector("kbd").setAttribute("aria-hidden", "true");
  button.setAttribute("aria-keyshortcuts", keys.join(" "));
  button.dataset.choice = choice;
  button.addEventListener("click", () => choose(choice));
  $("choices").append(button);
}
$("keys").textContent = `Keys: ${CHOICES.map((one) => `${one.keys.join(" or ").replace("ArrowLeft", "←").replace("ArrowRight", "→")} ${one.label.toLowerCase()}`).join("; ")}; z undo; space walk; ? this guideline.`;
$("undo").addEventListener("click", undo);
$("undo-last").addEventListener("click", undo);
$("walk").addEventListener("click", animate);
$("help").addEventListener("click", () => $("guideline").showModal());
$("leave").addEventListener("click", () => {
  try { localStorage.removeItem(KEY); } catch { /* nothing was kept */ }
  ask();
});
$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  begin($("annotator").value.trim());
});
document.addEventListener("keydown", onKey);

let known = null;
try { known = localStorage.getItem(KEY); } catch { /* asked below */ }
if (known) begin(known);
else ask();
