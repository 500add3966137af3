/** A progress bar on stderr where that is a terminal; nothing in a pipe. */
import { Format, type Options, Presets, SingleBar } from "cli-progress";

/** Something that is told how far a piece of work has come. */
export interface Progress {
  /** Sets the amount done so far, and what is shown beside the bar. */
  update(done: number, note?: string): void;
  /** Takes the bar away. */
  [Symbol.dispose](): void;
}

const SILENT: Progress = { update() {}, [Symbol.dispose]() {} };

/** Starts a bar for work of `total` units; a total of 0 (unknown) shows no bar, only the note. */
export function openProgress(label: string, total: number): Progress {
  if (!Deno.stderr.isTerminal()) return SILENT;
  const format = total > 0
    ? `${label} [{bar}] {percentage}% {note}`
    : `${label} {note}`;
  const options: Options = {
    format,
    barsize: 30,
    formatBar: (done, chosen) => Format.BarFormat(done, chosen),
    clearOnComplete: true,
    hideCursor: true,
    // Drawn while the work runs: it leaves timers no chance.
    synchronousUpdate: true,
    // Signals are ours (signals.ts), and the cursor comes back on dispose.
    gracefulExit: false,
  };
  const bar = new SingleBar(options, Presets.legacy);
  bar.start(Math.max(total, 1), 0, { note: "" });
  return {
    update(done, note = "") {
      bar.update(total > 0 ? done : 0, { note });
    },
    [Symbol.dispose]() {
      bar.stop();
    },
  };
}
