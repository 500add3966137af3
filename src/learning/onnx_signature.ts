/**
 * What the inputs and outputs of an ONNX model mean: which of the stream's
 * inputs its columns are, and where it puts the probabilities. A model of which
 * that is not certain is refused.
 */
import { ModelError } from "../error/error.ts";
import type { OnnxSession } from "./onnx_runtime.ts";

/** Metadata property with the names of the inputs, in order: a list as JSON. */
export const INPUTS_PROPERTY = "fraudstream.inputs";

/** An input of a model: a matrix with a row for each payment. */
export interface Matrix {
  /** Its name in the model. */
  readonly name: string;
  /** The numbers that it takes. */
  readonly type: "float32" | "float64";
  /** How many of the inputs it takes. */
  readonly columns: number;
}

/** How a model is asked and answers. */
export interface Signature {
  /** Names of the inputs, column by column through the matrices. */
  readonly inputs: readonly string[];
  /** What it is given. */
  readonly matrices: readonly Matrix[];
  /** Name of the output with the probabilities of both classes. */
  readonly output: string;
}

/** A matrix whose width may be left open. */
interface OpenMatrix extends Omit<Matrix, "columns"> {
  readonly columns: number | undefined;
}

/** Beyond this a dimension is one that is left open. */
const DIMENSION_MAX = 2 ** 31;

/** The signature of a model that may use the `offered` inputs. Throws ModelError. */
export function readSignature(
  session: OnnxSession,
  metadata: ReadonlyMap<string, string>,
  offered: readonly string[],
  path: string,
): Signature {
  const found = readMatrices(session, path);
  const inputs = inputNames(found, metadata, offered, path);
  const matrices = found.map(({ columns, ...rest }) => {
    return { ...rest, columns: columns ?? inputs.length };
  });
  return { inputs, matrices, output: probabilityOutput(session, path) };
}

/** The inputs of the session. */
function readMatrices(session: OnnxSession, path: string): OpenMatrix[] {
  return session.inputMetadata.map((input) => {
    const { name, isTensor } = input;
    const type = isTensor ? input.type : "no tensor";
    const shape = isTensor ? input.shape : [];
    const isNumber = type === "float32" || type === "float64";
    if (!isNumber || shape.length !== 2) {
      throw new ModelError(
        `${path}: its input ${name} is ${type}[${shapeText(shape)}] and must ` +
          "be a matrix of float32 or float64, a row for each payment; export " +
          "it with such an input",
      );
    }
    const [, columns] = shape.map(dimension);
    return { name, type, columns };
  });
}

/** Names of the model's inputs, column by column. */
function inputNames(
  matrices: readonly OpenMatrix[],
  metadata: ReadonlyMap<string, string>,
  offered: readonly string[],
  path: string,
): readonly string[] {
  const told = toldNames(metadata, path);
  const widths = matrices.map(({ columns }) => columns);
  const open = widths.includes(undefined);
  const total = widths.reduce<number>((sum, width) => sum + (width ?? 0), 0);
  const named = !told && matrices.every(({ name, columns }) => {
    return columns === 1 && (matrices.length > 1 || offered.includes(name));
  });
  const names = told ?? (named ? matrices.map(({ name }) => name) : offered);
  const unknown = names.find((name) => !offered.includes(name));
  if (unknown !== undefined) {
    throw new ModelError(
      `${path} needs the input ${unknown}, which is none of those there are: ` +
        `${offered.join(", ")}; compute the features that it was trained on, ` +
        "or train it on these",
    );
  }
  const fits = open ? matrices.length === 1 : total === names.length;
  if (!fits) {
    const columns = open ? "inputs of open width" : `${total} inputs`;
    throw new ModelError(
      `${path} takes ${columns} and ` +
        (told
          ? `its metadata ${INPUTS_PROPERTY} name ${names.length}`
          : `there are ${names.length}`) +
        `; name the model's in its metadata ${INPUTS_PROPERTY}, in order`,
    );
  }
  return [...names];
}

function toldNames(
  metadata: ReadonlyMap<string, string>,
  path: string,
): string[] | undefined {
  const text = metadata.get(INPUTS_PROPERTY);
  if (text === undefined) return undefined;
  const names = parsed(text);
  const isList = Array.isArray(names) && names.length > 0 &&
    names.every((name) => typeof name === "string") &&
    new Set(names).size === names.length;
  if (isList) return names;
  throw new ModelError(
    `${path}: its metadata ${INPUTS_PROPERTY} must be a list of different ` +
      `names as JSON, not ${text.slice(0, 80)}`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Name of the output with the probabilities of the two classes. */
function probabilityOutput(session: OnnxSession, path: string): string {
  const outputs = session.outputMetadata;
  const possible = outputs.filter((output) => {
    if (!output.isTensor || !output.type.startsWith("float")) return false;
    // Without a shape it will be seen when rows are scored.
    const { shape } = output;
    const columns = shape.length === 2 ? dimension(shape[1]) : undefined;
    return shape.length === 0 ||
      shape.length === 2 && (columns === undefined || columns === 2);
  });
  const chosen = possible.find(({ name }) => /prob/i.test(name)) ?? possible[0];
  if (chosen !== undefined) return chosen.name;
  const texts = outputs.map((output) => {
    return output.isTensor
      ? `${output.name} ${output.type}[${shapeText(output.shape)}]`
      : output.name;
  });
  throw new ModelError(
    `${path} has no probabilities of two classes among its outputs ` +
      `(${texts.join(", ")}); export a classifier that was trained on frauds ` +
      "(1) and genuine payments (0), not a regression",
  );
}

/** A dimension, undefined where it is left open. */
function dimension(size: number | string): number | undefined {
  return typeof size === "number" && size > 0 && size < DIMENSION_MAX
    ? size
    : undefined;
}

function shapeText(shape: readonly (number | string)[]): string {
  return shape.map((size) => dimension(size) ?? "?").join(", ");
}
