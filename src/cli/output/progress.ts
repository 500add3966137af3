/** A progress bar on stderr where that is a terminal; nothing in a pipe. */
// @ts-types="@types/cli-progress"
import { type Options, Presets, SingleBar } from "cli-progress";
import { visible } from "./terminal.ts";

/** Shows the progress of some work. */
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
  const options: Options = {
    format: total > 0
      ? `${label} [{bar}] {percentage}% {note}`
      : `${label} {note}`,
    barsize: 30,
    clearOnComplete: true,
    // The terminal's cursor and wrapping are left alone, since a killed program
    // could not restore them.
    hideCursor: false,
    linewrap: true,
  };
  const bar = new SingleBar(options, Presets.legacy);
  bar.start(Math.max(total, 1), 0, { note: "" });
  return {
    update(done, note = "") {
      bar.update(total > 0 ? done : 0, { note: visible(note) });
    },
    [Symbol.dispose]() {
      bar.stop();
    },
  };
}
