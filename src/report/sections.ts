/** A report from its data: all sections in their order. */
import { HANDBOOK_SHAPE } from "../payment/payment_shape.ts";
import { backtestSections } from "./backtest_sections.ts";
import type { ReportData, Section } from "./content.ts";
import { featureSection } from "./feature_section.ts";
import { fieldSection, hasFields } from "./field_section.ts";
import { modelSection } from "./model_section.ts";
import {
  fraudsSection,
  overviewSection,
  paymentsSection,
} from "./payment_sections.ts";
import { peopleSection } from "./people_section.ts";

/** Title of every report. */
export const REPORT_TITLE = "Card payments and fraud";

/** The sections of a report. */
export function reportSections(data: ReportData): Section[] {
  return [
    overviewSection(data),
    ...hasPeople(data) ? [peopleSection(data)] : [],
    paymentsSection(data),
    ...[fraudsSection(data)].filter(({ blocks }) => blocks.length > 0),
    featureSection(data),
    ...hasFields(data) ? [fieldSection(data)] : [],
    ...data.rules ? backtestSections(data.rules, data.amounts) : [],
    ...data.model ? [modelSection(data.model, data.amounts)] : [],
  ];
}

/** Whether places may be known: those of the handbook's customers and terminals. */
function hasPeople({ shape, customers, terminals }: ReportData): boolean {
  return shape === HANDBOOK_SHAPE || customers !== undefined ||
    terminals !== undefined;
}
