/**
 * Where the scorer's model comes from while it runs: a file that may be
 * replaced, or a registry whose champion changes. Both are checked between
 * batches, at most four times a second; a broken one is logged once, and the model in
 * use stays.
 *
 * A registry is read in one of two ways. Live, its newest champion scores
 * whatever comes. Where payments wait (a replay, in which event time outruns
 * the clock), a payment gets the champion of its event day, and waits until
 * the trainer has decided about that day: the predictions are then a function
 * of the log.
 */
import { FileWatch } from "../base/file_watch.ts";
import type { FeatureParameters } from "../features/parameters.ts";
import type { Logger } from "../base/logger.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import {
  championAt,
  nextChangeAfter,
  openVersion,
  readRegistry,
  type Registry,
  registryPath,
} from "./model_registry.ts";
import {
  type ModelInUse,
  modelInUse,
  type OpenedModel,
  openModel,
} from "./open_model.ts";

/** Where the scorer finds its model. */
export type ModelPlace =
  /** A model's file. */
  | { readonly kind: "file"; readonly path: string }
  /** A registry, whose champion it is. */
  | {
    readonly kind: "registry";
    /** Its folder. */
    readonly folder: string;
    /** Whether payments wait for the decision of their day (see model_source.ts). */
    readonly waits: boolean;
  };

/** The model for payments of a time range. */
export interface Stretch {
  /** The scorer; undefined where there is no model yet. */
  readonly model: ModelInUse | undefined;
  /** TX_TIME_SECONDS from which on the model counts. */
  readonly from: number;
  /** TX_TIME_SECONDS before which the model counts. */
  readonly until: number;
}

/** Gives the scorer its model. */
export interface ModelSource {
  /** Checks for a change, if that is due: call it between batches. */
  refresh(): Promise<void>;
  /** The model of a payment of that time; undefined if it has to wait. */
  at(timeSeconds: number): Promise<Stretch | undefined>;
}

/** Models kept ready, where payments of several days alternate. */
const READY_MAX = 4;

/** Opens the source of a place. Throws ConfigError if a model does not fit the stream, DataError or ModelError if it cannot be read. */
export async function openModelSource(
  place: ModelPlace,
  features: FeatureParameters,
  logger: Logger,
): Promise<ModelSource> {
  const use: Use = (model) => modelInUse(model, features);
  if (place.kind === "registry") {
    return new RegistrySource(place, use, logger);
  }
  const source = new FileSource(place.path, use, logger, "");
  await source.load();
  return source;
}

/** Opens the source of a shadow model's file. Where it cannot be used there is no model until it is replaced, which is logged. */
export async function openShadowSource(
  path: string,
  features: FeatureParameters,
  logger: Logger,
): Promise<ModelSource> {
  const use: Use = (model) => modelInUse(model, features);
  const source = new FileSource(path, use, logger, "shadow ");
  await source.reload();
  return source;
}

type Use = (model: OpenedModel) => Promise<ModelInUse>;

class FileSource implements ModelSource {
  readonly #watch: FileWatch;
  readonly #use: Use;
  readonly #logger: Logger;
  /** Which model it is, in the log. */
  readonly #word: "" | "shadow ";
  #stretch: Stretch = always(undefined);
  /** Why the file was rejected last. */
  #rejected: string | undefined;

  constructor(
    path: string,
    use: Use,
    logger: Logger,
    word: "" | "shadow ",
  ) {
    this.#watch = new FileWatch(path);
    this.#use = use;
    this.#logger = logger;
    this.#word = word;
  }

  async refresh(): Promise<void> {
    if (await this.#watch.hasChanged()) await this.reload();
  }

  /** Takes the model in the file; throws where it cannot be used. */
  async load(): Promise<void> {
    // What is looked at first is read afterwards, so that no change is missed.
    await this.#watch.hasChanged();
    const { path } = this.#watch;
    const model = await this.#use(openModel(path));
    const instead = this.#stretch.model?.version;
    const { version } = model;
    this.#rejected = undefined;
    if (version === instead) return;
    this.#stretch = always(model);
    this.#logger.info(`${this.#word}model in use`, { version, instead, path });
  }

  /** Takes the model in the file; one that cannot be used is logged once. */
  async reload(): Promise<void> {
    try {
      await this.load();
    } catch (error) {
      const reason = messageOf(error);
      if (reason === this.#rejected) return;
      this.#rejected = reason;
      const version = this.#stretch.model?.version;
      this.#logger.warn(
        version === undefined
          ? `the ${this.#word}model cannot be used; it has no scores until its file is replaced`
          : `the new ${this.#word}model was rejected; keeping the model in use`,
        { version, error: reason },
      );
    }
  }

  at(): Promise<Stretch> {
    return Promise.resolve(this.#stretch);
  }
}

class RegistrySource implements ModelSource {
  readonly #folder: string;
  readonly #waits: boolean;
  readonly #use: Use;
  readonly #logger: Logger;
  readonly #watch: FileWatch;
  readonly #ready = new Map<string, ModelInUse>();
  #registry: Registry;
  #live: Stretch = always(undefined);

  constructor(
    place: ModelPlace & { kind: "registry" },
    use: Use,
    logger: Logger,
  ) {
    this.#folder = place.folder;
    this.#waits = place.waits;
    this.#use = use;
    this.#logger = logger;
    this.#watch = new FileWatch(registryPath(place.folder));
    this.#registry = readRegistry(place.folder);
  }

  async refresh(): Promise<void> {
    // A wait ends without delay.
    if (!this.#waits && !await this.#watch.hasChanged()) return;
    try {
      this.#registry = readRegistry(this.#folder);
    } catch (error) {
      this.#logger.warn(
        "the registry cannot be read; keeping the model in use",
        {
          error: messageOf(error),
        },
      );
      return;
    }
    if (this.#waits) return;
    const { champion } = this.#registry;
    const before = this.#live.model?.version;
    if (champion === null || champion === before) return;
    try {
      this.#live = always(await this.#model(champion));
    } catch (error) {
      this.#logger.warn("the champion was rejected; keeping the model in use", {
        version: before,
        champion,
        error: messageOf(error),
      });
    }
  }

  async at(timeSeconds: number): Promise<Stretch | undefined> {
    if (!this.#waits) return this.#live;
    const day = Math.floor(timeSeconds / DAY_SECONDS);
    const registry = this.#registry;
    if (day >= registry.decidedDay && !registry.ended) return undefined;
    const champion = championAt(registry, day);
    return {
      model: champion === null ? undefined : await this.#model(champion),
      from: day * DAY_SECONDS,
      until: Math.min(
        nextChangeAfter(registry, day),
        registry.ended ? Infinity : registry.decidedDay,
      ) * DAY_SECONDS,
    };
  }

  async #model(version: string): Promise<ModelInUse> {
    const known = this.#ready.get(version);
    if (known) return known;
    const model = await this.#use(openVersion(this.#folder, version));
    const [oldest] = this.#ready.keys();
    if (this.#ready.size === READY_MAX) this.#ready.delete(oldest);
    this.#ready.set(version, model);
    this.#logger.info("model in use", { version, path: model.path });
    return model;
  }
}

function always(model: ModelInUse | undefined): Stretch {
  return { model, from: -Infinity, until: Infinity };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
