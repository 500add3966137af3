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
  const collector = new StatisticsCollector(features);
  rows.forEach((row, at) => {
    const numbers = Float64Array.from(values[at] ?? []);
    collector.add({ ...emptyPayment(), ...row }, numbers, 0);
  });
  return collector.finish();
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
  const collector = new StatisticsCollector(names);
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
    currency: "EUR",
    model: undefined,
  };
}
