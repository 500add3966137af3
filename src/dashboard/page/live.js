/**
 * The stream of snapshots from the server: hands the newest one to its
 * listeners, and says whether it is connected. Pages of one browser share a
 * connection, where the browser can do that.
 */

/** @import { Snapshot } from "../views/snapshot.ts" */

/**
 * What makes URLs of scripts, where the browser asks for it.
 * @typedef {{ createPolicy(name: string, rules: object): { createScriptURL(text: string): string } }} TrustedTypes
 */

const WORKER = new URL("live_worker.js", import.meta.url).href;
const RETRY_MS = 1000;
/** Without a word for so long, the stream is taken for dead. */
const SILENCE_MS = 5000;

/**
 * The snapshot that came with the page; undefined if none did.
 * @returns {Snapshot | undefined}
 */
export function firstSnapshot() {
  const meta = document.querySelector("meta[name=snapshot]");
  return meta instanceof HTMLMetaElement ? JSON.parse(meta.content) : undefined;
}

/**
 * Connects, and stays so; `onState` gets "live", "lost" or "restarted", which is to say since `server`.
 * @param {string | undefined} server
 * @param {(snapshot: Snapshot) => void} onSnapshot
 * @param {(state: "live" | "lost" | "restarted") => void} onState
 */
export function connect(server, onSnapshot, onState) {
  /** @param {string} text */
  const take = (text) => {
    /** @type {Snapshot} */
    const snapshot = JSON.parse(text);
    const restarted = server !== undefined && server !== snapshot.server;
    server = snapshot.server;
    onState(restarted ? "restarted" : "live");
    onSnapshot(snapshot);
  };
  const lose = () => onState("lost");
  if ("SharedWorker" in globalThis) share(take, lose);
  else stream(take, lose);
}

/**
 * Listens to the worker that all pages share.
 * @param {(text: string) => void} take
 * @param {() => void} lose
 */
function share(take, lose) {
  let heard = Date.now();
  const { trustedTypes } =
    /** @type {{ trustedTypes?: TrustedTypes }} */ (globalThis);
  const policy = trustedTypes?.createPolicy("fraudstream", {
    createScriptURL: () => WORKER,
  });
  const open = () => {
    const { port } = new SharedWorker(policy?.createScriptURL("") ?? WORKER);
    port.onmessage = ({ data }) => {
      heard = Date.now();
      if (data === "lost") return lose();
      take(data);
      port.postMessage("taken");
    };
    return port;
  };
  let port = open();
  addEventListener("pagehide", () => port.postMessage("bye"));
  // A page that comes back from the browser's memory listens again.
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) port = open();
  });
  setInterval(() => {
    if (Date.now() - heard <= 2 * SILENCE_MS) return;
    heard = Date.now();
    lose();
    port.postMessage("bye");
    port.close();
    port = open();
  }, RETRY_MS);
}

/**
 * Listens to the server itself.
 * @param {(text: string) => void} take
 * @param {() => void} lose
 */
function stream(take, lose) {
  /** @type {EventSource} */
  let source;
  let heard = Date.now();
  const open = () => {
    source = new EventSource("api/live");
    source.onmessage = ({ data }) => {
      heard = Date.now();
      take(data);
    };
    source.onerror = again;
  };
  const again = () => {
    source.onerror = null;
    source.close();
    lose();
    heard = Date.now() + RETRY_MS;
    setTimeout(open, RETRY_MS);
  };
  setInterval(() => {
    if (Date.now() - heard > SILENCE_MS) again();
  }, RETRY_MS);
  open();
}
