/**
 * How the state of a stage is saved and loaded, piece by piece: the owner of
 * the state writes to a sink or reads from a source, and the snapshot adds the
 * file and its checksum.
 */

/** Takes the pieces of a state, in order. */
export interface StateSink {
  /** Takes the next bytes: copies or consumes them before it returns, since the caller reuses them. */
  write(bytes: Uint8Array): void;
}

/** Returns the pieces of a state in the same order. */
export interface StateSource {
  /** The next `bytes` bytes, valid until the next call. Throws if there are fewer. */
  read(bytes: number): Uint8Array;
}

/** Writes the numbers of a typed array as they lie in memory. */
export function writeView(sink: StateSink, view: ArrayBufferView): void {
  sink.write(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
}

/** Reads `length` 32-bit whole numbers that writeView() wrote. */
export function readInts(source: StateSource, length: number): Int32Array {
  return new Int32Array(new Uint8Array(source.read(4 * length)).buffer);
}

/** Reads `length` doubles that writeView() wrote. */
export function readDoubles(source: StateSource, length: number): Float64Array {
  return new Float64Array(new Uint8Array(source.read(8 * length)).buffer);
}
