/**
 * Builds the page's elements and writes its numbers. Text from data only ever
 * becomes text: there is no way from a string to HTML here.
 */

import { allowTruth, isTruthShown } from "./settings.js";

export { countOf } from "./scale.js";

/** @import { ShownShape } from "../views/snapshot.ts" */
/** @import { Answers } from "../views/views.ts" */

/** @typedef {Node | string | false | null | undefined} Leaf */

/**
 * What stands in an element: lists of it too, and lists of lists.
 * @typedef {Leaf | readonly (Leaf | readonly (Leaf | readonly Leaf[])[])[]} Child
 */

/**
 * Attributes, and what listens.
 * @typedef {{
 *   onclick?: (event: MouseEvent) => void,
 *   onsubmit?: (event: SubmitEvent) => void,
 *   onchange?: (event: Event) => void,
 *   [name: string]: string | number | boolean | null | undefined | ((event: never) => void),
 * }} Properties
 */

const SVG = "http://www.w3.org/2000/svg";

/** The element of the page that has this id. @param {string} id */
export function part(id) {
  const found = document.getElementById(id);
  if (found) return found;
  throw new Error(`the page has no ${id}`);
}

/**
 * An element. Properties: `on…` listens, others are attributes (false and
 * undefined leave them out); children are elements, text, or lists of them.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties]
 * @param {...Child} children
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/**
 * The same for an element of an SVG.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} [properties]
 * @param {...Child} children
 */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/**
 * @template {Element} Of
 * @param {Of} element
 * @param {Properties} properties
 * @param {readonly Child[]} children
 */
function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false || value === null) continue;
    if (typeof value === "function") {
      const listen = /** @type {(event: Event) => void} */ (value);
      element.addEventListener(name.slice(2), listen);
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** @param {Element} element @param {readonly Child[]} children */
function append(element, children) {
  for (const child of children) {
    if (child instanceof Node || typeof child === "string") {
      element.append(child);
    } else if (child) append(element, child);
  }
}

/**
 * Writes text where it differs, so that nothing is laid out in vain.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const TENTHS = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
/**
 * How amounts are written.
 * @param {string | undefined} currency ISO 4217 code; without one they are bare numbers
 * @param {number} decimals
 */
function moneyFormats(currency, decimals) {
  const style = currency === undefined
    ? {}
    : { style: /** @type {const} */ ("currency"), currency };
  return {
    whole: new Intl.NumberFormat("en-US", {
      ...style,
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    }),
    short: new Intl.NumberFormat("en-US", {
      ...style,
      notation: "compact",
      minimumFractionDigits: 0,
      maximumFractionDigits: 1,
    }),
  };
}

/** @type {ShownShape} */
let shape = {
  currency: undefined,
  decimals: 2,
  refunds: false,
  ids: { payment: "number", card: "number", terminal: "number" },
  labels: "payment",
  truth: "simulation",
  isOwn: false,
  hasRules: false,
};
let amounts = moneyFormats(shape.currency, shape.decimals);

/** Writes amounts and ids as the payments of the stream have them, which each snapshot says. @param {{ readonly shape: ShownShape }} snapshot */
export function useShape({ shape: found }) {
  const { currency, decimals } = found;
  if (currency !== shape.currency || decimals !== shape.decimals) {
    amounts = moneyFormats(currency, decimals);
  }
  shape = found;
  allowTruth(found.truth !== undefined);
}

/** What the payments of the stream look like. */
export const shownShape = () => shape;

/** What stands behind the label of an amount: ", EUR"; nothing without a currency. */
export const currencyUnit = () =>
  shape.currency === undefined ? "" : `, ${shape.currency}`;

/** The classes of a column of ids: numbers stand to the right. @param {keyof ShownShape["ids"]} of */
export const idColumn = (of) => shape.ids[of] === "number" ? "number" : "ids";

/** Whose labels the switch shows before they are known: the simulation's, or the data's. */
export const truthOwner = () => shape.truth ?? "data";

/** A whole number: 1,754,155. @param {number} value */
export const count = (value) => WHOLE.format(value);

/** Money to the minor unit. @param {number} value */
export const money = (value) => amounts.whole.format(value);

/** Money in short: €1.2M. @param {number} value */
export const shortMoney = (value) =>
  (Math.abs(value) < 10_000 ? amounts.whole : amounts.short).format(value);

/** A share as per cent. @param {number} share */
export const percent = (share) =>
  Number.isFinite(share) ? `${TENTHS.format(share * 100)} %` : "–";

/** A share as whole per cent, for axes. @param {number} share */
export const wholePercent = (share) => `${WHOLE.format(share * 100)} %`;

/** Milliseconds, or seconds from 10 on. @param {number} ms */
export const milliseconds = (ms) =>
  ms < 10_000 ? `${count(Math.ceil(ms))} ms` : `${TENTHS.format(ms / 1000)} s`;

/** Bytes as MiB. @param {number} bytes */
export const mebibytes = (bytes) => `${count(bytes / 2 ** 20)} MiB`;

/** A score with three digits. @param {number | undefined} value */
export const score = (value) => value === undefined ? "–" : value.toFixed(3);

/** Seconds as days, hours and minutes. @param {number} seconds */
export function span(seconds) {
  if (seconds < 120) return `${count(seconds)} s`;
  if (seconds < 7200) return `${count(seconds / 60)} min`;
  if (seconds < 172_800) return `${count(seconds / 3600)} h`;
  return `${TENTHS.format(seconds / 86_400)} days`;
}

/**
 * A heading that takes the focus when its view opens.
 * @param {string} text
 * @param {...Child} more
 */
export function heading(text, ...more) {
  return h(
    "div",
    { class: "head" },
    h("h1", { tabindex: "-1" }, text),
    ...more,
  );
}

/**
 * A framed part of a view with its own heading.
 * @param {string} title
 * @param {...Child} children
 */
export function panel(title, ...children) {
  return h("section", { class: "panel" }, h("h2", {}, title), ...children);
}

/**
 * A table that scrolls by itself where it is too wide, or too high; columns are
 * [title, class], rows are made by the caller.
 * @param {string} label
 * @param {readonly (readonly [title: string, kind?: string])[]} columns
 * @param {HTMLTableSectionElement} body
 * @param {"scroll" | "scroll tall"} [kind]
 */
export function table(label, columns, body, kind = "scroll") {
  return h(
    "div",
    { class: kind, tabindex: "0", role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("caption", { class: "hidden" }, label),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          columns.map(([title, kind]) =>
            h("th", { scope: "col", class: kind }, title)
          ),
        ),
      ),
      body,
    ),
  );
}

/**
 * A word with a sign before it: neither colour nor shape is the only one.
 * @param {string} kind
 * @param {string} text
 */
export function mark(kind, text) {
  return h("span", { class: `mark ${kind}` }, text);
}

/** What rules decide, as a word with a sign. @param {string} decision */
export function decisionMark(decision) {
  const kind = decision === "decline"
    ? "fraud"
    : decision === "review"
    ? "warn"
    : "genuine";
  return mark(kind, decision);
}

/**
 * The label of a payment: pending as long as it is not known; the scenario is the simulation's truth.
 * @param {number | undefined} fraud
 * @param {number | undefined} [scenario]
 */
export function labelMark(fraud, scenario) {
  if (fraud === undefined) return mark("unknown", "pending");
  if (!fraud) return mark("genuine", "genuine");
  return mark("fraud", scenario ? `fraud, scenario ${scenario}` : "fraud");
}

/**
 * How a payment has turned out, and since when that has been known, where labels arrive later.
 * @param {{ readonly fraud?: 0 | 1, readonly knownAt?: string }} outcome
 * @returns {(Node | string)[]}
 */
export function outcomeMark({ fraud, knownAt }) {
  const label = labelMark(fraud);
  if (knownAt !== undefined) {
    return [
      label,
      h("small", { class: "since" }, `known ${knownAt.slice(0, 16)}`),
    ];
  }
  return fraud === undefined
    ? [label]
    : [label, h("small", { class: "since" }, "no label came")];
}

/** An id, which may be any text: too long a one is cut, and its title has all of it. @param {number | string} id */
export function idText(id) {
  return typeof id === "number"
    ? h("bdi", {}, String(id))
    : h("bdi", { class: "id", title: id }, id);
}

/** The address of the case of a payment. @param {number | string} id */
export const caseAddress = (id) => `#/alerts/${encodeURIComponent(id)}`;

/** A link to the case of a payment; `query` is the filter of the queue that it is a part of. @param {number | string} id @param {string} [query] */
export function caseLink(id, query = "") {
  return h("a", {
    href: caseAddress(id) + query,
    "aria-label": `Case of payment ${id}`,
  }, idText(id));
}

/** A text that is the same in the path of any address, behind any proxy. */
const PLAIN_PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/** An id as a part of a path: an address could change slashes and dots, so such a text is "~" and base64url of its UTF-8. @param {number | string} id */
export function idPart(id) {
  const text = String(id);
  if (PLAIN_PART.test(text)) return text;
  const bytes = new TextEncoder().encode(text);
  const base64 = btoa(String.fromCharCode(...bytes));
  return `~${
    base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")
  }`;
}

/** A message of the program, which begins small and has no full stop, as a sentence of the page. @param {string} message */
export function sentenceOf(message) {
  const stop = /[.!?…]$/.test(message) ? "" : ".";
  return message.charAt(0).toUpperCase() + message.slice(1) + stop;
}

/** Something that was thrown, as a sentence. @param {unknown} error */
export function messageOf(error) {
  return sentenceOf(error instanceof Error ? error.message : String(error));
}

/**
 * This page's session, with the key that its writes carry; undefined until the first request.
 * @type {Promise<{ key: string, who?: string }> | undefined}
 */
let known;

/** The session of this page: the key of its writes, and whose it is where the token has a name. */
export function session() {
  known ??= fetch("api/session").then((response) => response.json());
  known.catch(() => known = undefined);
  return known;
}

/**
 * Sends an object, with the key; once more with a new one if the server has been started again.
 * @param {string} path
 * @param {object} body
 */
async function send(path, body) {
  for (let attempt = 1;; attempt++) {
    const { key } = await session();
    const response = await fetch(path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-fraudstream-key": key ?? "",
      },
      body: JSON.stringify(body),
    });
    if (response.status !== 403 || attempt === 2) return response;
    known = undefined;
  }
}

/** The server's answer that something cannot be done, in a sentence. */
export class AskError extends Error {
  /** @param {string} message @param {number} status of HTTP */
  constructor(message, status) {
    super(message);
    /** Whether nothing has changed: the request was refused. */
    this.isRefused = status < 500;
  }
}

/**
 * Asks the server, or sends it an object; throws an AskError with its sentence.
 * Parameters that the path does not name go behind it. While the simulation's
 * truth is shown, every question asks for it. Addresses are relative, so that
 * the page works beneath a path of a proxy.
 * @template {keyof Answers} Path
 * @param {Path} path
 * @param {Readonly<Record<string, string | number>>} [parameters]
 * @param {object} [body]
 * @returns {Promise<Answers[Path]>}
 */
export async function ask(path, parameters, body) {
  const query = new URLSearchParams();
  let place = String(path).slice(1);
  for (const [name, value] of Object.entries(parameters ?? {})) {
    // A function, so that no "$" of an id has a meaning.
    const named = place.replace(`:${name}`, () => idPart(value));
    if (named === place) query.set(name, String(value));
    place = named;
  }
  if (isTruthShown() && !body) query.set("truth", "1");
  if (query.size > 0) place += `?${query}`;
  const response = await (body ? send(place, body) : fetch(place)).catch(() => {
    // Each browser has its own words for this.
    throw new Error("the server does not answer");
  });
  if (response.status === 401) location.assign(`login${location.hash}`);
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const message = answer.error ??
    `the server answered with status ${response.status}`;
  throw new AskError(message, response.status);
}

/**
 * Repeats some work while a view is open and the page is seen; gives what ends it.
 * @param {number} ms
 * @param {() => Promise<void>} work
 */
export function every(ms, work) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let ended = false;
  const again = async () => {
    if (!document.hidden) {
      try {
        await work();
      } catch {
        // The bar above says that the server does not answer.
      }
    }
    if (!ended) timer = setTimeout(again, ms);
  };
  again();
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

const PAINT_MS_MAX = 500;

/**
 * Does it when the browser has painted what is there, or soon where it paints nothing.
 * @param {() => void} work
 */
export function afterPaint(work) {
  const painted = new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, PAINT_MS_MAX); // a page in the background is not painted
  });
  painted.then(work);
}
