/**
 * Models that score every payment of a stream beside the live one, so that
 * people see what they would do. They change nothing: one that fails is left
 * out, and the stream goes on.
 */
import type { Logger } from "../base/logger.ts";
import type { FeatureParameters } from "../features/parameters.ts";
import type { ShadowScores } from "../payment/prediction_json.ts";
import { CellScorer } from "./cell_scorer.ts";
import { type ModelSource, openShadowSource } from "./model_source.ts";

/** A model and the memory that its scores are in. */
interface Tried {
  readonly source: ModelSource;
  scorer: CellScorer | undefined;
  /** The version that failed last. */
  failed: string | undefined;
}

/** The shadow models of a scorer. */
export class ShadowModels {
  readonly #tried: readonly Tried[];
  readonly #logger: Logger;

  /** Tries the models of some sources. */
  constructor(sources: readonly ModelSource[], logger: Logger) {
    this.#tried = sources.map((source) => {
      return { source, scorer: undefined, failed: undefined };
    });
    this.#logger = logger;
  }

  /** Opens model files, each of which may be replaced; one that cannot be used is logged. */
  static async open(
    paths: readonly string[],
    features: FeatureParameters,
    logger: Logger,
  ): Promise<ShadowModels> {
    const sources: ModelSource[] = [];
    for (const path of paths) {
      sources.push(await openShadowSource(path, features, logger));
    }
    return new ShadowModels(sources, logger);
  }

  /** Takes replaced files; call it between batches. */
  async refresh(): Promise<void> {
    for (const { source } of this.#tried) await source.refresh();
  }

  /** The scores of the first `rows` rows of `width` cells by each model, valid until the next call; each version once. */
  async score(
    cells: Float64Array,
    rows: number,
    width: number,
  ): Promise<ShadowScores[]> {
    const found: ShadowScores[] = [];
    for (const tried of this.#tried) {
      const { model } = await tried.source.at(0) ?? {};
      if (!model) continue;
      const { version } = model;
      if (found.some((one) => one.version === version)) continue;
      tried.scorer ??= new CellScorer(width);
      try {
        const scores = await tried.scorer.score(model, cells, rows);
        found.push({ version, scores });
      } catch (error) {
        if (tried.failed === version) continue;
        tried.failed = version;
        this.#logger.warn("a shadow model failed; its scores are left out", {
          version,
          error: error instanceof Error ? error.message : String(error),
        });
      }
    }
    return found;
  }
}
