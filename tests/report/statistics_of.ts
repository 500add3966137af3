/** Statistics and reports of small sets, as tests want them. */
import { FeatureOperator } from "../../src/features/feature_operator.ts";
import {
  featureCount,
  featureNames,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToValues,
} from "../../src/features/parameters.ts";
import type { ReportData } from "../../src/report/content.ts";
import {
  type DataStatistics,
  StatisticsCollector,
} from "../../src/report/data_statistics.ts";
import { amountForm } from "../../src/report/numbers.ts";
import { FRAUD_UNKNOWN } from "../../src/payment/payment_cells.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../src/payment/payment_shape.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import {
  HANDBOOK_PARAMETERS,
  type SimulatorParameters,
} from "../../src/simulator/parameters.ts";
import {
  emptyPayment,
  type Payment,
  readTableRow,
} from "../../src/payment/payment.ts";

/** Parameters of the reference set A. */
export const SET_A: SimulatorParameters = {
  ...HANDBOOK_PARAMETERS,
  customers: 50,
  terminals: 100,
  days: 30,
  radius: 10,
};

/** Parameters of the reference set B. */
export const SET_B: SimulatorParameters = {
  ...HANDBOOK_PARAMETERS,
  customers: 500,
  terminals: 100,
};

/** Statistics of payments without features. */
export function statisticsOf(
  rows: readonly Partial<Payment>[],
  features: readonly string[] = [],
  values: readonly (readonly number[])[] = [],
): DataStatistics {
  const collector = new StatisticsCollector({ features });
  rows.forEach((row, at) => {
    const numbers = Float64Array.from(values[at] ?? []);
    collector.add({ ...emptyPayment(), ...row }, numbers, 0);
  });
  return collector.finish();
}

/** A shape of text ids, dollars, and no scenarios; change what a test is about. */
export const OWN_SHAPE: PaymentShape = {
  ...HANDBOOK_SHAPE,
  transactionId: "text",
  customerId: "text",
  terminalId: "text",
  currency: "USD",
  hasScenario: false,
};

/** A payment of an own definition; what is missing is 0 or null. */
export interface OwnPayment {
  /** Its ids, texts or numbers as the shape has them. */
  readonly ids?: readonly [
    transaction: string | number,
    customer: string | number,
    terminal: string | number,
  ];
  /** TX_TIME_SECONDS of a stream that began on 2019-01-01. */
  readonly seconds?: number;
  /** TX_AMOUNT. */
  readonly amount?: number;
  /** TX_FRAUD; undefined for none. */
  readonly fraud?: number | undefined;
  /** Its kept fields. */
  readonly kept?: readonly (string | number | null)[];
}

const NO_VALUES = new Float64Array(0);
const OWN_START = Date.UTC(2019, 0, 1) / 1000;

/** The report of payments without features; a heap of texts for each, as if each came in a block of its own. */
export function ownReport(
  shape: PaymentShape,
  rows: readonly OwnPayment[],
): ReportData {
  const collector = new StatisticsCollector({ features: [], shape });
  const cells = new Float64Array(shape.kept.length);
  for (const row of rows) {
    const texts = new TextHeap();
    const cell = (value: string | number) =>
      typeof value === "number" ? value : texts.addText(value);
    const [transaction, customer, terminal] = row.ids ?? ["t", "c", "m"];
    const { seconds = 0, amount = 0, fraud = FRAUD_UNKNOWN, kept = [] } = row;
    for (const [at, { type }] of shape.kept.entries()) {
      const value = kept[at] ?? null;
      const none = type === "text" ? NO_TEXT : NaN;
      cells[at] = value === null ? none : cell(value);
    }
    collector.add(
      {
        transactionId: cell(transaction),
        customerId: cell(customer),
        terminalId: cell(terminal),
        datetimeSeconds: OWN_START + seconds,
        timeSeconds: seconds,
        amount,
        fraud,
        scenario: 0,
      },
      NO_VALUES,
      0,
      { kept: cells, texts },
    );
  }
  return {
    source: "a test",
    statistics: collector.finish(),
    customers: undefined,
    terminals: undefined,
    radius: 5,
    customerId: undefined,
    shape,
    amounts: amountForm(shape),
    model: undefined,
  };
}

/** The report of a simulated set. */
export function reportOf(parameters: SimulatorParameters): ReportData {
  const { table, customers, terminals, startSeconds } = simulateHandbook(
    parameters,
  );
  const names = featureNames(HANDBOOK_FEATURES);
  const operator = new FeatureOperator(HANDBOOK_FEATURES);
  const layout = totalsLayout(HANDBOOK_FEATURES);
  const totals = new Float64Array(featureCount(HANDBOOK_FEATURES));
  const values = new Float64Array(totals.length);
  const collector = new StatisticsCollector({ features: names });
  const row = emptyPayment();
  for (let index = 0; index < table.length; index++) {
    readTableRow(table, index, startSeconds, row);
    operator.process(row, totals);
    totalsToValues(totals, layout, values);
    collector.add(row, values, 0);
  }
  return {
    source: "a test",
    statistics: collector.finish(),
    customers,
    terminals,
    radius: parameters.radius,
    customerId: undefined,
    shape: HANDBOOK_SHAPE,
    amounts: amountForm(HANDBOOK_SHAPE),
    model: undefined,
  };
}
