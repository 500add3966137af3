/**
 * Models that were trained elsewhere, as ONNX: classifiers of scikit-learn,
 * XGBoost, LightGBM and others whose classes are 0 and 1. Everything that could
 * make a wrong score is an error when the file is opened: other inputs, other
 * labels, no probabilities. What only the answers show (raw margins instead of
 * probabilities) is one when rows are scored.
 */
import { createHash } from "node:crypto";
import { ModelError } from "../error/error.ts";
import type { Scorer } from "./model.ts";
import { type OnnxGraph, readOnnxGraph } from "./onnx_graph.ts";
import {
  loadOnnxRuntime,
  type OnnxSession,
  type OnnxTensor,
  openSession,
} from "./onnx_runtime.ts";
import { readSignature, type Signature } from "./onnx_signature.ts";
import { checkRows } from "./rows.ts";

/** A model from an ONNX file. */
export interface OnnxModel {
  /** What scores; its inputs are the model's, in the model's order. */
  readonly scorer: Scorer;
  /** First 12 hex digits of the SHA-256 of the file. */
  readonly version: string;
  /** What its maker wrote beside the model. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Rows that the runtime gets at once. */
const BATCH_ROWS = 4096;

const VERSION_DIGITS = 12;

/** Probabilities are from 0 to 1, and two add up to 1, to within what a sum of float32 may miss. */
const TOLERANCE = 1e-4;

/** A model of which all is known that scoring needs. */
interface Ready extends Signature {
  readonly path: string;
  readonly session: OnnxSession;
}

/** Sessions hold memory that no collector sees: they go with their scorers. */
const SESSIONS = new FinalizationRegistry<OnnxSession>((session) => {
  void session.release();
});

/** Scorers at work, so that none is collected before it is done. */
const AT_WORK = new Set<{ readonly scorer: Scorer }>();

/**
 * Opens the ONNX file `bytes`, to score by some of the `offered` inputs. Which
 * ones: those that INPUTS_PROPERTY names; or those that the model's own inputs
 * are named after, one column each; or all of them, if it takes so many.
 * Throws ModelError; `path` is for messages.
 */
export async function openOnnxModel(
  bytes: Uint8Array,
  path: string,
  offered: readonly string[],
): Promise<OnnxModel> {
  const graph = readGraph(bytes, path);
  const { metadata } = graph;
  const session = await startSession(graph, path);
  try {
    const signature = readSignature(session, metadata, offered, path);
    const scorer = sessionScorer({ path, session, ...signature });
    SESSIONS.register(scorer, session);
    return { scorer, version: versionOf(bytes), metadata };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** What its maker wrote into an ONNX file beside the model. Throws ModelError if it is none. */
export function readOnnxMetadata(
  bytes: Uint8Array,
  path: string,
): ReadonlyMap<string, string> {
  return readGraph(bytes, path).metadata;
}

function versionOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
    .slice(0, VERSION_DIGITS);
}

function readGraph(bytes: Uint8Array, path: string): OnnxGraph {
  let graph: OnnxGraph;
  try {
    graph = readOnnxGraph(bytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ModelError(
      `${path} is no ONNX model (${error.message}); export it again, or take ` +
        "another copy",
      { cause: error },
    );
  }
  const wrong = graph.classLabels.find((labels) => labels.join() !== "0,1");
  if (wrong) {
    throw new ModelError(
      `${path}: its classes are ${
        wrong.join(", ")
      } and must be 0, 1, a fraud ` +
        "being 1; train it on such labels",
    );
  }
  return graph;
}

async function startSession(
  graph: OnnxGraph,
  path: string,
): Promise<OnnxSession> {
  await loadOnnxRuntime();
  try {
    return await openSession(graph.bytes);
  } catch (error) {
    throw new ModelError(
      `${path} cannot be run by the ONNX runtime (${
        reasonOf(error)
      }); export ` +
        "it again, for ONNX operators that the runtime knows",
      { cause: error },
    );
  }
}

function sessionScorer(ready: Ready): Scorer {
  const scorer: Scorer = {
    inputs: ready.inputs,
    async score(values, rows, scores) {
      checkRows(ready.inputs, values, rows, scores);
      const work = { scorer };
      AT_WORK.add(work);
      try {
        for (let from = 0; from < rows; from += BATCH_ROWS) {
          const to = Math.min(rows, from + BATCH_ROWS);
          await scoreBatch(ready, values, from, to, scores);
        }
      } finally {
        AT_WORK.delete(work);
      }
    },
  };
  return scorer;
}

async function scoreBatch(
  { path, session, inputs, matrices, output }: Ready,
  values: Float64Array,
  from: number,
  to: number,
  scores: Float64Array,
): Promise<void> {
  const { Tensor } = await loadOnnxRuntime();
  const rows = to - from;
  const feeds: Record<string, OnnxTensor> = {};
  let first = from * inputs.length;
  for (const { name, type, columns } of matrices) {
    const data = type === "float32"
      ? new Float32Array(rows * columns)
      : new Float64Array(rows * columns);
    let at = 0;
    for (let row = 0; row < rows; row++) {
      const begin = first + row * inputs.length;
      for (let column = 0; column < columns; column++) {
        data[at++] = values[begin + column];
      }
    }
    feeds[name] = new Tensor(type, data, [rows, columns]);
    first += columns;
  }
  let found: OnnxTensor;
  try {
    found = (await session.run(feeds, [output]))[output];
  } catch (error) {
    throw new ModelError(
      `${path} failed in the ONNX runtime (${
        reasonOf(error)
      }); export it again`,
      { cause: error },
    );
  }
  takeScores(found, path, from, to, scores);
  found.dispose();
}

/** Takes the probability of the second class; throws ModelError where there are none. */
function takeScores(
  { data, dims }: OnnxTensor,
  path: string,
  from: number,
  to: number,
  scores: Float64Array,
): void {
  const isNumbers = data instanceof Float32Array ||
    data instanceof Float64Array;
  if (!isNumbers || dims.length !== 2 || dims[0] !== to - from) {
    throw new ModelError(
      `${path} answered ${to - from} rows by [${dims.join(", ")}]; export it ` +
        "for any number of rows",
    );
  }
  if (dims[1] !== 2) {
    throw new ModelError(
      `${path} gave ${dims[1]} probabilities a row and not two: it was ` +
        "trained on other than the classes 0 and 1; train it on both",
    );
  }
  for (let row = from; row < to; row++) {
    const at = 2 * (row - from);
    const genuine = data[at];
    const fraud = data[at + 1];
    const sound = fraud >= -TOLERANCE && fraud <= 1 + TOLERANCE &&
      Math.abs(genuine + fraud - 1) <= TOLERANCE;
    if (!sound) {
      throw new ModelError(
        `${path} gave row ${row} the probabilities ${genuine} and ${fraud}; ` +
          "export it so that it gives probabilities and not raw scores",
      );
    }
    scores[row] = Math.min(1, Math.max(0, fraud));
  }
}

/** What the runtime says, without its frame. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const message = text.split("ERROR_MESSAGE:").at(-1) ?? text;
  return message.trim().replaceAll(/\s*\n\s*/g, " ");
}
