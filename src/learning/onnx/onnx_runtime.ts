/**
 * The ONNX runtime, in WebAssembly and in the calling thread: no native code,
 * no network, no further threads. It is loaded, as a module, when the first
 * model is opened.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";

/** What the models of this program use of the runtime. */
export type OnnxRuntime = typeof import("onnxruntime-web");

/** A model in the runtime. */
export type OnnxSession = InferenceSession;

/** Numbers in the runtime. */
export type OnnxTensor = Tensor;

/** Says nothing by itself: what fails is an error. */
const SILENT = { words: "fatal", number: 4 } as const;

let loading: Promise<OnnxRuntime> | undefined;

/** The runtime. */
export function loadOnnxRuntime(): Promise<OnnxRuntime> {
  loading ??= load();
  return loading;
}

/** Gives a model to the runtime; throws whatever the runtime does not like about it. */
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
  // Given as bytes: by its address the runtime would fetch it.
  env.wasm.wasmBinary = await readBinary();
  return runtime;
}

/**
 * Lets nobody replace the global Worker, as the runtime does with that of Node
 * when it starts: threads that are made later would be of another kind.
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
