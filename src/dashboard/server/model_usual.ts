/** What is usual for the inputs of the models that have scored, from their files: read once each. */
import type { UsualValues } from "../../learning/explain/usual_values.ts";
import { openVersion } from "../../scoring/model_registry.ts";
import { BUILT_IN_MODEL, openModel } from "../../scoring/open_model.ts";
import type { UsualOf } from "../views/alert_reasons.ts";

/** A file that cannot be read is tried again in so long. */
const RETRY_MS = 10_000;
/** Models whose values are kept. */
const KEPT_MAX = 100;

/** Looks in a single file, in the built-in model and in a registry, where there are any. */
export function usualValues(
  { models, file }: {
    /** The registry's folder. */
    readonly models: string | undefined;
    /** The file of the only model. */
    readonly file: string | undefined;
  },
): UsualOf {
  const known = new Map<
    string,
    { readonly usual: UsualValues | undefined; readonly until: number }
  >();
  const read = (version: string): UsualValues | undefined => {
    if (file !== undefined) {
      const model = openModel(file);
      if (model.version === version) return model.trained?.usual;
    }
    // A page in another process has no model in its settings, and the folder's may have changed since.
    const builtIn = openModel(BUILT_IN_MODEL);
    if (builtIn.version === version) return builtIn.trained?.usual;
    return models === undefined
      ? undefined
      : openVersion(models, version).trained?.usual;
  };
  return (version) => {
    const found = known.get(version);
    if (found && performance.now() < found.until) return found.usual;
    let usual: UsualValues | undefined;
    let until = Infinity;
    try {
      usual = read(version);
    } catch {
      // Sentences do without, until the file is there.
      until = performance.now() + RETRY_MS;
    }
    if (known.size >= KEPT_MAX) known.clear();
    known.set(version, { usual, until });
    return usual;
  };
}
