/**
 * Types of kafkajs's connection to a broker, as far as kafka.ts uses it; the
 * package declares those of its client only.
 */
import type { Buffer } from "node:buffer";

/** A connection to one broker. */
export default class Connection {
  /** Connects to nobody yet. */
  constructor(options: Readonly<Record<string, unknown>>);
  /** Requests that are to be sent. */
  readonly requestQueue: {
    /** Requests that could not be sent at once. */
    readonly pending: readonly unknown[];
    /** Sets a timer to look at them again. */
    scheduleCheckPendingRequests: () => void;
  };
  /** Opens the connection. */
  connect(): Promise<unknown>;
  /** Ends it. */
  disconnect(): Promise<unknown>;
  /** Fails pending requests. */
  rejectRequests(error: Error): void;
  /** The requests that the broker supports, by number. */
  setVersions(versions: Readonly<Record<number, unknown>>): void;
  /** Whether it speaks SaslAuthenticate. */
  setSupportAuthenticationProtocol(isSupported: boolean): void;
  /** Logs in with the SASL options. */
  authenticate(): Promise<void>;
  /** Sends a request and returns what `parse` makes of the answer. */
  send<T>(protocol: {
    /** What is sent. */
    request: {
      apiKey: number;
      apiVersion: number;
      apiName: string;
      encode: () => Promise<{ buf: Buffer; buffer: Buffer }>;
    };
    /** How the answer is read. */
    response: {
      decode: (
        payload: Uint8Array,
      ) => Promise<{ payload: Uint8Array; clientSideThrottleTime: number }>;
      parse: (decoded: { payload: Uint8Array }) => Promise<T>;
    };
    /** How long to wait for the answer, in milliseconds. */
    requestTimeout: number;
    /** Whether kafkajs logs a refusal. */
    logResponseError: boolean;
  }): Promise<T>;
}
