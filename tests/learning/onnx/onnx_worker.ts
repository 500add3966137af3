/** Opens the ONNX model that it is sent and answers the score of one row, from a thread as roles have it. */
import { openOnnxModel } from "../../../src/learning/onnx/onnx_model.ts";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import { offeredInputs } from "../../../src/scoring/open_model.ts";

const IS_WHOLE = offeredInputs(HANDBOOK_FEATURES).isWhole;

/** A model and a row for it. */
export interface OnnxQuestion {
  readonly bytes: Uint8Array;
  readonly inputs: readonly string[];
  readonly row: readonly number[];
}

declare const self: {
  onmessage: (event: MessageEvent<OnnxQuestion>) => void;
  /** A score, or what went wrong. */
  postMessage(message: number | string): void;
};

self.onmessage = async ({ data: { bytes, inputs, row } }) => {
  try {
    const { scorer } = await openOnnxModel(bytes, "m.onnx", {
      names: inputs,
      isWhole: IS_WHOLE,
    });
    const scores = new Float64Array(1);
    await scorer.score(Float64Array.from(row), 1, scores);
    self.postMessage(scores[0]);
  } catch (error) {
    self.postMessage(String(error));
  }
};
