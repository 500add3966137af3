/** Requests and answers of Kafka's protocol as bytes, for tests of what we send and read. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import type { KafkaRequest } from "../../../src/log/kafka/kafka_requests.ts";
import { WireReader, WireWriter } from "../../../src/log/kafka/kafka_wire.ts";

/** A request of kafkajs's. */
interface ForeignRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
  encode(): Promise<{ buffer: Uint8Array }>;
}

/** Asserts that a request is the very one that kafkajs would send. */
export async function assertSame(
  ours: KafkaRequest<unknown>,
  theirs: ForeignRequest,
): Promise<void> {
  const { buffer } = await theirs.encode();
  assert.equal(ours.apiKey, theirs.apiKey);
  assert.equal(ours.apiVersion, theirs.apiVersion);
  assert.equal(hexText(ours.body), hexText(buffer));
}

/** Asserts the bytes of a request, written as hexadecimal digits in pieces that are easy to read. */
export function assertBytes(
  request: KafkaRequest<unknown>,
  ...pieces: readonly string[]
): void {
  assert.equal(hexText(request.body), pieces.join("").replaceAll(" ", ""));
}

/** Text as hexadecimal digits. */
export function hexOf(text: string): string {
  return hexText(new TextEncoder().encode(text));
}

/** What the request makes of an answer. */
export function answered<T>(
  request: KafkaRequest<T>,
  write: (w: WireWriter) => WireWriter,
): T {
  return request.decode(new WireReader(write(new WireWriter()).bytes()));
}

function hexText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
