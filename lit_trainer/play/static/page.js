// Keeps the page's state and changes it: one game of the server at a time, found again by the id in the address.

import { drawBeliefs, drawChance, drawMoves, drawReasons, drawTable, el, turnText, who } from "./draw.js";

const $ = (id) => document.getElementById(id);
const PAUSE = 700; // milliseconds between the moves of two agents
let view = null; // the latest position
let shown = null; // the view that is drawn; of an earlier turn after stepping back
let picked = null; // the card whose choices are open
let advice = new Map(); // the adviser's thoughts by turn
let curious = false; // whether to show during the game what an agent believes of the other hand
let busy = false;
let running = false;
let options = null;

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

class Failed extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, body) {
  const request = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw new Failed(0, "The server does not answer. Is it still running?");
  }
  const value = await answer.json().catch(() => ({ error: answer.status === 503 ? "The server is busy; try again." : `The server answered ${answer.status}.` }));
  if (!answer.ok) throw new Failed(answer.status, value.error);
  return value;
}

// Runs one request at a time. If it fails, the error is shown, and the game as the server has it.
async function attempt(work) {
  if (busy) return;
  busy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
    say("");
  } catch (error) {
    running = false;
    if (!(error instanceof Failed)) throw error;
    say(error.message);
    if (error.status === 404) {
      forget();
      leave();
    }
    else if (error.status === 409 && view) show(await ask(`api/games/${view.id}`).catch(() => view));
  } finally {
    busy = false;
    document.body.removeAttribute("aria-busy");
    goOn();
  }
}

const post = (what, body = {}) => ask(`api/games/${view.id}/${what}`, { turn: view.turns.length, ...body });

function show(next, turn = null) {
  const other = !view || view.id !== next.id;
  if (other || next.turns.length < view.turns.length) advice = new Map();
  if (other) curious = false;
  view = next;
  shown = turn ?? next;
  picked = null;
  if (other) remember(next.id);
  render();
}

function remember(id) {
  history.replaceState(null, "", `#${id}`);
  try { localStorage.setItem("game", id); } catch { /* the address has the id too */ }
}

function recall() {
  const named = location.hash.slice(1);
  try { return named || localStorage.getItem("game"); } catch { return named; }
}

// Shows the start; the game can be resumed until another one begins.
function leave() {
  if (!view) return;
  view = shown = null;
  running = false;
  history.replaceState(null, "", location.pathname);
  render();
  $("start").agent.focus();
}

function forget() {
  try { localStorage.removeItem("game"); } catch { /* nothing was stored */ }
}

// ---- drawing

const open = () => view.over || view.seat === null; // nothing is hidden from the viewer
const earlier = () => shown.turn < view.turns.length;

function title() {
  const { position } = shown;
  if (earlier()) return `Turn ${shown.turn}: ${turnLine(shown.turn)}`;
  if (view.over) {
    if (position.winner === null) return `The game is over: a draw, ${position.scores.join(" to ")}.`;
    const winner = who(position.winner, view);
    return `The game is over: ${winner} ${winner === "you" ? "win" : "wins"}, ${position.scores.join(" to ")}.`;
  }
  const last = view.turns.length ? `${turnLine(view.turns.length)}. ` : "";
  return last + (view.awaits === "person" ? "Your move." : view.awaits === "agent" ? `${who(position.to_move, view)} is thinking…` : "");
}

const turnLine = (count) => (count ? turnText(view.turns[count - 1], view) : "the deal");

function render() {
  const focused = document.activeElement?.closest?.("#moves") !== null && document.activeElement !== document.body;
  $("start").hidden = view !== null;
  $("game").hidden = view === null;
  if (!view) {
    $("live").textContent = "";
    fillStart();
    return;
  }
  Object.assign($("game").dataset, { awaits: view.awaits, turns: view.turns.length, turn: shown.turn });
  $("live").textContent = title();
  $("table").replaceChildren(...drawTable(shown));
  const mine = view.awaits === "person" && !earlier();
  $("moves").replaceChildren(...(mine ? drawMoves(view, picked, pick, play) : view.seat !== null && !view.over && !earlier() ? waiting() : []));
  if (mine && (focused || document.activeElement === document.body)) {
    $("moves").querySelector(picked ? "#choices button" : "button:not(:disabled)")?.focus({ preventScroll: true });
  }
  renderControls();
  renderSide();
}

// keeps the hand visible while the agent thinks
function waiting() {
  if (view.position.kind !== "beasty_bar") return [];
  return drawMoves({ ...view, position: { ...view.position, legal: [] } }, null, pick, play);
}

function renderControls() {
  $("turn").textContent = `turn ${shown.turn} of ${view.turns.length}`;
  $("back").disabled = shown.turn === 0;
  $("on").disabled = !earlier();
  $("run").hidden = view.mode !== "watch" || view.over;
  $("run").textContent = running ? "Pause" : "Play";
  $("undo").hidden = view.mode === "replay";
  $("undo").disabled = !view.can_undo || view.awaits === "agent" && view.mode === "play";
  $("hint").disabled = shown.position.over || !(open() || (view.awaits === "person" && !earlier()));
  $("believe").hidden = view.over || !view.turns.some((turn) => turn.thought?.hand);
  $("believe").setAttribute("aria-pressed", curious);
  $("save").hidden = !open();
  $("save").href = `api/games/${view.id}/record`;
}

function renderSide() {
  const chances = new Map();
  const note = (turn, player, thought) => thought?.win_chance != null && chances.set(turn, player === 0 ? thought.win_chance : 1 - thought.win_chance);
  view.turns.forEach((turn, k) => note(k, turn.player, turn.thought));
  for (const [turn, thought] of advice) note(turn, thought.player, thought);
  const sorted = new Map([...chances].sort(([a], [b]) => a - b));
  const known = [...sorted.keys()].filter((turn) => turn <= shown.turn);
  $("chance").replaceChildren(...drawChance(view, sorted, sorted.get(known.at(-1))));
  const { title, thought, asked } = reasons();
  $("reasons").replaceChildren(...(thought ? drawReasons(title, thought) : []));
  $("beliefs").replaceChildren(...drawBeliefs(thought, view.over || curious || asked));
  $("log").replaceChildren(...view.turns.map((turn, k) => el("li", { "aria-current": shown.turn === k + 1 ? "step" : undefined }, turnText(turn, view))));
  const current = $("log").querySelector("[aria-current]");
  if (current) $("log").scrollTop = current.offsetTop - $("log").offsetTop - 60;
}

// Returns the thought about the position that is drawn, if there is one; otherwise that of the last move.
function reasons() {
  const turn = shown.turn;
  if (advice.has(turn)) return { title: `${advice.get(turn).name} would play`, thought: advice.get(turn), asked: true };
  if (earlier() && view.turns[turn].thought) return { title: `Next, ${who(view.turns[turn].player, view)} considered`, thought: view.turns[turn].thought };
  const last = turn ? view.turns[turn - 1] : {};
  return last.thought ? { title: `${who(last.player, view)} considered`, thought: last.thought } : {};
}

// ---- acting

function pick(letter) {
  const before = picked;
  picked = letter;
  render();
  if (!letter && before) $("moves").querySelector(`[data-card="${before}"]`)?.focus();
}

const play = (action) => attempt(async () => show(await post("move", { action })));
const undo = () => view && !$("undo").hidden && !$("undo").disabled && attempt(async () => show(await post("undo")));
const step = () => attempt(async () => show(await post("step")));

const hint = () => view && !$("hint").disabled && attempt(async () => {
  const turn = shown.turn;
  const thought = await post("hint", { turn });
  advice.set(turn, { ...thought, player: shown.position.to_move });
  render();
});

function believe() {
  if (!view || $("believe").hidden) return;
  curious = !curious;
  render();
}

const look = (turn) => view && turn >= 0 && turn <= view.turns.length && attempt(async () => {
  const next = turn === view.turns.length ? null : await ask(`api/games/${view.id}?turn=${turn}`);
  show(view, next);
});

// Does what needs no click: lets agents move, and comments on a saved game.
function goOn() {
  if (busy || !view) return;
  if (view.awaits === "agent" && view.mode === "play" && $("message").hidden) step();
  else if (view.awaits === "agent" && running) setTimeout(() => running && !busy && view?.awaits === "agent" && step(), PAUSE);
  else if (view.mode === "replay" && !shown.position.over && !advice.has(shown.turn) && $("message").hidden) hint();
  else if (running && view.over) { running = false; render(); }
}

function toggle() {
  if (!view || $("run").hidden) return;
  running = !running;
  say("");
  render();
  goOn();
}

function fillStart() {
  const form = $("start");
  const mode = form.mode.value;
  $("resume").hidden = !recall();
  for (const part of form.querySelectorAll(".for")) part.hidden = !part.classList.contains(mode);
  if (!options) return;
  const fill = (select, names) => {
    const kept = select.value;
    select.replaceChildren(...names.map((name) => el("option", {}, name)));
    if (names.includes(kept)) select.value = kept;
  };
  fill(form.game, options.games);
  const names = options.agents.filter((agent) => mode === "replay" || agent.games.includes(form.game.value)).map((agent) => agent.name);
  fill(form.agent, names);
  fill(form.other, names);
}

async function begin(event) {
  event.preventDefault();
  const form = $("start");
  const file = form.file.files[0];
  await attempt(async () => {
    const body = { mode: form.mode.value, agent: form.agent.value };
    if (body.mode === "replay") body.record = file && !form.record.value.trim() ? await file.text() : form.record.value;
    else Object.assign(body, { game: form.game.value, seat: form.seat.value }, body.mode === "watch" ? { other: form.other.value } : {});
    const made = await ask("api/games", body);
    running = body.mode === "watch";
    view = null;
    show(made, body.mode === "replay" && made.turns.length ? await ask(`api/games/${made.id}?turn=0`) : null);
    form.record.value = form.file.value = "";
  });
}

const KEYS = {
  ArrowLeft: () => shown && look(shown.turn - 1), ArrowRight: () => shown && look(shown.turn + 1),
  Home: () => look(0), End: () => view && look(view.turns.length),
  u: undo, h: hint, b: believe, p: toggle, n: leave, Escape: () => (view ? picked && pick(null) : load()),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const move = /^[1-9]$/.test(key) && document.querySelector(`#moves [data-key="${key}"]:not(:disabled)`);
  if (!move && !(key in KEYS)) return;
  if (event.target.id === "log" && (key === "Home" || key === "End")) return; // they scroll the list
  event.preventDefault();
  if (move) move.click();
  else KEYS[key]();
});

$("start").addEventListener("submit", begin);
$("start").addEventListener("change", fillStart);
$("new").addEventListener("click", leave);
$("resume").addEventListener("click", load);
$("undo").addEventListener("click", undo);
$("hint").addEventListener("click", hint);
$("believe").addEventListener("click", believe);
$("run").addEventListener("click", toggle);
$("back").addEventListener("click", () => look(shown.turn - 1));
$("on").addEventListener("click", () => look(shown.turn + 1));
window.addEventListener("hashchange", load);

async function load() {
  const id = recall();
  if (!id || id === view?.id) return render();
  await attempt(async () => show(await ask(`api/games/${encodeURIComponent(id)}`)));
  if (!view) render();
}

await attempt(async () => { options = await ask("api/options"); });
await load();
