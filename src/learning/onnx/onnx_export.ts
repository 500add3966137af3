/**
 * Models that were trained here as ONNX, for other runtimes and languages: an
 * input X, a row for each payment; outputs label and probabilities, as
 * scikit-learn's converter has them.
 *
 * X is float64, as are the features, so that every row takes the same path
 * through the trees as here. In float32, which some programs need, values come
 * together that a threshold parts: thresholds are then rounded as values are,
 * so what is at most the threshold stays so, and what is above it by less than
 * float32 can tell goes left as well. Computed is in float64 either way. Field
 * numbers are those of onnx.proto.
 */
import { kindOf } from "../kinds/kinds.ts";
import type { ModelBody } from "../kinds/model.ts";
import { INPUTS_PROPERTY } from "./onnx_signature.ts";
import {
  DOUBLE,
  FLOAT,
  type InputNumbers,
  INT64,
  integerAttribute,
  ML_DOMAIN,
  node,
} from "./onnx_writer.ts";
import {
  concatenate,
  integerField,
  messageField,
  textField,
} from "./protobuf.ts";

/** Form of the file: read by every runtime since ONNX 1.10. */
const IR_VERSION = 8;
const OPSET = 13;

/** Version of the operators of machine learning. */
const ML_OPSET = 3;

/**
 * The ONNX file of a model over `inputs`, which come as `numbers`. `metadata`
 * is kept in the file beside the names of the inputs. Throws ModelError if
 * float32 cannot hold a threshold.
 */
export function toOnnx(
  body: ModelBody,
  inputs: readonly string[],
  numbers: InputNumbers,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const { nodes, constants } = kindOf(body.kind).onnx(body, numbers);
  const type = numbers === "float64" ? DOUBLE : FLOAT;
  const graph = [
    node("Cast", ["X"], ["values"], [integerAttribute("to", DOUBLE)]),
    ...nodes,
    textField(2, body.kind),
    ...constants,
    messageField(11, valueInfo("X", type, ["rows", inputs.length])),
    messageField(12, valueInfo("label", INT64, ["rows"])),
    messageField(12, valueInfo("probabilities", FLOAT, ["rows", 2])),
  ];
  const properties = {
    ...metadata,
    [INPUTS_PROPERTY]: JSON.stringify(inputs),
  };
  return concatenate([
    integerField(1, IR_VERSION),
    textField(2, "fraudstream"),
    messageField(7, graph),
    messageField(8, [textField(1, ""), integerField(2, OPSET)]),
    messageField(8, [textField(1, ML_DOMAIN), integerField(2, ML_OPSET)]),
    ...Object.entries(properties).map(([name, value]) => {
      return messageField(14, [textField(1, name), textField(2, value)]);
    }),
  ]);
}

/** A ValueInfoProto; a dimension with a name is open. */
function valueInfo(
  name: string,
  type: number,
  dims: readonly (number | string)[],
): Uint8Array[] {
  const shape = dims.map((dim) =>
    messageField(1, [
      typeof dim === "number" ? integerField(1, dim) : textField(2, dim),
    ])
  );
  const tensorType = [integerField(1, type), messageField(2, shape)];
  return [textField(1, name), messageField(2, [messageField(1, tensorType)])];
}
