/**
 * A partition of the scripted Kafka: batches, who has written them, and which
 * transactions are open. What it checks is what a broker checks.
 */
import { crc32c } from "../../../../src/base/crc32c.ts";
import { batchBytes, CONTROL, TRANSACTIONAL } from "../kafka_batches.ts";

const CODES = {
  offsetOutOfRange: 1,
  corruptMessage: 2,
  outOfOrderSequence: 45,
  invalidProducerEpoch: 47,
} as const;
/** So many of a producer's batches are known again when they are repeated. */
const KNOWN_BATCHES = 5;

interface Batch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Uint8Array;
}

/** What is known of a producer. */
interface ProducerState {
  epoch: number;
  /** Sequence number of its last record; -1 before the first of an epoch. */
  lastSequence: number;
  known: { sequence: number; count: number; offset: number }[];
  /** Offset of the first record of its open transaction. */
  openSince?: number | undefined;
}

/** What comes of appending a batch. */
export interface Appended {
  /** 0, or why it was refused. */
  readonly code: number;
  /** Offset of the first record. */
  readonly offset: number;
}

/** A partition. */
export class ScriptedPartition {
  /** Offset of the first record that is still there. */
  startOffset = 0;
  /** Offset behind the last record. */
  endOffset = 0;
  readonly #batches: Batch[] = [];
  readonly #producers = new Map<bigint, ProducerState>();
  readonly #aborted: {
    producerId: bigint;
    firstOffset: number;
    lastOffset: number;
  }[] = [];

  /** Offset up to which readers of committed records may read. */
  get stableOffset(): number {
    const open = [...this.#producers.values()].flatMap(({ openSince }) =>
      openSince === undefined ? [] : [openSince]
    );
    return Math.min(this.endOffset, ...open);
  }

  /** Appends a batch; `verify` says whether a producer may begin a transaction here. */
  append(
    bytes: Uint8Array,
    verify: (producerId: bigint, epoch: number) => number,
  ): Appended {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const refused = (code: number) => ({ code, offset: -1 });
    if (view.getUint32(17) !== crc32c(bytes.subarray(21))) {
      return refused(CODES.corruptMessage);
    }
    const producerId = view.getBigInt64(43);
    const epoch = view.getInt16(51);
    const sequence = view.getInt32(53);
    const count = view.getInt32(57);
    const before = this.#producers.get(producerId);
    if (before && epoch < before.epoch) {
      return refused(CODES.invalidProducerEpoch);
    }
    const state = before?.epoch === epoch
      ? before
      : { epoch, lastSequence: -1, known: [] as ProducerState["known"] };
    const again = state.known.find((known) =>
      known.sequence === sequence && known.count === count
    );
    if (again) return { code: 0, offset: again.offset };
    const isTransactional = (view.getInt16(21) & TRANSACTIONAL) !== 0;
    if (isTransactional && before?.openSince === undefined) {
      const code = verify(producerId, epoch);
      if (code !== 0) return refused(code);
    }
    if (sequence !== (state.lastSequence + 1) % 2 ** 31) {
      return refused(CODES.outOfOrderSequence);
    }
    const offset = this.#add(bytes, view.getInt32(23));
    state.lastSequence = (sequence + count - 1) % 2 ** 31;
    state.known = [...state.known, { sequence, count, offset }]
      .slice(-KNOWN_BATCHES);
    const openSince = isTransactional ? before?.openSince ?? offset : undefined;
    this.#producers.set(producerId, { ...state, openSince });
    return { code: 0, offset };
  }

  /** Forgets all producers, as after a long time without their batches. */
  forget(): void {
    this.#producers.clear();
  }

  #add(bytes: Uint8Array, lastOffsetDelta: number): number {
    const baseOffset = this.endOffset;
    const lastOffset = baseOffset + lastOffsetDelta;
    const copy = bytes.slice();
    new DataView(copy.buffer).setBigInt64(0, BigInt(baseOffset));
    this.#batches.push({ baseOffset, lastOffset, bytes: copy });
    this.endOffset = lastOffset + 1;
    return baseOffset;
  }

  /** Ends a producer's transaction here, as its coordinator says. */
  mark(producerId: bigint, epoch: number, outcome: "commit" | "abort"): void {
    const state = this.#producers.get(producerId);
    if (state && state.epoch > epoch) return;
    const offset = this.#add(
      batchBytes({
        baseOffset: 0,
        records: [{
          key: Uint8Array.of(0, 0, 0, outcome === "abort" ? 0 : 1),
          value: new Uint8Array(6),
          offsetDelta: 0,
        }],
        attributes: TRANSACTIONAL | CONTROL,
        producerId,
      }),
      0,
    );
    const firstOffset = state?.openSince;
    if (outcome === "abort" && firstOffset !== undefined) {
      this.#aborted.push({ producerId, firstOffset, lastOffset: offset });
    }
    const isNewer = state === undefined || epoch > state.epoch;
    this.#producers.set(producerId, {
      epoch,
      lastSequence: isNewer ? -1 : state.lastSequence,
      known: isNewer ? [] : state.known,
    });
  }

  /** Removes what is below an offset; gives an error code. */
  trim(before: number): number {
    if (before > this.endOffset) return CODES.offsetOutOfRange;
    this.startOffset = Math.max(this.startOffset, before);
    return 0;
  }

  /** Batches of committed records from an offset on; one at least, if there is any. */
  read(offset: number, bytesMax: number): {
    code: number;
    bytes: Uint8Array;
    aborted: readonly { producerId: bigint; firstOffset: number }[];
  } {
    if (offset < this.startOffset || offset > this.endOffset) {
      const bytes = new Uint8Array(0);
      return { code: CODES.offsetOutOfRange, bytes, aborted: [] };
    }
    const stable = this.stableOffset;
    const found: Batch[] = [];
    let size = 0;
    for (const batch of this.#batches) {
      if (batch.lastOffset < offset || batch.baseOffset >= stable) continue;
      if (found.length > 0 && size + batch.bytes.length > bytesMax) break;
      found.push(batch);
      size += batch.bytes.length;
    }
    const last = found.at(-1)?.lastOffset ?? -1;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const batch of found) {
      bytes.set(batch.bytes, at);
      at += batch.bytes.length;
    }
    const aborted = this.#aborted.filter(({ firstOffset, lastOffset }) =>
      lastOffset >= offset && firstOffset <= last
    );
    return { code: 0, bytes, aborted };
  }
}
