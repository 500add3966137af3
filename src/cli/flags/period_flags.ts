/** The flags that choose the days of training and of the test. */
import { HANDBOOK_PERIOD } from "../../learning/data/split.ts";
import { DAYS_MAX } from "./data_flags.ts";
import type { FlagGroup, FlagValues } from "./flag.ts";
import { wholeNumber } from "./flag_value.ts";

/** The period flags. */
export const PERIOD_FLAGS = {
  title: "Days",
  flags: {
    startDay: {
      value: "<n>",
      help: "first training day, counted from 0",
      read: wholeNumber(0, DAYS_MAX),
      default: `${HANDBOOK_PERIOD.startDay}, or as late as the data allow`,
    },
    trainDays: {
      value: "<n>",
      help: "training days",
      read: wholeNumber(1, DAYS_MAX),
      default: `${HANDBOOK_PERIOD.trainDays}`,
    },
    testDays: {
      value: "<n>",
      help: "test days, which start --delay days after the training",
      read: wholeNumber(1, DAYS_MAX),
      default: `${HANDBOOK_PERIOD.testDays}`,
    },
    historyDays: {
      value: "<n>",
      help:
        "additional days before the training to learn from; the test stays " +
        "the same",
      read: wholeNumber(0, DAYS_MAX),
      default: "0",
    },
  },
} as const satisfies FlagGroup;

/** The values of the period flags. */
export type PeriodOptions = FlagValues<typeof PERIOD_FLAGS>;
