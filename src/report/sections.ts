/** A report from its data: all sections in their order. */
import type { ReportData, Section } from "./content.ts";
import { featureSection } from "./feature_section.ts";
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
    peopleSection(data),
    paymentsSection(data),
    fraudsSection(data),
    featureSection(data),
    ...data.model ? [modelSection(data.model, data.currency)] : [],
  ];
}
