/**
 * The square on which customers and terminals lie: the whole of it, and
 * beside it (below it where it is narrow) what lies around one customer.
 */
import type { Customer, Terminal } from "../payment/payment.ts";
import { numberTicks } from "../dashboard/page/scale.js";
import {
  type Drawing,
  label,
  round,
  type Shape,
  shape,
  textLines,
} from "../dashboard/page/shape.js";

/** Side of the square. */
export const SIDE = 100;

/** Terminals that the whole square shows; more are thinned out evenly. */
const DOTS_MAX = 2500;

/** Terminals that are drawn around the customer. */
const NEAR_MAX = 1500;

/** Most terminals that get their own shapes; more are drawn as points. */
const SHAPES_MAX = 400;

/** Radii from the customer to the edge of the nearer view. */
const NEAR_RADII = 1.35;

const GAP = 36;
const LEFT = 32;
const TOP = 22;
const BOTTOM = 40;
const SIDE_BY_SIDE = 480;

const LEGEND = "Diamond: the customer. Dots: terminals within the circle. " +
  "Points, and crosses in the nearer view: other terminals.";

/** Room of a tick. */
const TICK_ROOM = 48;

/** A customer and all terminals. */
export interface PlaneChart {
  /** The customer in the middle. */
  readonly customer: Customer;
  /** All terminals. */
  readonly terminals: readonly Terminal[];
  /** How far the customer goes. */
  readonly radius: number;
}

/** Whether a customer goes to a terminal: as the simulator has it, nearer than the radius. */
export function isInReach(
  { customer, radius }: Omit<PlaneChart, "terminals">,
  { x, y }: Terminal,
): boolean {
  const dx = customer.x - x;
  const dy = customer.y - y;
  return Math.sqrt(dx * dx + dy * dy) < radius;
}

/** One of the two views: a square piece of the plane, and where it is drawn. */
interface View {
  readonly title: string;
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly centre: readonly [number, number];
  readonly reach: number;
  /** Whether there is room for shapes that differ. */
  readonly shapes: boolean;
}

/** Draws both views. */
export function drawPlane(chart: PlaneChart, width: number): Drawing {
  const { customer, radius } = chart;
  const beside = width >= SIDE_BY_SIDE;
  const size = beside
    ? (width - GAP) / 2 - LEFT - 10
    : Math.min(width - LEFT - 14, 300);
  const far: View = {
    title: "the whole plane",
    x: LEFT,
    y: TOP,
    size,
    centre: [SIDE / 2, SIDE / 2],
    reach: SIDE / 2,
    shapes: false,
  };
  const near: View = {
    title: "around the customer",
    x: beside ? width / 2 + GAP / 2 + LEFT - 10 : LEFT,
    y: beside ? TOP : TOP + size + BOTTOM + TOP,
    size,
    centre: [customer.x, customer.y],
    reach: radius * NEAR_RADII,
    shapes: true,
  };
  const bottom = near.y + size + BOTTOM;
  const legend = textLines(LEGEND, width);
  const shapes = [
    ...drawView(far, chart, DOTS_MAX),
    ...drawView(near, chart, NEAR_MAX),
    ...legend.map((line, at) => label(line, 0, bottom + 12 + 17 * at, "ink")),
  ];
  return { width, height: bottom + 17 * legend.length, shapes };
}

function drawView(view: View, chart: PlaneChart, most: number): Shape[] {
  const { x, y, size, centre, reach } = view;
  const [low, bottom] = [centre[0] - reach, centre[1] - reach];
  const unit = size / (2 * reach);
  const placeX = (value: number) => x + (value - low) * unit;
  const placeY = (value: number) => y + size - (value - bottom) * unit;
  const seen = chart.terminals.filter((terminal) => {
    return Math.abs(terminal.x - centre[0]) <= reach &&
      Math.abs(terminal.y - centre[1]) <= reach;
  });
  const inside = seen.filter((terminal) => isInReach(chart, terminal));
  const outside = thinned(
    seen.filter((terminal) => {
      return !isInReach(chart, terminal);
    }),
    most,
  );
  const shapes = view.shapes && seen.length <= SHAPES_MAX;
  const radius = shapes ? 3.5 : 1.8;
  const dots = inside.map((terminal) => {
    const cx = placeX(terminal.x);
    const cy = placeY(terminal.y);
    return shape("circle", { class: "f0", cx, cy, r: radius });
  });
  const points = outside.map((terminal) => {
    const px = round(placeX(terminal.x));
    return shapes
      ? cross(placeX(terminal.x), placeY(terminal.y))
      : `M${px} ${round(placeY(terminal.y))}h0`;
  });
  const { customer } = chart;
  return [
    label(view.title, x, y - 8, "ink"),
    shape("rect", { class: "axis", x, y, width: size, height: size }),
    ...ticks(view, placeX, placeY),
    shape("path", { class: "back", d: points.join("") || undefined }),
    ...dots,
    circle(view, chart, placeX(customer.x), placeY(customer.y), unit),
    customerMark(placeX(customer.x), placeY(customer.y)),
  ];
}

/** The circle of the radius, cut off where it leaves the view. */
function circle(
  { x, y, size }: View,
  { radius }: PlaneChart,
  cx: number,
  cy: number,
  unit: number,
): Shape {
  const r = radius * unit;
  const within = cx - r >= x && cx + r <= x + size && cy - r >= y &&
    cy + r <= y + size;
  const drawn = shape("circle", { class: "s1 thin", cx, cy, r });
  if (within) return drawn;
  // A separate view clips without an id, which would have to be unique.
  return shape(
    "svg",
    {
      x,
      y,
      width: size,
      height: size,
      viewBox: `${round(x)} ${round(y)} ${round(size)} ${round(size)}`,
    },
    drawn,
  );
}

function customerMark(x: number, y: number): Shape {
  const d = `M${round(x)} ${round(y - 6)}l6 6l-6 6l-6 -6Z`;
  return shape("path", { class: "f1", d });
}

function cross(x: number, y: number): string {
  return `M${round(x - 2.2)} ${round(y - 2.2)}l4.4 4.4m0 -4.4l-4.4 4.4`;
}

function ticks(
  { x, y, size, centre, reach }: View,
  placeX: (value: number) => number,
  placeY: (value: number) => number,
): Shape[] {
  const marks = (middle: number) =>
    numberTicks(middle - reach, middle + reach, size / TICK_ROOM);
  return [
    ...marks(centre[0]).map(({ value, text }) => {
      return label(text, placeX(value), y + size + 16, "", "middle");
    }),
    ...marks(centre[1]).map(({ value, text }) => {
      return label(text, x - 5, placeY(value) + 4, "", "end");
    }),
    label("x and y in units of the plane", x + size, y + size + 33, "", "end"),
  ];
}

/** Every n-th, so that at most `most` are left. */
function thinned(
  terminals: readonly Terminal[],
  most: number,
): readonly Terminal[] {
  const step = Math.ceil(terminals.length / most);
  return step <= 1 ? terminals : terminals.filter((_, at) => at % step === 0);
}

/** The whole plane shows one in so many of `outside` terminals. */
export function thinning(outside: number): number {
  return Math.ceil(outside / DOTS_MAX);
}
