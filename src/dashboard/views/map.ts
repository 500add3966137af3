/** The view "Map": the plane with all cards and terminals, and one of them with its newest payments. */
import type { StoredPayment, TimeRange } from "../../store/look_up.ts";
import { readFingerprint } from "../../simulator/fingerprint.ts";
import type { Control } from "../../stream/control.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import mapJs from "../page/map.js" with { type: "text" };
import planeJs from "../page/plane.js" with { type: "text" };
import type { LiveState, Place } from "./live_state.ts";
import {
  askStore,
  idAsked,
  isTruth,
  NotThereError,
  type PageView,
  type PastPayment,
  pastPayment,
  type Question,
  shared,
} from "./page_view.ts";

/** Places as columns of equal length, in any order: short, since there are many. */
export interface PlaceColumns {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: readonly (number | string)[];
  /** 0 to 100. */
  readonly x: readonly number[];
  /** 0 to 100. */
  readonly y: readonly number[];
  /** Payments seen. */
  readonly payments: readonly number[];
  /** Known frauds among them: the delay of their labels has passed, or these have arrived. */
  readonly frauds: readonly number[];
  /** Share of frauds in its longest window; 0 for cards. */
  readonly risk: readonly number[];
  /** 1 for a terminal that the simulation has compromised; with truth=1 only. */
  readonly compromised?: readonly (0 | 1)[];
}

/** All that has a place, and where risk is. */
export interface Plane {
  /** The terminals with the highest risk, the riskiest first, whether they have a place or not. */
  readonly riskiest: readonly PlaceView[];
  /** The terminals. */
  readonly terminals: PlaceColumns;
  /** The cards. */
  readonly cards: PlaceColumns;
}

/** A card's or a terminal's place as the page has it. */
export interface PlaceView {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number | string;
  /** 0 to 100; null before its profile has been read. */
  readonly x: number | null;
  /** 0 to 100; null before its profile has been read. */
  readonly y: number | null;
  /** Payments seen. */
  readonly payments: number;
  /** Known frauds among them: the delay of their labels has passed. */
  readonly frauds: number;
  /** Share of frauds in its longest window; 0 for cards. */
  readonly risk: number;
  /** Whether the simulation has compromised it; with truth=1 only. */
  readonly compromised?: boolean;
}

/** The answers of this view, by path. */
export interface MapAnswers {
  /** All places. */
  readonly "/api/map": Plane;
  /** A card, what it reaches, and its newest payments. */
  readonly "/api/cards/:id": {
    /** Its place. */
    readonly card: PlaceView;
    /** The radius that it reaches; undefined where that is not known. */
    readonly radius: number | undefined;
    /** Ids of the terminals within it. */
    readonly reach: readonly (number | string)[];
    /** Newest first. */
    readonly payments: readonly PastPayment[];
  };
  /** A terminal and its newest payments. */
  readonly "/api/terminals/:id": {
    /** Its place. */
    readonly terminal: PlaceView;
    /** Newest first. */
    readonly payments: readonly PastPayment[];
  };
}

/** The view "Map". */
export const map: PageView = {
  scripts: { "map.js": mapJs, "plane.js": planeJs },
  tab: { name: "map", title: "Map" },
  serve(router, page) {
    const { state, control, parameters } = page;
    const { customerId, terminalId } = shapeOfStream(parameters);
    const { get } = router<MapAnswers>();
    const known = shared(() => Promise.resolve(planeOf(state, false)));
    const all = shared(() => Promise.resolve(planeOf(state, true)));
    const newest = (payments: readonly StoredPayment[], truth: boolean) => {
      const at = { timeSeconds: state.timeSeconds, knownSeconds: Infinity };
      return payments.map((payment) => pastPayment(page, payment, at, truth));
    };
    // Only the simulation compromises terminals.
    const isSimulated = parameters.definition === undefined;
    const isPlaceTruth = (asked: Question) => isSimulated && isTruth(asked);
    get("/api/map", (asked) => isPlaceTruth(asked) ? all() : known());
    get("/api/cards/:id", async (asked) => {
      const id = idAsked(asked, customerId, "the card");
      const card = state.customers.get(id);
      if (!card) throw new NotThereError(`there is no card ${id}`);
      const radius = radiusOf(control);
      return {
        card: placeOf(state, card, isPlaceTruth(asked)),
        radius,
        reach: reachOf(state, card, radius),
        payments: newest(
          await askStore(page, (store) => store.ofCustomer(id, NEWEST)),
          isTruth(asked),
        ),
      };
    });
    get("/api/terminals/:id", async (asked) => {
      const id = idAsked(asked, terminalId, "the terminal");
      const terminal = state.terminals.get(id);
      if (!terminal) throw new NotThereError(`there is no terminal ${id}`);
      return {
        terminal: placeOf(state, terminal, isPlaceTruth(asked)),
        payments: newest(
          await askStore(page, (store) => store.ofTerminal(id, NEWEST)),
          isTruth(asked),
        ),
      };
    });
  },
};

/** The newest payments of a card or a terminal, as far back as a page needs. */
const NEWEST: TimeRange = { fromSeconds: 0, toSeconds: 2 ** 31 - 1, limit: 50 };

/** All terminals and cards with their places: columns, which are short. */
function planeOf(state: LiveState, truth: boolean): Plane {
  state.learnLabels();
  const columns = (places: Iterable<Place>): PlaceColumns => {
    const known = [...places].filter(({ x }) => !Number.isNaN(x));
    return {
      id: known.map(({ id }) => id),
      x: known.map(({ x }) => round(x)),
      y: known.map(({ y }) => round(y)),
      payments: known.map(({ payments }) => payments),
      frauds: known.map(({ frauds }) => frauds),
      risk: known.map(({ risk }) => round(risk)),
      ...truth && {
        compromised: known.map((place) => state.isCompromised(place) ? 1 : 0),
      },
    };
  };
  return {
    riskiest: riskiestOf(state, truth),
    terminals: columns(state.terminals.values()),
    cards: columns(state.customers.values()),
  };
}

/** Terminals that are named as the riskiest. */
const RISKIEST = 25;

/** The terminals with the highest risk, of equal ones those with the most payments first. */
function riskiestOf(state: LiveState, truth: boolean): PlaceView[] {
  const riskiest: Place[] = [];
  const order = (a: Place, b: Place) =>
    b.risk - a.risk || b.payments - a.payments;
  for (const place of state.terminals.values()) {
    const last = riskiest[RISKIEST - 1];
    if (last && order(place, last) >= 0) continue;
    riskiest.push(place);
    riskiest.sort(order).splice(RISKIEST);
  }
  return riskiest.map((place) => placeOf(state, place, truth));
}

/** A place as the page has it. */
export function placeOf(
  state: LiveState,
  place: Place,
  truth: boolean,
): PlaceView;
/** The same of a place that may not be known. */
export function placeOf(
  state: LiveState,
  place: Place | undefined,
  truth: boolean,
): PlaceView | undefined;
export function placeOf(
  state: LiveState,
  place: Place | undefined,
  truth: boolean,
): PlaceView | undefined {
  if (!place) return undefined;
  state.learnLabels();
  const { id, x, y, payments, frauds, risk } = place;
  return {
    id,
    x: Number.isNaN(x) ? null : x,
    y: Number.isNaN(y) ? null : y,
    payments,
    frauds,
    risk,
    ...truth && { compromised: state.isCompromised(place) },
  };
}

/** Ids of the terminals that a card reaches. */
export function reachOf(
  state: LiveState,
  card: Place | undefined,
  radius: number | undefined,
): (number | string)[] {
  if (!card || radius === undefined) return [];
  const reach: (number | string)[] = [];
  for (const { id, x, y } of state.terminals.values()) {
    if (Math.hypot(x - card.x, y - card.y) < radius) reach.push(id);
  }
  return reach;
}

/** The radius that the producer's data have; undefined for a stream of others. */
export function radiusOf(control: Control): number | undefined {
  const recorded = control.origin?.fingerprint;
  return recorded ? readFingerprint(recorded)?.parameters.radius : undefined;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
