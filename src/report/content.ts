/**
 * What a report consists of, whatever it is shown on: sections of paragraphs,
 * key figures, tables and figures. Pure values, but for the drawing of a
 * figure, which waits for a width.
 */
import type { DeclaredFeatures } from "../features/declared_features.ts";
import type { RulesTried } from "./backtest_sections.ts";
import type { Customer, Terminal } from "../payment/payment.ts";
import type { DataStatistics } from "./data_statistics.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { ModelCurves } from "./model_curves.ts";
import type { AmountForm } from "./numbers.ts";
import type { Drawing } from "../dashboard/page/shape.js";
import type { Wording } from "./svg.ts";

/** What a report is made from. */
export interface ReportData {
  /** Where the payments come from, for people. */
  readonly source: string;
  /** What is known of the payments. */
  readonly statistics: DataStatistics;
  /** The customers, ascending; undefined where they are not known. */
  readonly customers: readonly Customer[] | undefined;
  /** The terminals, ascending; undefined where they are not known. */
  readonly terminals: readonly Terminal[] | undefined;
  /** How far customers go. */
  readonly radius: number;
  /** The customer whose terminals are shown; undefined for the first that has some. */
  readonly customerId: number | undefined;
  /** The form of the payments. */
  readonly shape: PaymentShape;
  /** How amounts are written. */
  readonly amounts: AmountForm;
  /** The features that the stream's definition declares. */
  readonly declared?: DeclaredFeatures | undefined;
  /** Where labels arrive later: how many days after a payment it counts as genuine without one. */
  readonly genuineAfterDays?: number | undefined;
  /** What rules would have decided; undefined where none are tried. */
  readonly rules?: RulesTried | undefined;
  /** A model's curves; undefined without a model. */
  readonly model: ModelCurves | undefined;
}

/** A key figure: a number and what it is. */
export interface KeyFigure {
  /** What it is. */
  readonly name: string;
  /** The number, with its unit. */
  readonly value: string;
  /** More about it. */
  readonly note?: string;
}

/** A table of texts. */
export interface Table {
  /** What it shows. */
  readonly caption: string;
  /** Names of the columns. */
  readonly header: readonly string[];
  /** The rows; the first cell of each is its heading. */
  readonly rows: readonly (readonly string[])[];
  /** Whether the first column is a name, not a number. */
  readonly named?: boolean;
  /** Whether the columns' names are the data's, and stay as they are. */
  readonly verbatim?: boolean;
  /** The name in the data of each row, where its heading is in words. */
  readonly names?: readonly (string | undefined)[];
}

/** A figure. Its id is its name as a file, too. */
export interface Figure extends Wording {
  /** Whether it is one of many small ones. */
  readonly small?: boolean;
  /** Draws it in a width. */
  readonly draw: (width: number) => Drawing;
  /** Its numbers. */
  readonly values?: Table;
}

/** A part of a section. */
export type Block =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "numbers"; readonly numbers: readonly KeyFigure[] }
  | { readonly kind: "table"; readonly table: Table }
  | { readonly kind: "figures"; readonly figures: readonly Figure[] };

/** A section. */
export interface Section {
  /** Unique in the report: letters, digits and -. */
  readonly id: string;
  /** Its heading. */
  readonly heading: string;
  /** What it consists of. */
  readonly blocks: readonly Block[];
}

/** All figures of some sections, in order. */
export function figuresOf(sections: readonly Section[]): Figure[] {
  return sections.flatMap(({ blocks }) =>
    blocks.flatMap((block) => block.kind === "figures" ? block.figures : [])
  );
}
