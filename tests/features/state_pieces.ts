/** A saved state in memory, for tests of what saves and loads. */
import type { StateSink, StateSource } from "../../src/base/state_stream.ts";

/** Takes the pieces of a state and hands them back. */
export class StatePieces implements StateSink, StateSource {
  /** All that was written and not cut off. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #at = 0;

  /** Whether all was read. */
  get isAtEnd(): boolean {
    return this.#at === this.bytes.length;
  }

  /** Takes the next bytes. */
  write(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.bytes.length + bytes.length);
    joined.set(this.bytes);
    joined.set(bytes, this.bytes.length);
    this.bytes = joined;
  }

  /** The next bytes, at an odd place in a buffer as readers have them. */
  read(bytes: number): Uint8Array {
    this.#at += bytes;
    if (this.#at > this.bytes.length) throw new Error("too short");
    const odd = new Uint8Array(bytes + 1);
    odd.set(this.bytes.subarray(this.#at - bytes, this.#at), 1);
    return odd.subarray(1);
  }
}
