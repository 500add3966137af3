/** The section on features: how their values lie for genuine payments and for frauds, and how they go with fraud. */
import type { DeclaredFeatures } from "../features/declared_features.ts";
import { drawBars } from "./bar_chart.ts";
import type { Figure, ReportData, Section, Table } from "./content.ts";
import type { FeatureStatistics } from "./feature_statistics.ts";
import { countOf, grouped } from "../dashboard/page/scale.js";
import { inputFigure } from "./input_figure.ts";
import { knowsOutcomes } from "./payment_sections.ts";
import { featureWords } from "./feature_words.ts";
import type { Moments } from "./moments.ts";
import { signed, TABLE_DECIMALS } from "./numbers.ts";

const EMPTY = "There are no payments.";

/** The section. */
export function featureSection(
  { statistics, amounts, declared }: ReportData,
): Section {
  const { features } = statistics;
  const named: Namer = (name) => namedWords(name, declared);
  const known = knowsOutcomes(statistics);
  const heading = known
    ? "Features of genuine and fraudulent payments"
    : "Features of the payments";
  if (statistics.payments === 0) {
    return { id: "features", heading, blocks: [{ kind: "text", text: EMPTY }] };
  }
  return {
    id: "features",
    heading,
    blocks: [
      { kind: "text", text: introduction(known, features.length > 1) },
      {
        kind: "figures",
        figures: features.map((feature) => {
          return inputFigure(feature, {
            id: `feature_${feature.name}`,
            ...named(feature.name),
            unit: featureWords(feature.name, amounts, declared).unit,
            type: isFlag(feature) ? "flag" : "number",
            fromZero: true,
            known,
          });
        }),
      },
      ...known && features.length > 1
        ? [
          {
            kind: "figures",
            figures: [correlationFigure(features, named)],
          } as const,
        ]
        : [],
      { kind: "table", table: featureTable(features, known, named) },
    ],
  };
}

/** What the figures show; `known` as in InputWords. */
function introduction(known: boolean, hasWindows: boolean): string {
  return [
    known
      ? "Each figure shows how the values of both classes are spread: the " +
        "filled area is the share of the genuine payments in each bin, the " +
        "line the share of the frauds."
      : "Each figure shows how the values of all payments are spread.",
    "Values far out are not drawn; the text under the figure says how many.",
    ...hasWindows
      ? [
        "The windows of a terminal end before the label delay, since later " +
        "labels are not known yet.",
      ]
      : [],
  ].join(" ");
}

/** Whether a feature is 0 or 1 and nothing between. */
function isFlag({ name, values }: FeatureStatistics): boolean {
  return name.startsWith("TX_DURING_") && values.every((one) => {
    return one.bins().every(({ value }) => value === 0 || value === 1);
  });
}

/** Gives a feature's title and name. */
type Namer = (name: string) => { title: string; name?: string };

/** A feature's title, and its name where that is another. */
function namedWords(
  name: string,
  declared: DeclaredFeatures | undefined,
): { title: string; name?: string } {
  const { title } = featureWords(name, { currency: null }, declared);
  return title === name ? { title } : { title, name };
}

function correlationFigure(
  features: readonly FeatureStatistics[],
  named: Namer,
): Figure {
  const known = features.filter(({ correlation }) => !Number.isNaN(correlation))
    .toSorted((a, b) => b.correlation - a.correlation);
  const left = features.length - known.length;
  const strongest = known.toSorted((a, b) => {
    return Math.abs(b.correlation) - Math.abs(a.correlation);
  })[0];
  const none =
    "No correlation is defined: both classes and varying values are needed.";
  return {
    id: "correlation",
    title: "Correlation of the features with fraud",
    name: "TX_FRAUD",
    description: strongest
      ? `The strongest is ${signed(strongest.correlation)}: ` +
        `${named(strongest.name).title}.`
      : none,
    leftOut: strongest && left > 0
      ? `Not drawn: ${countOf(left, "constant feature")}, which ` +
        `${left === 1 ? "has" : "have"} no correlation.`
      : undefined,
    draw: (width) =>
      drawBars(
        known.map(({ name, correlation }) => ({
          name: named(name).title,
          under: named(name).name,
          value: correlation,
          text: signed(correlation),
          series: correlation < 0 ? 0 : 1,
        })),
        width,
        "There is no correlation.",
        "Pearson's correlation with TX_FRAUD, −1 to 1",
      ),
  };
}

function featureTable(
  features: readonly FeatureStatistics[],
  known: boolean,
  named: Namer,
): Table {
  const spread = ({ count, mean, deviation }: Moments) => {
    return [mean, deviation].map((value) => {
      return grouped(count === 0 ? NaN : value, TABLE_DECIMALS);
    });
  };
  const table = {
    named: true,
    names: features.map(({ name }) => named(name).name),
  };
  if (!known) {
    return {
      ...table,
      caption: "Features of all payments",
      header: ["feature", "mean", "deviation"],
      rows: features.map(({ name, moments: [all] }) => [
        named(name).title,
        ...spread(all),
      ]),
    };
  }
  return {
    ...table,
    caption: "Features by class. AUC is the probability that a fraud has a " +
      "greater value than a genuine payment",
    header: [
      "feature",
      "mean, genuine",
      "deviation, genuine",
      "mean, fraud",
      "deviation, fraud",
      "correlation with fraud",
      "AUC alone",
    ],
    rows: features.map(({ name, moments, correlation, auc }) => [
      named(name).title,
      ...moments.flatMap(spread),
      signed(correlation),
      grouped(auc, 3),
    ]),
  };
}
