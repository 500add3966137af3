/**
 * Models that were trained elsewhere, as ONNX: classifiers of scikit-learn,
 * XGBoost, LightGBM and others whose classes are 0 and 1. Everything that could
 * make a wrong score is an error when the file is opened: other inputs, other
 * labels, no probabilities. What only the answers show (raw margins instead of
 * probabilities) is one when rows are scored.
 */
import { createHash } from "node:crypto";
import { ModelError } from "../../base/error.ts";
import type { Scorer } from "../kinds/model.ts";
import { type OnnxGraph, readOnnxGraph } from "./onnx_graph.ts";
import {
  loadOnnxRuntime,
  type OnnxSession,
  type OnnxTensor,
  openSession,
} from "./onnx_runtime.ts";
import {
  type InputType,
  type Matrix,
  type OfferedInputs,
  readSignature,
  type Signature,
  WHOLE_RANGES,
} from "./onnx_signature.ts";
import { checkRows } from "../data/rows.ts";

/** A model from an ONNX file. */
export interface OnnxModel {
  /** The scorer; its inputs are the model's, in the model's order. */
  readonly scorer: Scorer;
  /** First 12 hex digits of the SHA-256 of the file. */
  readonly version: string;
  /** The metadata of its producer. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Rows that the runtime gets at once. */
const BATCH_ROWS = 4096;

const VERSION_DIGITS = 12;

/** Probabilities are from 0 to 1, and two add up to 1, within the rounding error of a sum of float32. */
const TOLERANCE = 1e-4;

/** A model with everything that scoring needs. */
interface Ready extends Signature {
  /** Names of the inputs that may be missing. */
  readonly nullable: readonly string[];
  readonly path: string;
  readonly session: OnnxSession;
}

/** Sessions hold memory that the garbage collector does not see: they are released with their scorers. */
const SESSIONS = new FinalizationRegistry<OnnxSession>((session) => {
  void session.release();
});

/** Running scorers, so that none is collected before it has finished. */
const AT_WORK = new Set<{ readonly scorer: Scorer }>();

/**
 * Opens the ONNX file `bytes`, to score by some of the `offered` inputs. Which
 * ones: those that INPUTS_PROPERTY names; or those that the model's own inputs
 * are named after, one column each; or all of them, if it takes that many.
 * Throws ModelError; `path` is for messages.
 */
export async function openOnnxModel(
  bytes: Uint8Array,
  path: string,
  offered: OfferedInputs,
): Promise<OnnxModel> {
  const graph = readGraph(bytes, path);
  const { metadata } = graph;
  const session = await startSession(graph, path);
  try {
    const signature = readSignature(session, graph, offered, path);
    const nullable = signature.inputs.filter((name) => {
      return offered.nullable?.includes(name);
    });
    const scorer = sessionScorer({ path, session, nullable, ...signature });
    await tryMissing(scorer, path);
    SESSIONS.register(scorer, session);
    return { scorer, version: onnxVersion(bytes), metadata };
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** The metadata in an ONNX file. Throws ModelError if it is not an ONNX file. */
export function readOnnxMetadata(
  bytes: Uint8Array,
  path: string,
): ReadonlyMap<string, string> {
  return readGraph(bytes, path).metadata;
}

/** The version of an ONNX file: first 12 hex digits of its SHA-256. */
export function onnxVersion(bytes: Uint8Array): string {
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
      `${path} is not an ONNX model (${error.message}); export it again, or take ` +
        "another copy",
      { cause: error },
    );
  }
  if (graph.refused !== undefined) {
    throw new ModelError(
      `${path} cannot be used, because it has ${graph.refused}; export the ` +
        "model without it",
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

/** Throws ModelError if the model gives no score where values are missing. */
async function tryMissing(scorer: Scorer, path: string): Promise<void> {
  const { inputs, nullable = [] } = scorer;
  if (nullable.length === 0) return;
  const row = inputs.map((name) => nullable.includes(name) ? NaN : 0);
  try {
    await scorer.score(Float64Array.from(row), 1, new Float64Array(1));
  } catch (error) {
    throw new ModelError(
      `${path} gives no score where a value is missing, and ${nullable[0]} ` +
        "can be; train a model that takes missing values, such as boosted trees",
      { cause: error },
    );
  }
}

function sessionScorer(ready: Ready): Scorer {
  const { inputs, nullable } = ready;
  const places = nullable.map((name) => inputs.indexOf(name));
  const scorer: Scorer = {
    inputs,
    nullable,
    async score(values, rows, scores) {
      checkRows(inputs, values, rows, scores, places);
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
  ready: Ready,
  values: Float64Array,
  from: number,
  to: number,
  scores: Float64Array,
): Promise<void> {
  const { path, session, inputs, matrices, output } = ready;
  const { Tensor } = await loadOnnxRuntime();
  const rows = to - from;
  const feeds: Record<string, OnnxTensor> = {};
  const place = { at: from * inputs.length, step: inputs.length };
  for (const matrix of matrices) {
    const { name, type, columns, isList } = matrix;
    const data = filled(matrix, rows, values, place, path);
    feeds[name] = new Tensor(type, data, isList ? [rows] : [rows, columns]);
    place.at += columns;
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
  takeScores(found, ready, from, to, scores);
  found.dispose();
}

/** The arrays that the runtime takes for these types. */
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  bool: Uint8Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
} as const satisfies Record<InputType, unknown>;

/** The numbers of a matrix: those at `place` in the first row, `step` further in each other. Throws ModelError if whole numbers are required and others are present. */
function filled(
  { name, type, columns }: Matrix,
  rows: number,
  values: Float64Array,
  place: { readonly at: number; readonly step: number },
  path: string,
): InstanceType<typeof ARRAYS[InputType]> {
  const data = new ARRAYS[type](rows * columns);
  const isFloat = type === "float32" || type === "float64";
  const [least, most] = isFloat ? [-Infinity, Infinity] : WHOLE_RANGES[type];
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const begin = place.at + row * place.step;
    for (let column = 0; column < columns; column++) {
      const value = values[begin + column];
      const fits = isFloat ||
        Number.isInteger(value) && value >= least && value <= most;
      if (!fits) {
        throw new ModelError(
          `${path}: its input ${name} takes whole numbers from ${least} to ` +
            `${most} (${type}), and a payment has ${value}; export it with ` +
            "float32 or float64 for it",
        );
      }
      if (data instanceof BigInt64Array) data[at++] = BigInt(value);
      else data[at++] = value;
    }
  }
  return data;
}

/** Reads the probability of a fraud; throws ModelError if there is none. */
function takeScores(
  { data, dims }: OnnxTensor,
  { path, isLogistic }: Ready,
  from: number,
  to: number,
  scores: Float64Array,
): void {
  const isNumbers = data instanceof Float32Array ||
    data instanceof Float64Array;
  const columns = dims.length === 1 ? 1 : dims[1];
  const isTable = dims.length === 2 || dims.length === 1 && isLogistic;
  if (!isNumbers || !isTable || dims[0] !== to - from) {
    throw new ModelError(
      `${path} answered ${to - from} rows by [${dims.join(", ")}]; export it ` +
        "for any number of rows",
    );
  }
  const isOne = columns === 1 && isLogistic;
  if (columns !== 2 && !isOne) {
    throw new ModelError(
      `${path} gave ${columns} probabilities per row instead of two: it was ` +
        "trained on other than the classes 0 and 1; train it on both",
    );
  }
  for (let row = from; row < to; row++) {
    const at = columns * (row - from);
    const fraud = data[at + columns - 1];
    const genuine = isOne ? 1 - fraud : data[at];
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

/** The runtime's message, without its prefix. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const message = text.split("ERROR_MESSAGE:").at(-1) ?? text;
  return message.trim().replaceAll(/\s*\n\s*/g, " ");
}
