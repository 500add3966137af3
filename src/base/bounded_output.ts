/** What a decompressor gives, piece by piece, never more than a bound. */
export class BoundedOutput {
  readonly #bytesMax: number;
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Takes at most `bytesMax` bytes. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Number of bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** Takes a piece, which must stay untouched; throws RangeError if that is too much. */
  add(part: Uint8Array): void {
    this.#length += part.length;
    if (this.#length > this.#bytesMax) {
      throw new RangeError(`it unpacks to more than ${this.#bytesMax} bytes`);
    }
    this.#parts.push(part);
  }

  /** All pieces as one. */
  bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}
