/** Appends numbered batches to the topic "t" of a log, in a thread of its own. */
import { EmbeddedLog } from "../../../src/log/embedded/embedded_log.ts";
import { appendOf } from "../records.ts";

/** What to do. */
export interface ToAppender {
  /** The log's file. */
  readonly path: string;
  /** The producer's id and the beginning of each value. */
  readonly name: string;
  /** How many batches of two. */
  readonly batches: number;
}

/** How it ended. */
export interface FromAppender {
  /** What went wrong, if anything. */
  readonly error?: string;
}

declare const self: {
  onmessage: (event: MessageEvent<ToAppender>) => void;
  postMessage(message: FromAppender): void;
};

self.onmessage = ({ data }) => {
  append(data).then(
    () => self.postMessage({}),
    (error) => self.postMessage({ error: String(error) }),
  );
};

async function append({ path, name, batches }: ToAppender): Promise<void> {
  await using log = new EmbeddedLog({ path, durable: false });
  const producer = await log.producer(name);
  for (let i = 0; i < batches; i++) {
    const values = [`${name} ${i} a`, `${name} ${i} b`];
    await producer.append([appendOf("t", 0, values)]);
  }
}
