/** `report`: what a data set looks like, as a page, as figures, or as text on the terminal. */
import { extname } from "node:path";
import {
  type CommandDeclaration,
  defineCommand,
  type Source,
} from "../command.ts";
import { type FlagGroup, type FlagValues, givenFlags } from "../flags/flag.ts";
import { ConfigError } from "../../base/error.ts";
import {
  featureNames,
  type FeatureParameters,
} from "../../features/parameters.ts";
import { fileError } from "../../base/file_error.ts";
import { STANDARD_STREAM, writeOutput } from "../../base/output_file.ts";
import {
  figuresOf,
  type ReportData,
  type Section,
} from "../../report/content.ts";
import type { RulesTried } from "../../report/backtest_sections.ts";
import { StatisticsCollector } from "../../report/data_statistics.ts";
import { htmlPage } from "../../report/html_page.ts";
import { openPngRenderer } from "../../report/png.ts";
import { REPORT_TITLE, reportSections } from "../../report/sections.ts";
import { standaloneSvg } from "../../report/svg.ts";
import { amountForm } from "../../report/numbers.ts";
import { textReport } from "../../report/text_report.ts";
import { emptyPayment, INT_MAX } from "../../payment/payment.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
  storePlace,
} from "../flags/connection_flags.ts";
import {
  DATA_FLAGS,
  type DataOptions,
  readDataFlags,
} from "../flags/data_flags.ts";
import { FEATURE_FLAGS, type FeatureOptions } from "../flags/feature_flags.ts";
import type { PaymentChoice } from "../../files/payment_source.ts";
import { BadRows } from "../output/bad_rows.ts";
import { checkOutput } from "../output/table_output.ts";
import { oneOf, requireFlag, wholeNumber } from "../flags/flag_value.ts";
import {
  featuresOfPayments,
  INPUT_FLAGS,
  readFileFlags,
} from "../flags/payment_flags.ts";
import { DEFINITION_FLAGS } from "../flags/definition_flags.ts";
import { openPaymentsShown } from "../output/opening.ts";
import { formatDate } from "../../payment/calendar.ts";
import { openProgress } from "../output/progress.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { warnings } from "../output/warnings.ts";
import {
  BUILT_IN_MODEL,
  type OpenedModel,
  openModel,
} from "../../scoring/open_model.ts";
import { namesModelFile } from "../flags/model_flags.ts";
import { openStoredStream } from "../../stream/stored_stream.ts";
import { tryRules } from "./backtest.ts";
import { requireAllStored, requireStoredRows } from "./stored_rows.ts";
import { JudgedModel } from "../../report/judged_model.ts";
import {
  computedSource,
  type ReportSource,
  storedSource,
} from "../../report/report_source.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { elapsed, writeError, writeResult } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    out: {
      value: "<path>",
      help: "file for html, or - for stdout; folder for svg, png",
    },
    format: {
      value: "<format>",
      help: "html, svg or png",
      read: oneOf(["html", "svg", "png"]),
      default: "html",
    },
    model: { value: "<file>", help: "also show the curves of this model" },
    rules: {
      value: "<file>",
      help:
        "also show what these rules would have decided about the payments " +
        "of a stream",
    },
    customer: {
      value: "<id>",
      help: "customer whose terminals are shown",
      read: wholeNumber(0, INT_MAX),
      default: "the first with terminals in reach",
    },
    force: { help: "overwrite existing files" },
    in: {
      value: "<path>",
      help: "folder of day files, a file, or - for stdin",
    },
    ...DEFINITION_FLAGS.flags,
    ...INPUT_FLAGS.flags,
  },
} as const satisfies FlagGroup;

type ReportOptions =
  & FlagValues<typeof FLAGS>
  & DataOptions
  & FeatureOptions
  & ConnectionOptions;

type ReportFormat = "html" | "svg" | "png";

/** Width of figures in separate files, in pixels. */
const FIGURE_WIDTH = 720;
const SMALL_FIGURE_WIDTH = 360;

const EXAMPLES = `
Examples:
  ./fraudstream report
      the handbook's data set, on the terminal
  ./fraudstream report --out report.html
  ./fraudstream report --in data --out report.html
  ./fraudstream report --data=./fraudstream-data --out report.html
  ./fraudstream report --data=shop --rules=new.yaml --out report.html
  ./fraudstream report --preset=seed --format=png --out figures
`;

/** The command. */
export const REPORT_COMMAND: CommandDeclaration = defineCommand({
  name: "report",
  summary: "describe a data set as text, HTML or pictures",
  description:
    "Describes payments: customers and terminals, amounts, times, days, " +
    "frauds, features, a model's curves, and what rules would have decided. " +
    "Writes one HTML file, figures in a folder or, without --out, text to the terminal. Without --in and " +
    "the flags of a stream, it uses the data set of the data flags, made " +
    "in memory.",
  flags: [FLAGS, DATA_FLAGS, FEATURE_FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: (options, sourceOf) => {
    // Variables that name a stream count only where no flag says that the
    // payments come from elsewhere.
    const from = (source: Source) =>
      CONNECTION_FLAGS.some(({ flags }) => {
        return Object.keys(flags).some((key) => sourceOf(key) === source);
      });
    return report(options, {
      byFlag: from("flag"),
      byVariable: from("variable"),
    });
  },
});

function openJudged(path: string): OpenedModel {
  if (namesModelFile(path)) return openModel(path);
  throw new ConfigError(
    `--model=${path}: only model files that end in .json or .onnx, and ` +
      `${BUILT_IN_MODEL}, can be read`,
  );
}

/** Whether flags or variables say where a stream is. */
interface StreamNamed {
  readonly byFlag: boolean;
  readonly byVariable: boolean;
}

async function report(
  options: ReportOptions,
  named: StreamNamed,
): Promise<void> {
  const startMs = performance.now();
  const output = await chooseOutput(options);
  const model = options.model === undefined
    ? undefined
    : new JudgedModel(openJudged(options.model));
  const kind = chooseSource(options, named, model?.features !== undefined);
  if (options.rules !== undefined && kind !== "store") {
    throw new ConfigError(
      "--rules needs the decisions that a stream has stored; name the stream, " +
        "for example by --data=fraudstream-data",
    );
  }
  const input = inputOf(kind, options, model?.features);
  // Before the signal handler is set: a simulation could not be stopped
  // otherwise.
  const payments = input && await openPaymentsShown(input.choice);
  using stop = listenForStop();
  const { signal } = stop;
  try {
    const use = async (source: ReportSource, tried?: RulesTried) => {
      const gathered = await gather(source, options, model, signal);
      const data = { ...gathered, rules: tried };
      if (payments) writeError(skippedRows(payments.skipped));
      await write(data, output, signal);
      if (output === undefined || output.out === STANDARD_STREAM) return;
      writeError(
        `${counted(data.statistics.payments, "payment")}, ` +
          `${elapsed(startMs)}; ${output.format} in ${output.out}\n`,
      );
    };
    if (!payments) await useStored(options, signal, use);
    else {
      const { choice, features } = input;
      await use(await computedSource(payments, describe(choice), features));
    }
  } catch (error) {
    throwIfStopped(signal, () => "no report was written");
    throw error;
  }
}

type SourceKind = "simulated" | "files" | "store";

/** Flags that only a simulation takes: --start also applies to files, and --radius to the figures. */
const { start: _start, radius: _radius, ...SIMULATED } = DATA_FLAGS.flags;

/** Flags that only files take; rows of a store can be skipped too. */
const { skipBadRows: _skip, ...FILE_FLAGS_OF } = {
  ...DEFINITION_FLAGS.flags,
  ...INPUT_FLAGS.flags,
};
const FILE_FLAGS = { flags: FILE_FLAGS_OF };

/** Where the payments come from; throws ConfigError for flags that contradict each other. */
function chooseSource(
  options: ReportOptions,
  named: StreamNamed,
  featuresKnown: boolean,
): SourceKind {
  const refuse = (flag: string, why: string) => {
    throw new ConfigError(`${flag} has no effect with ${why}; leave it out`);
  };
  const [dataFlag] = givenFlags({ flags: SIMULATED }, options);
  const [featureFlag] = givenFlags(FEATURE_FLAGS, options);
  if (featureFlag && featuresKnown) {
    refuse(featureFlag, "--model, which has its own features");
  }
  if (options.in !== undefined) {
    if (dataFlag) refuse(dataFlag, "--in");
    if (named.byFlag) {
      throw new ConfigError(
        "--in and the flags of a stream each say where payments come from; " +
          "leave one of them out",
      );
    }
    return "files";
  }
  const [fileFlag] = givenFlags(FILE_FLAGS, options);
  if (fileFlag) refuse(fileFlag, "no --in");
  const simulated = dataFlag !== undefined || options.start !== undefined;
  if (named.byFlag || (named.byVariable && !simulated)) {
    if (dataFlag) refuse(dataFlag, "the flags of a stream");
    if (options.start !== undefined) refuse("--start", "the flags of a stream");
    if (featureFlag) {
      refuse(featureFlag, "a stream, which has features already");
    }
    return "store";
  }
  if (options.skipBadRows) {
    refuse("--skip-bad-rows", "a simulated data set, which has none");
  }
  if (options.days === 0) {
    throw new ConfigError(
      "--days=0 has no end; a report needs one: give a number of days",
    );
  }
  return "simulated";
}

/** The payments whose features are computed, and these; undefined for those of a store, which has them. Throws ConfigError. */
function inputOf(
  kind: SourceKind,
  options: ReportOptions,
  trained: FeatureParameters | undefined,
): { choice: PaymentChoice; features: FeatureParameters } | undefined {
  if (kind === "store") return undefined;
  const choice: PaymentChoice = kind === "simulated"
    ? { kind, simulation: readDataFlags(options) }
    : readFileFlags(options.in ?? "", options);
  return { choice, features: featuresOfPayments(choice, options, trained) };
}

function describe(choice: PaymentChoice): string {
  if (choice.kind !== "simulated") {
    const { path } = choice.files;
    return `payments in ${path === STANDARD_STREAM ? "stdin" : path}`;
  }
  const { parameters, rng, seed } = choice.simulation;
  const { customers, terminals, days, startSeconds, radius } = parameters;
  const chance = rng === "handbook"
    ? "simulated as in the handbook"
    : `simulated with seed '${seed}'`;
  return `${chance}, ${counted(customers, "customer")}, ` +
    `${counted(terminals, "terminal")}, ${counted(days, "day")} from ` +
    `${formatDate(startSeconds)}, radius ${radius}`;
}

/** Passes what a stream has stored to `use`. Throws DataError if that is nothing, LogError if it is not what the log has led to. */
async function useStored(
  options: ReportOptions,
  signal: AbortSignal,
  use: (source: ReportSource, tried?: RulesTried) => Promise<void>,
): Promise<void> {
  const connection = readConnection(options);
  const badRows = new BadRows(options.skipBadRows ?? false);
  const report = warnings("report");
  await using stream = await openStoredStream(connection, report);
  const rows = await requireStoredRows(connection, stream, report);
  await using _closed = rows.store;
  const source = await storedSource({
    ...rows,
    log: stream.log,
    description: `the store in ${storePlace(connection)}`,
    badRow: badRows.handle,
    report,
  });
  const tried = options.rules === undefined
    ? undefined
    : await tryRules({ rules: options.rules }, {
      ...rows,
      stream,
      // The other pass names them.
      onBadRow: new BadRows(options.skipBadRows ?? false).handle,
      signal,
    });
  await use(source, tried);
  badRows.tell();
  if (options.skipBadRows) return; // what is left out has been named
  await requireAllStored(connection, stream, rows.store);
}

/** Passes over the payments once. */
async function gather(
  source: ReportSource,
  options: ReportOptions,
  model: JudgedModel | undefined,
  signal: AbortSignal,
): Promise<ReportData> {
  const { customers, terminals, description, features, shape } = source;
  const names = featureNames(features);
  checkCustomer(options.customer, source);
  const statistics = new StatisticsCollector({ features: names, shape });
  const scores = await model?.scores(features);
  const row = emptyPayment();
  const kept = new Float64Array(shape.kept.length);
  using progress = openProgress("statistics", source.progress.total);
  let payments = 0;
  for await (
    const block of source.blocks(signal, (rows) => {
      progress.update(0, `reading: ${counted(rows, "row")}`);
    })
  ) {
    const { count, read, readKept, values, first, width, texts } = block;
    for (let index = 0; index < count; index++) {
      const at = first + index * width;
      read(index, row);
      readKept(index, kept, 0);
      statistics.add(row, values, at, { kept, texts });
      if (scores?.wants(row)) await scores.add(row, values, at);
    }
    payments += count;
    progress.update(source.progress.done, counted(payments, "payment"));
  }
  const curves = scores && await model?.curves(scores);
  const missing = scores && !curves && model?.whyNoCurves();
  if (missing) writeError(`${missing}\n`);
  const radius = options.radius ?? readDataFlags({}).parameters.radius;
  const finished = statistics.finish();
  return {
    source: description,
    statistics: finished,
    customers,
    terminals,
    radius,
    customerId: options.customer,
    shape,
    amounts: amountForm(shape),
    declared: source.features.declared,
    genuineAfterDays: source.genuineAfterDays,
    model: curves,
  };
}

function checkCustomer(
  customer: number | undefined,
  { customers, description }: ReportSource,
): void {
  if (customer === undefined) return;
  if (customers?.some(({ customerId }) => customerId === customer)) return;
  if (customers === undefined) {
    throw new ConfigError(
      `--customer=${customer}: nothing says where customers and terminals ` +
        `are (${description}); leave --customer out`,
    );
  }
  throw new ConfigError(
    `--customer=${customer}: there is no such customer (${description})`,
  );
}

/** Where the report goes; undefined is text on stdout. */
interface Output {
  readonly out: string;
  readonly format: ReportFormat;
  readonly force: boolean;
}

async function chooseOutput(
  options: ReportOptions,
): Promise<Output | undefined> {
  const { force = false } = options;
  if (options.out === undefined && options.format === undefined) {
    return undefined;
  }
  const { format = "html" } = options;
  const example = format === "html"
    ? "report --out report.html"
    : `report --format=${format} --out figures`;
  const out = requireFlag("--out", options.out, example);
  const input = options.in;
  if (format === "html") {
    await checkOutput({ out, force, format, input });
    checkEnding(out);
  } else await checkFolder(out, force);
  return { out, format, force };
}

/** A page under another format's name would be opened by the wrong program. */
function checkEnding(out: string): void {
  const ending = extname(out).toLowerCase();
  if (["", ".html", ".htm"].includes(ending)) return;
  throw new ConfigError(
    `--out=${out} ends in ${ending}, but the report is HTML; name a file ` +
      `that ends in .html, or a folder with --format=svg or --format=png`,
  );
}

/** Figures go to a separate folder: created if missing, empty unless forced. */
async function checkFolder(out: string, force: boolean): Promise<void> {
  if (out === STANDARD_STREAM) {
    throw new ConfigError(
      "figures are several files; name a folder for them with --out",
    );
  }
  try {
    await Deno.mkdir(out, { recursive: true });
  } catch (error) {
    throw fileError(error, "make", out);
  }
  let present: Deno.DirEntry[];
  try {
    present = await Array.fromAsync(Deno.readDir(out));
  } catch (error) {
    throw fileError(error, "list", out);
  }
  if (present.length === 0 || force) return;
  throw new ConfigError(
    `--out=${out} is not empty; choose another folder, or overwrite figures ` +
      "in it with --force",
  );
}

async function write(
  data: ReportData,
  output: Output | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (output === undefined) {
    writeResult(textReport(REPORT_TITLE, data));
    return;
  }
  const sections = reportSections(data);
  if (output.format === "html") {
    const page = htmlPage(REPORT_TITLE, sections);
    await writeOutput(output.out, new TextEncoder().encode(page));
  } else await writeFigures(sections, data.source, output, signal);
}

async function writeFigures(
  sections: readonly Section[],
  source: string,
  { out, format }: Output,
  signal: AbortSignal,
): Promise<void> {
  const encode = format === "png"
    ? await openPngRenderer()
    : (svg: string) => new TextEncoder().encode(svg);
  for (const figure of figuresOf(sections)) {
    signal.throwIfAborted();
    const width = figure.small ? SMALL_FIGURE_WIDTH : FIGURE_WIDTH;
    const svg = standaloneSvg(figure.draw(width), figure, source);
    await writeOutput(`${out}/${figure.id}.${format}`, encode(svg));
  }
}
