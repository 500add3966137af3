/**
 * The plane of 100 by 100 on which cards and terminals lie, as a drawing.
 * Shapes say what colours say: dot, triangle, crossed diamond, square.
 */
import { colour } from "./chart.js";
import { h } from "./dom.js";
import { isTruthShown } from "./settings.js";

/** @import { PlaceColumns, PlaceView } from "../views/map.ts" */

/**
 * What is drawn: columns of terminals and cards, and what is marked among them.
 * @typedef {{
 *   terminals: PlaceColumns,
 *   cards?: PlaceColumns | undefined,
 *   card?: Point | undefined,
 *   reach?: readonly (number | string)[] | undefined,
 *   radius?: number | undefined,
 *   focus?: number | string | undefined,
 *   near?: Point,
 * }} Drawn
 */

/** @typedef {{ readonly x: number, readonly y: number }} Point */
/** @typedef {CanvasRenderingContext2D} Pen */

/** A share of frauds from which on a terminal is drawn as risky. */
export const RISKY = 0.05;

/** Width of the part that is drawn around a place. */
const NEAR = 30;

/** Room around the whole plane, so that no sign at its edge is cut. */
const MARGIN = 2.5;

/** Where a place is; undefined if that is not known. @param {Pick<PlaceView, "x" | "y"> | undefined} place */
export function pointOf(place) {
  if (!place || place.x === null || place.y === null) return undefined;
  return { x: place.x, y: place.y };
}

/** What the shapes mean. */
export function planeLegend() {
  return h(
    "ul",
    { class: "legend", "aria-label": "Signs on the map" },
    h("li", {}, "• terminal"),
    h(
      "li",
      {},
      `▲ terminal with a risk of ${RISKY * 100} % or more; larger means more`,
    ),
    isTruthShown() && h("li", {}, "◈ compromised (simulation's truth)"),
    h("li", {}, "▪ card"),
    h("li", {}, "◯ reach of a card"),
  );
}

/**
 * A drawing of the plane; `onPick` gets the terminal nearest to a click.
 * @param {string} label
 * @param {(terminal: number | string) => void} [onPick]
 */
export function plane(label, onPick) {
  const canvas = h("canvas", { role: "img", "aria-label": label });
  const element = h("div", { class: "plane" }, canvas);
  /** @type {Drawn | undefined} */
  let shown;
  const draw = () => {
    if (!shown) return;
    const size = element.clientWidth || 400;
    const ratio = devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(size * ratio);
    const pen = canvas.getContext("2d");
    if (!pen) return;
    const { near } = shown;
    const width = near ? NEAR : 100 + 2 * MARGIN;
    pen.scale(size * ratio / width, size * ratio / width);
    // Y grows upwards, as on the handbook's figures.
    if (near) pen.translate(width / 2 - near.x, width / 2 - (100 - near.y));
    else pen.translate(MARGIN, MARGIN);
    paint(pen, shown, width / size);
  };
  const observer = new ResizeObserver(draw);
  observer.observe(element);
  document.addEventListener("themechange", draw);
  canvas.addEventListener("click", (event) => {
    if (!shown || !onPick) return;
    const box = canvas.getBoundingClientRect();
    const width = 100 + 2 * MARGIN;
    const x = (event.clientX - box.left) / box.width * width - MARGIN;
    const y = 100 + MARGIN - (event.clientY - box.top) / box.height * width;
    const { terminals } = shown;
    let best = -1;
    let distance = 4;
    for (let i = 0; i < terminals.id.length; i++) {
      const d = Math.hypot(terminals.x[i] - x, terminals.y[i] - y);
      if (d < distance) [best, distance] = [i, d];
    }
    if (best >= 0) onPick(terminals.id[best]);
  });
  return {
    element,
    /** Draws it; `words` say the same. @param {Drawn} what @param {string} words */
    show(what, words) {
      shown = what;
      canvas.setAttribute("aria-label", `${label}. ${words}`);
      draw();
    },
    close() {
      observer.disconnect();
      document.removeEventListener("themechange", draw);
    },
  };
}

/** @param {Pen} pen @param {Drawn} drawn @param {number} pixel */
function paint(
  pen,
  { terminals, cards, card, reach, radius, focus, near },
  pixel,
) {
  const reached = new Set(reach);
  const [muted, fraud, warn, accent, ink] = [
    "edge",
    "series-1",
    "warn",
    "series-0",
    "ink",
  ].map(colour);
  pen.clearRect(-100, -100, 300, 300);
  if (card && radius) {
    pen.beginPath();
    pen.arc(card.x, 100 - card.y, radius, 0, 2 * Math.PI);
    pen.globalAlpha = 0.12;
    pen.fillStyle = accent;
    pen.fill();
    pen.globalAlpha = 1;
    pen.lineWidth = 1.5 * pixel;
    pen.strokeStyle = accent;
    pen.stroke();
  }
  const crowd = Math.min(
    1,
    40 / Math.sqrt(terminals.id.length + 1) * (near ? 2 : 1),
  );
  if (cards) {
    pen.fillStyle = accent;
    pen.globalAlpha = 0.35;
    const side = 3.2 * pixel * Math.max(0.6, crowd);
    for (let i = 0; i < cards.id.length; i++) {
      pen.fillRect(
        cards.x[i] - side / 2,
        100 - cards.y[i] - side / 2,
        side,
        side,
      );
    }
    pen.globalAlpha = 1;
  }
  const dot = 2.6 * pixel * Math.max(0.55, crowd);
  pen.fillStyle = muted;
  for (let i = 0; i < terminals.id.length; i++) {
    if (terminals.risk[i] >= RISKY || terminals.compromised?.[i]) continue;
    disc(pen, terminals.x[i], 100 - terminals.y[i], dot);
  }
  for (let i = 0; i < terminals.id.length; i++) {
    const x = terminals.x[i];
    const y = 100 - terminals.y[i];
    const size = (4 + 8 * Math.min(1, terminals.risk[i])) * pixel;
    if (terminals.risk[i] >= RISKY) {
      pen.fillStyle = terminals.risk[i] >= 0.3 ? fraud : warn;
      shape(pen, x, y, size, 3);
      pen.fill();
    }
    if (terminals.compromised?.[i]) {
      pen.strokeStyle = fraud;
      pen.lineWidth = 1.6 * pixel;
      shape(pen, x, y, 8 * pixel, 4);
      pen.moveTo(x - 4 * pixel, y);
      pen.lineTo(x + 4 * pixel, y);
      pen.moveTo(x, y - 4 * pixel);
      pen.lineTo(x, y + 4 * pixel);
      pen.stroke();
    }
    if (reached.has(terminals.id[i])) {
      pen.strokeStyle = accent;
      pen.lineWidth = 1.4 * pixel;
      pen.beginPath();
      pen.arc(x, y, 5 * pixel, 0, 2 * Math.PI);
      pen.stroke();
    }
    if (focus !== undefined && String(terminals.id[i]) === String(focus)) {
      pen.strokeStyle = ink;
      pen.lineWidth = 2.2 * pixel;
      pen.beginPath();
      pen.arc(x, y, 11 * pixel, 0, 2 * Math.PI);
      pen.stroke();
    }
  }
  if (card) {
    pen.fillStyle = accent;
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5 * pixel;
    pen.beginPath();
    pen.rect(
      card.x - 5 * pixel,
      100 - card.y - 5 * pixel,
      10 * pixel,
      10 * pixel,
    );
    pen.fill();
    pen.stroke();
  }
}

/** @param {Pen} pen @param {number} x @param {number} y @param {number} radius */
function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

/**
 * The outline of a polygon that stands on its tip or its side.
 * @param {Pen} pen
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {number} corners
 */
function shape(pen, x, y, radius, corners) {
  pen.beginPath();
  for (let i = 0; i < corners; i++) {
    const angle = -Math.PI / 2 + i * 2 * Math.PI / corners;
    pen.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  }
  pen.closePath();
}
