/**
 * The stream of snapshots from the server: tells whoever listens the newest
 * one, and says whether it is connected. Pages of one browser share a
 * connection, where the browser can do that.
 */

const WORKER = "/page/live_worker.js";
const RETRY_MS = 1000;
/** Without a word for so long, the stream is taken for dead. */
const SILENCE_MS = 5000;

/** The snapshot that came with the page; undefined if none did. */
export function firstSnapshot() {
  const meta = document.querySelector("meta[name=snapshot]");
  return meta ? JSON.parse(meta.content) : undefined;
}

/** Connects, and stays so; `onState` gets "live", "lost" or "restarted", which is to say since `server`. */
export function connect(server, onSnapshot, onState) {
  const take = (text) => {
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

/** Listens to the worker that all pages share. */
function share(take, lose) {
  let heard = Date.now();
  const policy = globalThis.trustedTypes?.createPolicy("fraudstream", {
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
  // What comes back from the browser's memory listens anew.
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

/** Listens to the server itself. */
function stream(take, lose) {
  let source;
  let heard = Date.now();
  const open = () => {
    source = new EventSource("/api/live");
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
