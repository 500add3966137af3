/** Watches a file that another program may replace while this one runs. */

/** Time between two checks of a file. */
const LOOK_MS = 250;

/** A file that changed this recently may change again without a new modification time. */
const SETTLED_MS = 2000;

/** Detects a change of a file by its modification time and size. */
export class FileWatch {
  /** Its path. */
  readonly path: string;
  #isMissing = false;
  #next = -Infinity;
  #seen = "";

  /** Watches the file of that path, which counts as changed at first. */
  constructor(path: string) {
    this.path = path;
  }

  /** Whether the last check did not find it. */
  get isMissing(): boolean {
    return this.#isMissing;
  }

  /** Whether it has changed; checks only if that is due. A missing file counts as unchanged. */
  async hasChanged(): Promise<boolean> {
    if (performance.now() < this.#next) return false;
    this.#next = performance.now() + LOOK_MS;
    let info: Deno.FileInfo;
    try {
      info = await Deno.stat(this.path);
    } catch {
      this.#isMissing = true;
      return false;
    }
    this.#isMissing = false;
    const changed = info.mtime?.getTime() ?? 0;
    const fresh = Date.now() - changed < SETTLED_MS ? Date.now() : 0;
    const seen = `${changed} ${info.size} ${info.ino} ${fresh}`;
    if (seen === this.#seen) return false;
    this.#seen = seen;
    return true;
  }
}
