/** `score`: scores the payments of files with a model, as a stream would, in one go. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import {
  featureCount,
  type FeatureParameters,
  type TotalsLayout,
  totalsLayout,
  totalsToValues,
} from "../../features/parameters.ts";
import {
  FeatureBlocks,
  type PaymentBlock,
} from "../../files/payment_features.ts";
import type { PaymentSource } from "../../files/payment_source.ts";
import type { TableWriter } from "../../files/table_writer.ts";
import { emptyPayment } from "../../payment/payment.ts";
import { CELL, PAYMENT_CELLS, toCells } from "../../payment/payment_cells.ts";
import {
  emptyPredictions,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../payment/prediction.ts";
import { strongest } from "../../payment/prediction_json.ts";
import { AlertJudge, type AlertPolicy } from "../../scoring/alert_policy.ts";
import { CellScorer } from "../../scoring/cell_scorer.ts";
import {
  BUILT_IN_MODEL,
  type ModelInUse,
  modelInUse,
  openModel,
} from "../../scoring/open_model.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import type { TextHeap } from "../../payment/text_heap.ts";
import { DEFINITION_FLAGS } from "../flags/definition_flags.ts";
import { FEATURE_FLAGS, type FeatureOptions } from "../flags/feature_flags.ts";
import { requireFlag, someOf } from "../flags/flag_value.ts";
import {
  featuresOfPayments,
  INPUT_FLAGS,
  readFileFlags,
} from "../flags/payment_flags.ts";
import { ALERT_FLAGS, readPolicy } from "../flags/scoring_flags.ts";
import { PaymentTable } from "../output/payment_table.ts";
import { openProgress } from "../output/progress.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { checkOutput, tableFormat } from "../output/table_output.ts";
import { elapsed, writeError } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { listenForStop } from "../signals.ts";
import {
  openInput,
  TABLE_FLAGS,
  throwIfTableStopped,
} from "./files_to_table.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    in: TABLE_FLAGS.in,
    model: {
      value: "<file>",
      help:
        "required: model file (.json of './fraudstream train', or .onnx), or " +
        BUILT_IN_MODEL,
    },
    out: TABLE_FLAGS.out,
    format: TABLE_FLAGS.format,
    with: {
      value: "<list>",
      help: "also write the label and the features: label,features",
      read: someOf(["label", "features"]),
    },
    ...ALERT_FLAGS.flags,
    ...DEFINITION_FLAGS.flags,
    ...INPUT_FLAGS.flags,
    start: TABLE_FLAGS.start,
    force: TABLE_FLAGS.force,
  },
} as const satisfies FlagGroup;

type ScoreOptions = FlagValues<typeof FLAGS> & FeatureOptions;

const EXAMPLES = `
Examples:
  ./fraudstream score --in data --model=model.json --out scores.parquet
  ./fraudstream score --in day.csv --model=model.onnx --out scores.csv \\
    --alert-threshold=0.3
  ./fraudstream score --in fraudTest.csv --definition=sparkov \\
    --model=model.json --out scores.parquet
  ./fraudstream score --in data --model=model.json --out - --format=jsonl \\
    --with=label,features | head

To score a stream as it runs, give the model to run: ./fraudstream run
--model=model.json. (The part of run that does so is --role=scorer.)
`;

/** The command. */
export const SCORE_COMMAND: CommandDeclaration = defineCommand({
  name: "score",
  summary: "score the payments in files with a model",
  description:
    "Computes the features of payments in files, scores the payments with a " +
    "model, and writes one table: the columns of export --table=predictions, " +
    "in order of TX_DATETIME. Scores are those that run --model gives the " +
    "same payments, bit for bit, and so are the alerts of a threshold; daily " +
    "quotas are those of a stream with one partition. The features are those " +
    "that the model was trained on, unless flags choose others.",
  flags: [FLAGS, FEATURE_FLAGS],
  examples: EXAMPLES,
  run: score,
});

async function score(options: ScoreOptions): Promise<void> {
  const startMs = performance.now();
  const example = "score --in data --model=model.json --out scores.csv";
  const input = requireFlag("--in", options.in, example);
  const path = requireFlag("--model", options.model, example);
  const out = requireFlag("--out", options.out, example);
  const format = tableFormat("--out", out, options.format);
  const policy = readPolicy(options, 1);
  const force = options.force ?? false;
  await checkOutput({ out, force, format, input });
  const opened = openModel(path);
  const choice = readFileFlags(input, options);
  const features = featuresOfPayments(choice, options, opened.features);
  const model = await modelInUse(opened, features);
  using stop = listenForStop();
  const { signal } = stop;
  const { source } = await openInput(choice, out);
  const parts = options.with ?? [];
  const table = new PaymentTable({
    parts: [
      "payment",
      "prediction",
      ...parts.filter((part) => source.isLabelled || part !== "label"),
    ],
    features,
    shape: source.shape,
    format,
  });
  await using writer = await table.open(out, format);
  const explainsAll = options.explain === "all";
  const { shape } = source;
  const scorer = new BlockScorer(model, {
    shape,
    features,
    policy,
    explainsAll,
  });
  try {
    const { rows, alerts } = await fillTable(source, {
      scorer,
      features,
      table,
      writer,
      signal,
    });
    signal.throwIfAborted();
    await writer.close();
    writeError(
      `${counted(rows, "payment")}, ${counted(alerts, "alert")}, ` +
        `${elapsed(startMs)}\n` + skippedRows(source.skipped),
    );
  } catch (error) {
    throwIfTableStopped(signal, out);
    throw error;
  }
}

/** Scores and writes block after block. */
async function fillTable(
  source: PaymentSource,
  { scorer, features, table, writer, signal }: {
    readonly scorer: BlockScorer;
    readonly features: FeatureParameters;
    readonly table: PaymentTable;
    readonly writer: TableWriter;
    readonly signal: AbortSignal;
  },
): Promise<{ rows: number; alerts: number }> {
  const blocks = new FeatureBlocks(features, source.shape);
  using progress = openProgress("scoring", source.progress.total);
  const reading = (rows: number) =>
    progress.update(0, `${counted(rows, "row")} read`);
  let rows = 0;
  for await (const batch of source.batches(signal, reading)) {
    for (const block of blocks.totals(batch)) {
      const { cells, page } = await scorer.score(block);
      table.clear(block.count);
      for (let row = 0; row < block.count; row++) {
        const from = row * block.width;
        table.add(cells, row * scorer.width, block.values, from, block.texts);
        table.predict(page, row);
      }
      await table.write(writer);
      rows += block.count;
      progress.update(source.progress.done, counted(rows, "payment"));
    }
  }
  return { rows, alerts: scorer.alerts };
}

/** Scores blocks of payments in their order, as a scorer of one partition does. */
class BlockScorer {
  /** Cells of a row: a payment's, then its features' values. */
  readonly width: number;
  /** Alerts so far. */
  alerts = 0;
  readonly #hasTextCards: boolean;
  readonly #model: ModelInUse;
  readonly #scorer: CellScorer;
  readonly #judge: AlertJudge;
  readonly #explainsAll: boolean;
  readonly #layout: TotalsLayout;
  readonly #features: Float64Array;
  readonly #row = emptyPayment();
  #cells = new Float64Array(0);
  #page = emptyPredictions(0);

  constructor(
    model: ModelInUse,
    { shape, features, policy, explainsAll }: {
      readonly shape: PaymentShape;
      readonly features: FeatureParameters;
      readonly policy: AlertPolicy;
      readonly explainsAll: boolean;
    },
  ) {
    this.width = PAYMENT_CELLS + featureCount(features);
    this.#hasTextCards = shape.customerId === "text";
    this.#model = model;
    this.#scorer = new CellScorer(this.width);
    this.#judge = new AlertJudge(policy, {
      partition: 0,
      partitions: 1,
      lateDays: features.delayDays,
    });
    this.#explainsAll = explainsAll;
    this.#layout = totalsLayout(features);
    this.#features = new Float64Array(featureCount(features));
  }

  /** The payments of a block as rows of cells, and their predictions; valid until the next. Throws ModelError. */
  async score(
    block: PaymentBlock,
  ): Promise<{ cells: Float64Array; page: PredictionRows }> {
    const { count } = block;
    if (this.#cells.length < count * this.width) {
      this.#cells = new Float64Array(count * this.width);
      this.#page = emptyPredictions(count);
    }
    this.#takeRows(block);
    const [cells, page] = [this.#cells, this.#page];
    const scores = await this.#scorer.score(this.#model, cells, count);
    for (let row = 0; row < count; row++) {
      const at = row * PREDICTION_CELLS;
      const alert = this.#isAlert(row * this.width, scores[row], block.texts);
      page.cells[at + PREDICTION_CELL.score] = scores[row];
      page.cells[at + PREDICTION_CELL.alert] = alert ? 1 : 0;
      page.versions[row] = this.#model.version;
      page.contributions[row] = alert || this.#explainsAll
        ? this.#explanation(row)
        : null;
      if (alert) this.alerts++;
    }
    page.count = count;
    return { cells, page };
  }

  #takeRows({ count, read, values, width }: PaymentBlock): void {
    for (let row = 0; row < count; row++) {
      const at = row * this.width;
      read(row, this.#row);
      toCells(this.#row, this.#cells, at);
      totalsToValues(values, this.#layout, this.#features, row * width);
      this.#cells.set(this.#features, at + PAYMENT_CELLS);
    }
  }

  #isAlert(at: number, score: number, texts: TextHeap): boolean {
    const card = this.#cells[at + CELL.customer];
    const time = this.#cells[at + CELL.time];
    if (this.#judge.begins(time)) this.#judge.begin(time);
    return this.#judge.decide(
      this.#hasTextCards ? texts.text(card) ?? "" : card,
      time,
      score,
    );
  }

  /** What pushed a score most, as JSON; null where the model does not tell. */
  #explanation(row: number): string | null {
    const contributions = this.#scorer.explain(row);
    if (!contributions) return null;
    const { inputs } = this.#model.scorer;
    return JSON.stringify(Object.fromEntries(
      strongest(contributions).map((at) => [inputs[at], contributions[at]]),
    ));
  }
}
