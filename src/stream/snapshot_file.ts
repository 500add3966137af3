/**
 * The file of a snapshot: a head as JSON, then the bytes of a state, in blocks
 * of up to a megabyte. Each block has a CRC-32C of everything up to its own
 * end, so a reader returns only verified bytes, and the last one is the
 * checksum of the file. The file is written beside, synced, then renamed.
 */
import { crc32c } from "../base/crc32c.ts";
import { replaceByPieces } from "../base/durable_file.ts";
import { DataError } from "../base/error.ts";
import { fileError } from "../base/file_error.ts";
import { PRIVATE_FILE } from "../base/sqlite/private_file.ts";
import type { StateSink, StateSource } from "../base/state_stream.ts";

const MAGIC = new TextEncoder().encode("fraudstream snapshot\n");
const BLOCK_BYTES = 1 << 20;
/** Before each block: its length, then its checksum. The last block is empty. */
const FRAME_BYTES = 8;

/** Writes a snapshot: its head, then what `save` gives. Throws DataError on failure; an existing file then stays. */
export function writeSnapshotFile(
  path: string,
  head: unknown,
  save: (sink: StateSink) => void,
): void {
  replaceByPieces(path, PRIVATE_FILE, (append) => {
    append(MAGIC);
    const blocks = new BlockWriter(append);
    blocks.write(new TextEncoder().encode(JSON.stringify(head)));
    blocks.flush();
    save(blocks);
    blocks.end();
  });
}

/** Collects bytes into blocks. */
class BlockWriter implements StateSink {
  readonly #append: (piece: Uint8Array) => void;
  readonly #block = new Uint8Array(FRAME_BYTES + BLOCK_BYTES);
  readonly #frame = new DataView(this.#block.buffer);
  #length = 0;
  #check = 0;

  constructor(append: (piece: Uint8Array) => void) {
    this.#append = append;
  }

  write(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const to = Math.min(bytes.length, from + BLOCK_BYTES - this.#length);
      this.#block.set(bytes.subarray(from, to), FRAME_BYTES + this.#length);
      this.#length += to - from;
      from = to;
      if (this.#length === BLOCK_BYTES) this.flush();
    }
  }

  flush(): void {
    if (this.#length > 0) this.#put();
  }

  end(): void {
    this.flush();
    this.#put(); // an empty one
  }

  #put(): void {
    const block = this.#block.subarray(0, FRAME_BYTES + this.#length);
    this.#frame.setUint32(0, this.#length, true);
    this.#check = checkOf(block, this.#check);
    this.#frame.setUint32(4, this.#check, true);
    this.#append(block);
    this.#length = 0;
  }
}

/** The checksum of a block's length and bytes, continued from the block before. */
function checkOf(block: Uint8Array, before: number): number {
  const length = crc32c(block.subarray(0, 4), before);
  return crc32c(block.subarray(FRAME_BYTES), length);
}

/** An open snapshot. Throws DataError where the file is damaged or cut. */
export class SnapshotFile implements StateSource, Disposable {
  /** What was written as the head; only checked to be JSON. */
  readonly head: unknown;
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #frame = new Uint8Array(FRAME_BYTES + BLOCK_BYTES);
  readonly #view = new DataView(this.#frame.buffer);
  #block = this.#frame.subarray(0, 0);
  #at = 0;
  #check = 0;
  #left: number;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
    this.#left = file.statSync().size;
    const magic = new Uint8Array(MAGIC.length);
    if (!this.#fill(magic) || magic.join() !== MAGIC.join()) {
      throw this.#damaged("it is not a snapshot");
    }
    this.#next();
    this.head = parsed(this.#block);
    this.#at = this.#block.length;
  }

  /** Opens a file and reads its head; undefined if there is none. */
  static open(path: string): SnapshotFile | undefined {
    let file: Deno.FsFile;
    try {
      // Opening a pipe would wait for its writer, which may never come.
      if (!Deno.statSync(path).isFile) {
        throw new DataError(`cannot read ${path}: it is not a regular file`);
      }
      file = Deno.openSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw fileError(error, "read", path);
    }
    try {
      return new SnapshotFile(path, file);
    } catch (error) {
      file.close();
      throw fileError(error, "read", path);
    }
  }

  /** The next bytes of the state, verified, valid until the next call. */
  read(bytes: number): Uint8Array {
    if (this.#at === this.#block.length && bytes > 0) this.#next();
    if (this.#at + bytes <= this.#block.length) {
      this.#at += bytes;
      return this.#block.subarray(this.#at - bytes, this.#at);
    }
    const held = this.#block.length - this.#at;
    if (bytes > held + this.#left) throw this.#damaged("it ends too early");
    const all = new Uint8Array(bytes);
    for (let at = 0; at < bytes;) {
      if (this.#at === this.#block.length) this.#next();
      const taken = Math.min(bytes - at, this.#block.length - this.#at);
      all.set(this.#block.subarray(this.#at, this.#at + taken), at);
      this.#at += taken;
      at += taken;
    }
    return all;
  }

  /** Throws DataError unless the state has been read to its end. */
  end(): void {
    if (this.#at < this.#block.length) {
      throw this.#damaged("it continues after its end");
    }
    this.#next();
    if (this.#block.length > 0 || this.#left > 0) {
      throw this.#damaged("it continues after its end");
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }

  #next(): void {
    const frame = this.#frame;
    if (!this.#fill(frame.subarray(0, FRAME_BYTES))) {
      throw this.#damaged("it ends too early");
    }
    const length = this.#view.getUint32(0, true);
    if (length > BLOCK_BYTES) throw this.#damaged("it has a bit error");
    const block = frame.subarray(0, FRAME_BYTES + length);
    if (!this.#fill(block.subarray(FRAME_BYTES))) {
      throw this.#damaged("it ends too early");
    }
    this.#check = checkOf(block, this.#check);
    if (this.#check !== this.#view.getUint32(4, true)) {
      throw this.#damaged("it has a bit error");
    }
    this.#block = block.subarray(FRAME_BYTES);
    this.#at = 0;
  }

  #fill(into: Uint8Array): boolean {
    for (let at = 0; at < into.length;) {
      const count = this.#file.readSync(into.subarray(at));
      if (count === null) return false;
      at += count;
      this.#left -= count;
    }
    return true;
  }

  #damaged(why: string): DataError {
    return new DataError(`${this.#path} is damaged: ${why}`);
  }
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
