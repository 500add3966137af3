/**
 * Types of the driver's connection to a node, as far as
 * cassandra_connection.ts uses it; the package declares those of its client
 * only.
 */

/** What stands before an answer. */
export interface FrameHeader {
  /** The stream of its request; negative for an event. */
  readonly streamId: number;
}

/** A connection to one node. */
export default class Connection {
  /** The requests that are not answered yet, by stream. */
  readonly _operations: ReadonlyMap<number, unknown>;
  /** Its socket. */
  readonly netClient: { destroy(): void };
  /** Gives an answer to the request of its stream. */
  handleResult(
    header: FrameHeader,
    error: Error | null | undefined,
    result: unknown,
  ): void;
  /** Called behind each answer: its stream can be used again. */
  freeStreamId(header: FrameHeader): void;
  /** Fails all requests that are not answered yet. */
  handleSocketError(error: Error): void;
}
