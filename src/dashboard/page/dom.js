/**
 * Builds the page's elements and writes its numbers. Text from data only ever
 * becomes text: there is no way from a string to HTML here.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Properties: `on…` listens, others are attributes (false and
 * undefined leave them out); children are elements, text, or lists of them.
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for an element of an SVG. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(
    ...children.flat(3).filter((child) => {
      return child !== undefined && child !== null && child !== false;
    }),
  );
  return element;
}

/** Writes text where it differs, so that nothing is laid out in vain. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const TENTHS = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const MONEY = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "EUR",
});
const SHORT_MONEY = new Intl.NumberFormat("en-US", {
  style: "currency",
  currency: "EUR",
  notation: "compact",
  maximumFractionDigits: 1,
});

/** A whole number: 1,754,155. */
export const count = (value) => WHOLE.format(value);

/** Money to the cent. */
export const money = (value) => MONEY.format(value);

/** Money in short: €1.2M. */
export const shortMoney = (value) =>
  Math.abs(value) < 10_000 ? MONEY.format(value) : SHORT_MONEY.format(value);

/** A share as per cent. */
export const percent = (share) =>
  Number.isFinite(share) ? `${TENTHS.format(share * 100)} %` : "–";

/** A share as whole per cent, for axes. */
export const wholePercent = (share) => `${WHOLE.format(share * 100)} %`;

/** Milliseconds, or seconds from 10 on. */
export const milliseconds = (ms) =>
  ms < 10_000 ? `${count(Math.ceil(ms))} ms` : `${TENTHS.format(ms / 1000)} s`;

/** Bytes as MiB. */
export const mebibytes = (bytes) => `${count(bytes / 2 ** 20)} MiB`;

/** A score with three digits. */
export const score = (value) => value === undefined ? "–" : value.toFixed(3);

/** Seconds as days, hours and minutes. */
export function span(seconds) {
  if (seconds < 120) return `${count(seconds)} s`;
  if (seconds < 7200) return `${count(seconds / 60)} min`;
  if (seconds < 172_800) return `${count(seconds / 3600)} h`;
  return `${TENTHS.format(seconds / 86_400)} days`;
}

/** A heading that takes the focus when its view opens. */
export function heading(text, ...more) {
  return h("div", { class: "head" }, h("h1", { tabindex: "-1" }, text), more);
}

/** A framed part of a view with a heading of its own. */
export function panel(title, ...children) {
  return h("section", { class: "panel" }, h("h2", {}, title), children);
}

/**
 * A table that scrolls by itself where it is too wide; columns are [title,
 * class], rows are made by the caller.
 */
export function table(label, columns, body = h("tbody")) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
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

/** A word with a sign before it: neither colour nor shape is the only one. */
export function mark(kind, text) {
  return h("span", { class: `mark ${kind}` }, text);
}

/** The simulation's label of a payment. */
export function labelMark(fraud, scenario) {
  if (fraud === undefined) return mark("unknown", "unknown");
  return fraud
    ? mark("fraud", `fraud, scenario ${scenario}`)
    : mark("genuine", "genuine");
}

/** A link to the case of a payment. */
export function caseLink(id) {
  return h("a", {
    href: `#/alerts/${id}`,
    "aria-label": `Case of payment ${id}`,
  }, String(id));
}

/** The key that this page's writes carry; undefined until the first of them. */
let key;

async function sessionKey() {
  const answer = await (await fetch("/api/session")).json();
  return answer.key;
}

/** Sends an object, with the key; once more with a new one if the server has been started again. */
async function send(path, body) {
  for (let attempt = 1;; attempt++) {
    key ??= await sessionKey();
    const response = await fetch(path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-fraudstream-key": key ?? "",
      },
      body: JSON.stringify(body),
    });
    if (response.status !== 403 || attempt === 2) return response;
    key = undefined;
  }
}

/** Asks the server, or sends it an object; throws an Error with its sentence. */
export async function ask(path, body) {
  const response = body ? await send(path, body) : await fetch(path);
  if (response.status === 401) location.assign("/login");
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Error(answer.error ?? `the server says ${response.status}`);
}

/** Repeats some work while a view is open and the page is seen; gives what ends it. */
export function every(ms, work) {
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

/** Does it when the browser has painted what is there, or soon where it paints nothing. */
export function afterPaint(work) {
  const painted = new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, PAINT_MS_MAX); // a page in the background is not painted
  });
  painted.then(work);
}
