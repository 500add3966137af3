/**
 * The ONNX runtime, in WebAssembly and in the calling thread: no native code,
 * no network, no further threads. It is loaded, as a module, when the first
 * model is opened.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";

/** The part of the runtime that this program uses. */
export type OnnxRuntime = typeof import("onnxruntime-web");

/** A model in the runtime. */
export type OnnxSession = InferenceSession;

/** Numbers in the runtime. */
export type OnnxTensor = Tensor;

/** Silent: failures are errors. */
const SILENT = { words: "fatal", number: 4 } as const;

let loading: Promise<OnnxRuntime> | undefined;

/** The runtime. */
export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  loading ??= load();
  return loading;
}

/** Loads a model into the runtime; throws the runtime's error if it refuses it. */
export async function openSession(bytes: Uint8Array): Promise<OnnxSession> {
  const { InferenceSession } = await loadOnnxRuntime();
  return await InferenceSession.create(bytes, {
    executionProviders: ["wasm"],
    logSeverityLevel: SILENT.number,
  });
}

async function load(): Promise<OnnxRuntime> {
  keepWorkers();
  const runtime = await import("onnxruntime-web");
  const { env } = runtime;
  env.logLevel = SILENT.words;
  env.wasm.numThreads = 1;
  // As bytes, since the runtime would fetch an address.
  env.wasm.wasmBinary = await readBinary();
  return runtime;
}

/**
 * Prevents the runtime from replacing the global Worker with Node's when it
 * starts: later threads would be of another kind.
 */
function keepWorkers(): void {
  const own = globalThis.Worker;
  Object.defineProperty(globalThis, "Worker", {
    get: () => own,
    set: () => {},
    configurable: true,
  });
}

/** The runtime's code, as a module: which needs no permission to read files. */
async function readBinary(): Promise<Uint8Array<ArrayBuffer>> {
  const { default: binary } = await import(
    "onnxruntime-web/ort-wasm-simd-threaded.wasm",
    { with: { type: "bytes" } }
  );
  return binary;
}
