/**
 * What the inputs and outputs of an ONNX model mean: which of the stream's
 * inputs its columns are, and where it puts the probabilities. A model for
 * which this is not certain is refused.
 */
import { ModelError } from "../../base/error.ts";
import type { OnnxGraph } from "./onnx_graph.ts";
import type { OnnxSession } from "./onnx_runtime.ts";

/** Metadata property with the names of the inputs, in order: a list as JSON. */
export const INPUTS_PROPERTY = "fraudstream.inputs";

/** Least and greatest whole number that an input of such a type takes. */
export const WHOLE_RANGES = {
  bool: [0, 1],
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
} as const;

/** A type of whole numbers. */
export type WholeType = keyof typeof WHOLE_RANGES;

/** The types of numbers that inputs may have. */
export type InputType = "float32" | "float64" | WholeType;

/** An input of a model: a matrix with a row, or a list with a number, for each payment. */
export interface Matrix {
  /** Its name in the model. */
  readonly name: string;
  /** The numbers that it takes. */
  readonly type: InputType;
  /** How many of the inputs it takes. */
  readonly columns: number;
  /** Whether it is a list, without the dimension of columns. */
  readonly isList: boolean;
}

/** The values of a payment that a model may use. */
export interface OfferedInputs {
  /** The names, in order. */
  readonly names: readonly string[];
  /** Whether the input of that name, where it has a value, is a whole number. */
  isWhole(name: string): boolean;
  /** Names of those whose values may be missing; left out, none may be. */
  readonly nullable?: readonly string[];
}

/** The inputs and outputs of a model. */
export interface Signature {
  /** Names of the inputs, column by column through the matrices. */
  readonly inputs: readonly string[];
  /** What it is given. */
  readonly matrices: readonly Matrix[];
  /** Name of the output with the probabilities: of both classes, or of a fraud alone. */
  readonly output: string;
  /** Whether that may be one probability, of a fraud. */
  readonly isLogistic: boolean;
}

/** A matrix whose width may be undefined. */
interface OpenMatrix extends Omit<Matrix, "columns"> {
  readonly columns: number | undefined;
}

/** A larger dimension counts as undefined. */
const DIMENSION_MAX = 2 ** 31;

/** The signature of a model that may use the `offered` inputs. Throws ModelError. */
export function readSignature(
  session: OnnxSession,
  { metadata, logisticOutputs }: OnnxGraph,
  offered: OfferedInputs,
  path: string,
): Signature {
  const found = readMatrices(session, path);
  const inputs = inputNames(found, metadata, offered.names, path);
  const matrices = found.map(({ columns, ...rest }) => {
    return { ...rest, columns: columns ?? inputs.length };
  });
  checkWhole(inputs, matrices, offered, path);
  const output = probabilityOutput(session, logisticOutputs, path);
  return { inputs, matrices, output, isLogistic: logisticOutputs.has(output) };
}

/** Throws ModelError if an input of whole numbers would get other numbers. */
function checkWhole(
  inputs: readonly string[],
  matrices: readonly Matrix[],
  offered: OfferedInputs,
  path: string,
): void {
  let first = 0;
  for (const { name, type, columns } of matrices) {
    const own = inputs.slice(first, first + columns);
    const broken = own.find((input) => !offered.isWhole(input));
    const missing = own.find((input) => offered.nullable?.includes(input));
    if (type in WHOLE_RANGES && (broken ?? missing) !== undefined) {
      throw new ModelError(
        `${path}: its input ${name} takes whole numbers (${type}), and ` +
          (broken === undefined
            ? `${missing} can be missing; `
            : `${broken} is not one; `) +
          "export it with float32 or float64 for it",
      );
    }
    first += columns;
  }
}

/** The inputs of the session. */
function readMatrices(session: OnnxSession, path: string): OpenMatrix[] {
  return session.inputMetadata.map((input) => {
    const { name, isTensor } = input;
    const type = isTensor ? input.type : "no tensor";
    const shape = isTensor ? input.shape : [];
    const isList = shape.length === 1;
    if (!isInputType(type) || !isList && shape.length !== 2) {
      throw new ModelError(
        `${path}: its input ${name} is ${type}[${shapeText(shape)}] and must ` +
          "be numbers or flags, [rows, columns] or [rows] with a row for each " +
          "payment; export it with such an input",
      );
    }
    const columns = isList ? 1 : dimension(shape[1]);
    return { name, type, columns, isList };
  });
}

function isInputType(type: string): type is InputType {
  return type === "float32" || type === "float64" ||
    Object.hasOwn(WHOLE_RANGES, type);
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
      `${path} needs the input ${unknown}, which does not exist here; there are: ` +
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

/** Name of the output with the probabilities of the two classes, or of a fraud alone from a logistic function. */
function probabilityOutput(
  session: OnnxSession,
  logistic: ReadonlySet<string>,
  path: string,
): string {
  const outputs = session.outputMetadata;
  const possible = outputs.filter((output) => {
    if (!output.isTensor || !output.type.startsWith("float")) return false;
    // Without a shape this is checked when rows are scored.
    const { shape } = output;
    const columns = shape.length === 2 ? dimension(shape[1]) : undefined;
    const isOne = shape.length === 1 || columns === 1;
    return shape.length === 0 || isOne && logistic.has(output.name) ||
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
      `(${texts.join(", ")}), and none from a Sigmoid; export a classifier ` +
      "that was trained on frauds (1) and genuine payments (0), not a " +
      "regression",
  );
}

/** A dimension; undefined if it is not fixed. */
function dimension(size: number | string): number | undefined {
  return typeof size === "number" && size > 0 && size < DIMENSION_MAX
    ? size
    : undefined;
}

function shapeText(shape: readonly (number | string)[]): string {
  return shape.map((size) => dimension(size) ?? "?").join(", ");
}
