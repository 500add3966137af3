/**
 * One connection to the server for all pages of a browser, which opens only a
 * few to one address. A page gets the next snapshot once it has taken the one
 * before; one that takes none for long is forgotten, and connects again.
 */

const RETRY_MS = 1000;
/** Without a word from the server for so long, the stream is taken for dead. */
const SILENCE_MS = 5000;
/** Without a word from a page for so long, it is taken for closed. */
const FORGET_MS = 60_000;

/**
 * A page: whether it is ready for a snapshot, and when it last said so.
 * @typedef {{ ready: boolean, at: number }} Page
 */

/** @type {Map<MessagePort, Page>} */
const pages = new Map();
/** @type {string | undefined} */
let newest;
let lost = false;
/** @type {EventSource} */
let source;
let heard = Date.now();

/** @param {MessagePort} port @param {Page} page */
function give(port, page) {
  if (!page.ready || newest === undefined) return;
  page.ready = false;
  port.postMessage(newest);
}

function tellLost() {
  lost = true;
  newest = undefined;
  for (const port of pages.keys()) port.postMessage("lost");
}

function open() {
  // Two folders above this script is the page.
  source = new EventSource("../../api/live");
  source.onmessage = ({ data }) => {
    heard = Date.now();
    lost = false;
    newest = data;
    for (const [port, page] of pages) {
      if (heard - page.at > FORGET_MS) pages.delete(port);
      else give(port, page);
    }
  };
  source.onerror = again;
}

function again() {
  source.onerror = null;
  source.close();
  tellLost();
  heard = Date.now() + RETRY_MS;
  setTimeout(open, RETRY_MS);
}

/** @param {MessageEvent} event */
const onconnect = ({ ports: [port] }) => {
  const page = { ready: true, at: Date.now() };
  pages.set(port, page);
  port.onmessage = ({ data }) => {
    if (data === "bye") {
      pages.delete(port);
      return;
    }
    page.ready = true;
    page.at = Date.now();
  };
  if (lost) port.postMessage("lost");
  give(port, page);
};

Object.assign(globalThis, { onconnect });

setInterval(() => {
  if (Date.now() - heard > SILENCE_MS) again();
}, RETRY_MS);

open();
