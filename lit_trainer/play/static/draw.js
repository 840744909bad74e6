// Draws views, the server's plain values, as elements. Text is only set as text, never as HTML.

export const ANIMALS = {
  L: ["lion", 12, 2], H: ["hippo", 11, 2], C: ["crocodile", 10, 3], S: ["snake", 9, 2], G: ["giraffe", 8, 3],
  Z: ["zebra", 7, 4], E: ["seal", 6, 2], X: ["chameleon", 5, 3], M: ["monkey", 4, 3], K: ["kangaroo", 3, 4],
  P: ["parrot", 2, 4], U: ["skunk", 1, 4],
};
const MARKS = ["●", "▲"]; // owners differ by shape too, not only by colour

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";
function shape(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const picture = (name) => shape("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, shape("use", { href: `animals.svg#${name}` }));

export const percent = (share) => `${Math.round(100 * share)} %`;

export function who(player, view) {
  if (view.seat === null) return view.players[0] === view.players[1] ? `player ${player}` : view.players[player];
  return player === view.seat ? "you" : "agent";
}

const whose = (player, view) => (view.seat === null ? `of player ${player}` : player === view.seat ? "yours" : "the agent's");

export function card(letter, player, view, small = false) {
  const [name, strength, points] = ANIMALS[letter];
  return el("span", {
    class: `card p${player}${small ? " small" : ""}`, role: "img", title: `${name}, ${whose(player, view)}`,
    "aria-label": `${name}, ${whose(player, view)}, strength ${strength}, ${points} points`,
  }, picture(letter), el("b", { class: "strength" }, strength), el("b", { class: "points" }, points), el("span", { class: "mark" }, MARKS[player]));
}

const list = (label, cards) => el("ul", { class: "cards", "aria-label": label }, ...cards.map((one) => el("li", {}, one)));

function pile(label, letters, player, view) {
  return el("div", { class: "pile" }, label, list(label, letters.map((letter) => card(letter, player, view, true))));
}

function hand(player, view) {
  const { hands, hand_sizes: sizes, deck_sizes: decks } = view.position;
  const back = () => el("span", { class: `card back small p${player}`, role: "img", "aria-label": "a hidden card" }, picture("back"));
  const cards = hands[player] ? hands[player].map((letter) => card(letter, player, view, true)) : Array.from({ length: sizes[player] }, back);
  return el("div", { class: "pile" }, "hand", list("hand", cards), `deck ${decks[player]}`);
}

function playerRow(player, view) {
  const position = view.position;
  const own = player === view.seat && !view.over; // drawn large with the moves
  return el("div", { class: "player", "data-player": player },
    el("span", { class: `name p${player}` }, `${MARKS[player]} ${who(player, view)}`),
    el("span", {}, `${position.scores[player]} ${position.game === "beasty_bar" ? "points" : "animals"}`),
    own ? el("div", { class: "pile" }, `deck ${position.deck_sizes[player]}`) : hand(player, view),
    pile("bar", position.bar[player], player, view), pile("THAT'S IT", position.thatsit[player], player, view));
}

function drawBeasty(view) {
  const near = view.seat ?? 0;
  const waiting = view.position.line.map(({ animal, player }) => card(animal, player, view));
  return [
    playerRow(1 - near, view),
    el("div", { id: "queue" }, el("span", { class: "end" }, "gate"), list("the line, from the gate", waiting), el("span", { class: "end" }, "bounce")),
    playerRow(near, view),
  ];
}

function drawFour(view) {
  const cells = view.position.rows.flat().map((owner) => el("span", { class: owner === null ? "cell" : `cell p${owner}` }, owner === null ? "" : MARKS[owner]));
  const names = [0, 1].map((player) => el("div", { class: "player" }, el("span", { class: `name p${player}` }, `${MARKS[player]} ${who(player, view)}`)));
  return [names[0], el("div", { class: "board", role: "img", "aria-label": "the board" }, ...cells), names[1]];
}

export const drawTable = (view) => (view.position.kind === "connect_four" ? drawFour(view) : drawBeasty(view));

// Draws the person's cards, and the choices of the picked card if it has several.
export function drawMoves(view, picked, pick, play) {
  const legal = view.position.legal;
  if (view.position.kind === "connect_four") {
    return [el("div", { class: "board" }, ...[1, 2, 3, 4, 5, 6, 7].map((column) => {
      const open = legal.some((move) => move.action === String(column));
      return el("button", { type: "button", disabled: !open, "data-key": column, "aria-label": `column ${column}`, onclick: () => play(String(column)) }, column);
    }))];
  }
  const cards = view.position.hands[view.seat].map((letter, k) => {
    const moves = legal.filter((move) => move.card === letter);
    return el("li", {}, el("button", {
      type: "button", class: "pick", "data-card": letter, "data-key": picked ? undefined : k + 1, disabled: moves.length === 0,
      "aria-expanded": moves.length > 1 ? String(picked === letter) : undefined,
      onclick: () => (moves.length === 1 ? play(moves[0].action) : pick(picked === letter ? null : letter)),
    }, card(letter, view.seat, view), picked ? null : el("span", { class: "key", "aria-hidden": "true" }, k + 1)));
  });
  const drawn = [el("ul", { class: "cards", "aria-label": "your hand" }, ...cards)];
  if (picked) {
    const choices = legal.filter((move) => move.card === picked).map((move, k) =>
      el("button", { type: "button", "data-action": move.action, "data-key": k + 1, onclick: () => play(move.action) }, `${k + 1}. ${move.words}`));
    drawn.push(el("div", { id: "choices", role: "group", "aria-label": `what the ${ANIMALS[picked][0]} does` }, ...choices));
  }
  return drawn;
}

export function turnText(turn, view) {
  const arrived = (cards, where) => cards?.length ? `; ${cards.map(({ animal, player }) => `${ANIMALS[animal][0]} (${who(player, view)})`).join(", ")} ${where}` : "";
  return `${who(turn.player, view)}: ${turn.words}${arrived(turn.bar, "into the bar")}${arrived(turn.thatsit, "to THAT'S IT")}`;
}

export function drawChance(view, chances, latest) {
  if (latest === undefined) return [];
  const curve = [...chances].map(([turn, chance]) => `${turn},${100 - 100 * chance}`).join(" ");
  const first = el("span", { class: "p0" }, percent(latest));
  first.style.width = percent(latest).replace(" ", "");
  return [
    el("h2", {}, "Win chance as the agents see it"),
    el("div", { class: "bar", role: "img", "aria-label": `${who(0, view)} ${percent(latest)}, ${who(1, view)} ${percent(1 - latest)}` },
      first, el("span", { class: "p1" }, percent(1 - latest))),
    ...(chances.size > 1 ? [shape("svg", { viewBox: `0 0 ${Math.max(view.turns.length, 1)} 100`, preserveAspectRatio: "none", "aria-hidden": "true" },
      shape("line", { x1: 0, x2: view.turns.length, y1: 50, y2: 50 }), shape("polyline", { points: curve }))] : []),
  ];
}

function shareRow(tag, share, words, chosen = false) {
  const filled = el("i");
  filled.style.width = `${100 * share}%`;
  return el(tag, { class: chosen ? "share chosen" : "share" }, el("span", {}, percent(share)), el("span", {}, words), el("span", { class: "track" }, filled));
}

export function drawReasons(title, thought) {
  const rows = thought.shares.slice(0, 6).map((entry) => shareRow("div", entry.share, `${entry.words} (${entry.action})`, entry.action === thought.action));
  return [el("h2", {}, title), ...(rows.length ? rows : [el("p", { class: "aside" }, "This agent gives no reasons.")])];
}

// Draws what an agent concludes about the other player: who that may be and, if asked for, which cards it holds.
export function drawBeliefs(thought, withHand) {
  if (!thought?.opponent) return [];
  const drawn = [el("h2", {}, "What it concludes"), el("p", { class: "words" }, thought.opponent)];
  if (withHand && thought.hand) {
    const title = `believes of ${thought.hand.whose} hand`;
    const cards = thought.hand.cards.map(({ card: letter, share }) => shareRow("li", share, `${ANIMALS[letter][0]} (${letter})`));
    drawn.push(el("p", { class: "words" }, `${title}:`), el("ul", { class: "believed", "aria-label": title }, ...cards));
  }
  return drawn;
}
