/** The stored rows of a stream, for the commands that need them. */
import { DataError } from "../../base/error.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import type { LogReport } from "../../log/log.ts";
import type { Store } from "../../store/store.ts";
import {
  checkEnd,
  type Connection,
  countStored,
  openStoredRows,
  requireAgreement,
  type StoredStream,
} from "../../stream/stored_stream.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { hasShadowScores } from "../../stream/status.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { storePlace } from "../flags/connection_flags.ts";
import { writeError } from "../output/terminal.ts";

/** Opens the store of a stream, with the features and the form of payments that it has. Throws DataError if nothing is stored yet. */
export async function requireStoredRows(
  connection: Connection,
  stream: StoredStream,
  report: LogReport,
): Promise<
  { store: Store; features: FeatureParameters; shape: PaymentShape }
> {
  const store = await openStoredRows(connection, stream, report);
  const { parameters } = stream;
  if (store && parameters) {
    const { features } = parameters;
    return { store, features, shape: shapeOfStream(parameters) };
  }
  throw new DataError(
    `nothing is stored in ${storePlace(connection)} yet; run the writer ` +
      "first: './fraudstream run'",
  );
}

/** What the predictions of a stream have beyond a score: what shadow models and rules say, where it has any. */
export async function predictionParts(
  { log, control }: Pick<StoredStream, "log" | "control">,
): Promise<("shadows" | "decision")[]> {
  return [
    ...await hasShadowScores(log) ? ["shadows"] as const : [],
    ...control?.hasRules ? ["decision"] as const : [],
  ];
}

/**
 * Checks, once a store has been read, that it holds all rows of the stream.
 * Throws LogError if the counts do not agree, for example where ids repeat;
 * says on stderr if the stream is not at its end.
 */
export async function requireAllStored(
  connection: Connection,
  stream: StoredStream,
  store: Store,
): Promise<void> {
  const checked = await checkEnd(connection, stream, () => countStored(store));
  if (checked.kind === "in flight") {
    writeError("not all payments of the stream are stored yet\n");
  }
  requireAgreement(checked);
}
