/**
 * Finds the terminals within a radius of a place. The terminals are sorted
 * into the cells of a grid once, so that a search looks at the cells around
 * the place only; which terminals it finds is decided by the distance alone.
 */
import type { Terminal } from "../payment/payment.ts";

const SIDE = 100;
const CELLS_PER_SIDE_MAX = 256;

/** More than the rounding error of any coordinate. */
const MARGIN = 1e-6;

/** Terminals in a grid, for one radius. */
export class TerminalGrid {
  readonly #radius: number;
  readonly #cellsPerSide: number;
  /** Cell c holds the places cellStart[c] … cellStart[c + 1] - 1 below. */
  readonly #cellStart: Int32Array;
  readonly #id: Int32Array;
  readonly #x: Float64Array;
  readonly #y: Float64Array;
  readonly #found: Int32Array;

  /** A grid of `terminals`, for searches within `radius`. */
  constructor(terminals: readonly Terminal[], radius: number) {
    this.#radius = radius;
    const cells = Math.floor(SIDE / Math.max(radius / 2, 1e-3));
    this.#cellsPerSide = Math.min(Math.max(cells, 1), CELLS_PER_SIDE_MAX);
    const count = terminals.length;
    this.#id = new Int32Array(count);
    this.#x = new Float64Array(count);
    this.#y = new Float64Array(count);
    this.#found = new Int32Array(count);
    this.#cellStart = new Int32Array(this.#cellsPerSide ** 2 + 1);
    this.#fill(terminals);
  }

  #fill(terminals: readonly Terminal[]): void {
    const cellStart = this.#cellStart;
    const cell = (terminal: Terminal) =>
      this.#line(terminal.y) * this.#cellsPerSide + this.#line(terminal.x);
    for (const terminal of terminals) cellStart[cell(terminal) + 1]++;
    for (let c = 1; c < cellStart.length; c++) cellStart[c] += cellStart[c - 1];
    const next = cellStart.slice();
    for (const terminal of terminals) {
      const place = next[cell(terminal)]++;
      this.#id[place] = terminal.terminalId;
      this.#x[place] = terminal.x;
      this.#y[place] = terminal.y;
    }
  }

  /** The row or column of cells that a coordinate is in. */
  #line(coordinate: number): number {
    const line = Math.floor(coordinate * this.#cellsPerSide / SIDE);
    return Math.min(Math.max(line, 0), this.#cellsPerSide - 1);
  }

  /** Ids of the terminals nearer to (x, y) than the radius, ascending. */
  within(x: number, y: number): Int32Array {
    const reach = this.#radius + MARGIN;
    const columnFrom = this.#line(x - reach);
    const columnTo = this.#line(x + reach);
    const rowTo = this.#line(y + reach);
    let count = 0;
    for (let row = this.#line(y - reach); row <= rowTo; row++) {
      const cell = row * this.#cellsPerSide;
      const to = this.#cellStart[cell + columnTo + 1];
      for (let i = this.#cellStart[cell + columnFrom]; i < to; i++) {
        const dx = x - this.#x[i];
        const dy = y - this.#y[i];
        if (Math.sqrt(dx * dx + dy * dy) < this.#radius) {
          this.#found[count++] = this.#id[i];
        }
      }
    }
    return this.#found.slice(0, count).sort();
  }
}
