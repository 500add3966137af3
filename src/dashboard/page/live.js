/**
 * The stream of snapshots from the server: tells whoever listens the newest
 * one, and says whether it is connected.
 */

const RETRY_MS = 1000;
/** Without a word for so long, the stream is taken for dead. */
const SILENCE_MS = 5000;

/** Connects, and stays so; `onState` gets "live", "lost" or "restarted". */
export function connect(onSnapshot, onState) {
  let server;
  let source;
  let heard = Date.now();
  const open = () => {
    source = new EventSource("/api/live");
    source.onmessage = ({ data }) => {
      heard = Date.now();
      const snapshot = JSON.parse(data);
      const restarted = server !== undefined && server !== snapshot.server;
      server = snapshot.server;
      onState(restarted ? "restarted" : "live");
      onSnapshot(snapshot);
    };
    source.onerror = () => {
      onState("lost");
      again();
    };
  };
  const again = () => {
    source.close();
    source.onerror = null;
    heard = Date.now() + RETRY_MS;
    setTimeout(open, RETRY_MS);
  };
  setInterval(() => {
    if (Date.now() - heard <= SILENCE_MS) return;
    onState("lost");
    again();
  }, RETRY_MS);
  open();
}
