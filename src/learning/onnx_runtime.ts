/**
 * The ONNX runtime, in WebAssembly and in the calling thread: no native code,
 * no network, no further threads. It is loaded when the first model is opened,
 * from the files of its npm package, which need the permission to be read.
 */
import type { InferenceSession, Tensor } from "onnxruntime-web";
import { ModelError } from "../error/error.ts";

/** What the models of this program use of the runtime. */
export type OnnxRuntime = typeof import("onnxruntime-web");

/** A model in the runtime. */
export type OnnxSession = InferenceSession;

/** Numbers in the runtime. */
export type OnnxTensor = Tensor;

/** Says nothing by itself: what fails is an error. */
const SILENT = { words: "fatal", number: 4 } as const;

let loading: Promise<OnnxRuntime> | undefined;

/** The runtime. Throws ModelError if its files may not be read. */
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

async function readBinary(): Promise<Uint8Array<ArrayBuffer>> {
  const url = import.meta.resolve(
    "onnxruntime-web/ort-wasm-simd-threaded.wasm",
  );
  try {
    return await Deno.readFile(new URL(url));
  } catch (error) {
    loading = undefined;
    throw new ModelError(
      `the ONNX runtime cannot be read (${url}); grant --allow-read for it, ` +
        "or give a model file that ends in .json",
      { cause: error },
    );
  }
}
