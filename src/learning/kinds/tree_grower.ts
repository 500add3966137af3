/**
 * Grows one tree by exact greedy splits. One measure serves all kinds: each row
 * has a pull g and a weight h, and a split is as good as the sum over both
 * sides of (sum of g)² / (sum of h + lambda). With g = label and h = count that
 * orders splits as Gini impurity does; with g and h from the first and second
 * derivative of the loss it is the gain of second-order boosting (Chen and
 * Guestrin, "XGBoost: a scalable tree boosting system", 2016, equation 7).
 *
 * All g and h are whole numbers (boosting scales them), so that sums are exact
 * in any order: the tree does not depend on how they were added, and what is
 * left when a child's rows are taken out of its parent's sums is the other
 * child's, exactly. A rank whose h is 0 has no row.
 *
 * Two ways to the sums by rank. A large node keeps them for all columns in a
 * buffer; at its split only the rows of the smaller child are touched. A small
 * node adds its own rows up in a scratch area and finds the ranks in use by a
 * bitmap of two levels, in time of its rows and not of all ranks.
 *
 * Where values are missing, each split also learns to which side those rows go:
 * every border is tried with them on the right and on the left, and so is the
 * border between all values and none (Chen and Guestrin, algorithm 3). Where a
 * node has no such row, the larger side will take them.
 */
import type { Tree } from "./tree.ts";
import { RankSums } from "./rank_sums.ts";
import type { RankedColumn, RankedColumns } from "../data/ranked_columns.ts";

/** The parameters of growing a tree. */
export interface GrowthRule {
  /** Most levels below the root. */
  readonly depthMax: number;
  /** Least sum of h on each side of a split. */
  readonly weightMin: number;
  /** Added to each sum of h. */
  readonly lambda: number;
  /** A leaf is worth this times sum of g / (sum of h + lambda). */
  readonly valueScale: number;
  /** Least gain of a split; a negative one also takes splits that gain nothing. */
  readonly gainMin: number;
  /** Whether g counts the positives among h: a node of only one class is a leaf. */
  readonly classes: boolean;
  /**
   * The columns to try at a node, at least one; the first `must` are tried,
   * the others only while there was no split.
   */
  readonly columns: (into: Int32Array) => { must: number; all: number };
  /** Whether `columns` gives the same at each node. */
  readonly sameColumns: boolean;
}

/** A grown tree and where its training rows ended. */
export interface GrownTree {
  /** The tree. */
  readonly tree: Tree;
  /** First place in `rows` of each leaf's rows. */
  readonly from: readonly number[];
  /** Place behind the last one; `from` for inner nodes. */
  readonly to: readonly number[];
}

/** Columns of up to this many ranks are summed without the bitmap. */
const PLAIN_RANKS_MAX = 64;

/** A node keeps sums by rank if there are at most this many ranks for each of its rows. */
const BUFFER_RANKS_A_ROW = 16;

/** Where a node's rows part. */
interface Border {
  /** Rows up to this value go left. */
  readonly threshold: number;
  /** Whether those without a value do. */
  readonly missingLeft: boolean;
}

/** A node that waits for its split. */
interface OpenNode {
  readonly parent: number;
  readonly isLeft: boolean;
  readonly from: number;
  readonly to: number;
  readonly depth: number;
  readonly g: number;
  readonly h: number;
  /** The sums of its rows by rank, if its parent had them. */
  readonly buffer: Float64Array | undefined;
}

/** Grows trees over the same columns; keeps its buffers. */
export class TreeGrower {
  readonly #columns: readonly RankedColumn[];
  readonly #isNullable: boolean;
  readonly #picked: Int32Array;
  readonly #spare: Int32Array;
  readonly #cells: Float64Array;
  readonly #bits: Int32Array;
  readonly #summary: Int32Array;
  /** The ranks in use at a node, ascending. */
  readonly #used: Int32Array;
  readonly #sums: RankSums;
  #pairs: Float64Array = new Float64Array(0);
  #rows: Int32Array = new Int32Array(0);
  #rule: GrowthRule | undefined;
  // The best split of the current node.
  #bestScore = 0;
  #bestColumn = -1;
  #bestRank = 0;
  #bestNext = 0;
  #bestG = 0;
  #bestH = 0;
  /** Where the rows without a value go; undefined if the node has none. */
  #bestMissingLeft: boolean | undefined;

  /** For these columns. */
  constructor(ranked: RankedColumns) {
    const { columns, rows } = ranked;
    const most = columns.reduce((max, { count }) => Math.max(max, count), 0);
    this.#columns = columns;
    this.#isNullable = columns.some(({ isNullable }) => isNullable);
    this.#sums = new RankSums(ranked);
    this.#picked = new Int32Array(columns.length);
    this.#spare = new Int32Array(rows);
    this.#cells = new Float64Array(2 * most);
    this.#bits = new Int32Array((most >> 5) + 1);
    this.#summary = new Int32Array((most >> 10) + 1);
    this.#used = new Int32Array(most);
  }

  /**
   * Grows a tree from `rows` (sorted by leaf afterwards); `pairs` has g and h
   * of each row side by side, whole numbers. Rows whose h is 0 are carried
   * along without any effect.
   */
  grow(pairs: Float64Array, rows: Int32Array, rule: GrowthRule): GrownTree {
    this.#pairs = pairs;
    this.#rows = rows;
    this.#rule = rule;
    const tree = {
      input: [] as number[],
      threshold: [] as number[],
      left: [] as number[],
      right: [] as number[],
      value: [] as number[],
      cover: [] as number[],
      ...this.#isNullable && { missingLeft: [] as number[] },
    };
    const starts: number[] = [];
    const ends: number[] = [];
    const open: OpenNode[] = [this.#root()];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const node = tree.input.length;
      if (node > 0) (at.isLeft ? tree.left : tree.right)[at.parent] = node;
      tree.left.push(0);
      tree.right.push(0);
      tree.cover.push(rule.classes ? at.h : at.to - at.from);
      const buffer = this.#findSplit(at);
      if (this.#bestColumn < 0) {
        tree.input.push(-1);
        tree.threshold.push(0);
        tree.missingLeft?.push(0);
        tree.value.push(rule.valueScale * (at.g / (at.h + rule.lambda)));
        starts.push(at.from);
        ends.push(at.to);
        if (buffer) this.#sums.give(buffer);
        continue;
      }
      tree.input.push(this.#bestColumn);
      const threshold = this.#threshold(at.from, at.to);
      const missingLeft = this.#missingGoLeft(at, threshold);
      tree.threshold.push(threshold);
      tree.missingLeft?.push(missingLeft ? 1 : 0);
      tree.value.push(0);
      starts.push(at.from);
      ends.push(at.from);
      this.#split(at, node, { threshold, missingLeft }, buffer, open);
    }
    this.#rule = undefined;
    return { tree, from: starts, to: ends };
  }

  #root(): OpenNode {
    let g = 0;
    let h = 0;
    for (let at = 0; at < this.#rows.length; at++) {
      const row = this.#rows[at];
      g += this.#pairs[2 * row];
      h += this.#pairs[2 * row + 1];
    }
    const to = this.#rows.length;
    return {
      parent: 0,
      isLeft: true,
      from: 0,
      to,
      depth: 0,
      g,
      h,
      buffer: undefined,
    };
  }

  /** Sets the best split; returns the sums by rank, if the node keeps them. */
  #findSplit(node: OpenNode): Float64Array | undefined {
    this.#bestColumn = -1;
    const rule = this.#rule as GrowthRule;
    const { from, to, g, h } = node;
    let { buffer } = node;
    if (node.depth >= rule.depthMax || h < 2 * rule.weightMin || h === 0) {
      return buffer;
    }
    if (rule.classes && (g === 0 || g === h)) return buffer;
    if (
      buffer === undefined && rule.sameColumns &&
      this.#sums.ranks <= BUFFER_RANKS_A_ROW * (to - from)
    ) {
      buffer = this.#sums.take();
      this.#sums.add(buffer, this.#pairs, this.#rows, from, to, 1);
    }
    // Gains below rounding errors count as none.
    const parent = g * g / (h + rule.lambda);
    this.#bestScore = rule.gainMin < 0
      ? -1
      : parent * (1 + 1e-12) + rule.gainMin;
    const { must, all } = rule.columns(this.#picked);
    for (let index = 0; index < all; index++) {
      if (index >= must && this.#bestColumn >= 0) break;
      const column = this.#picked[index];
      const { count, missing } = this.#columns[column];
      if (count < 2) continue;
      if (missing >= 0) this.#scanMissing(buffer, column, node);
      else if (buffer) {
        this.#scan(buffer, this.#sums.offset[column], count, column, node);
      } else if (count <= PLAIN_RANKS_MAX) this.#scanPlain(column, count, node);
      else this.#scanSparse(column, node);
    }
    return buffer;
  }

  /** Searches for a split in the sums of `count` ranks from `offset` on. */
  #scan(
    cells: Float64Array,
    offset: number,
    count: number,
    column: number,
    node: OpenNode,
  ): void {
    const { weightMin, lambda } = this.#rule as GrowthRule;
    const { g, h } = node;
    let best = this.#bestScore;
    let last = -1;
    let leftG = 0;
    let leftH = 0;
    for (let rank = 0; rank < count; rank++) {
      const rankH = cells[2 * (offset + rank) + 1];
      if (rankH === 0) continue;
      const rightH = h - leftH;
      if (rightH < weightMin) break;
      if (leftH >= weightMin && last >= 0) {
        const rightG = g - leftG;
        const below = (leftH + lambda) * (rightH + lambda);
        const above = leftG * leftG * (rightH + lambda) +
          rightG * rightG * (leftH + lambda);
        // Compared without a division, which only a better split needs.
        if (above > best * below) {
          best = above / below;
          this.#keep(best, column, last, rank, leftG, leftH);
        }
      }
      leftG += cells[2 * (offset + rank)];
      leftH += rankH;
      last = rank;
    }
  }

  /** The same for a small column without a buffer. */
  #scanPlain(column: number, count: number, node: OpenNode): void {
    const cells = this.#cells;
    const pairs = this.#pairs;
    const rows = this.#rows;
    const { ranks } = this.#columns[column];
    for (let at = node.from; at < node.to; at++) {
      const row = rows[at];
      const cell = 2 * ranks[row];
      cells[cell] += pairs[2 * row];
      cells[cell + 1] += pairs[2 * row + 1];
    }
    this.#scan(cells, 0, count, column, node);
    cells.fill(0, 0, 2 * count);
  }

  /** The same for a column of many ranks. */
  #scanSparse(column: number, node: OpenNode): void {
    const cells = this.#cells;
    const used = this.#used;
    const length = this.#addUp(column, node);
    const { weightMin, lambda } = this.#rule as GrowthRule;
    const { g, h } = node;
    let best = this.#bestScore;
    let last = -1;
    let leftG = 0;
    let leftH = 0;
    for (let at = 0; at < length; at++) {
      const rank = used[at];
      const rankG = cells[2 * rank];
      const rankH = cells[2 * rank + 1];
      cells[2 * rank] = 0;
      cells[2 * rank + 1] = 0;
      if (rankH === 0) continue;
      const rightH = h - leftH;
      if (leftH >= weightMin && rightH >= weightMin && last >= 0) {
        const rightG = g - leftG;
        const below = (leftH + lambda) * (rightH + lambda);
        const above = leftG * leftG * (rightH + lambda) +
          rightG * rightG * (leftH + lambda);
        if (above > best * below) {
          best = above / below;
          this.#keep(best, column, last, rank, leftG, leftH);
        }
      }
      leftG += rankG;
      leftH += rankH;
      last = rank;
    }
  }

  /** Adds up g and h of a node's rows by rank; returns the number of ranks in use. */
  #addUp(column: number, node: OpenNode): number {
    const cells = this.#cells;
    const pairs = this.#pairs;
    const rows = this.#rows;
    const bits = this.#bits;
    const summary = this.#summary;
    const used = this.#used;
    const { ranks, count } = this.#columns[column];
    for (let at = node.from; at < node.to; at++) {
      const row = rows[at];
      const rank = ranks[row];
      cells[2 * rank] += pairs[2 * row];
      cells[2 * rank + 1] += pairs[2 * row + 1];
      bits[rank >> 5] |= 1 << (rank & 31);
      summary[rank >> 10] |= 1 << ((rank >> 5) & 31);
    }
    let length = 0;
    const words = (count - 1) >> 10;
    for (let top = 0; top <= words; top++) {
      let blocks = summary[top];
      summary[top] = 0;
      while (blocks !== 0) {
        const block = (top << 5) + 31 - Math.clz32(blocks & -blocks);
        blocks &= blocks - 1;
        let word = bits[block];
        bits[block] = 0;
        while (word !== 0) {
          used[length++] = (block << 5) + 31 - Math.clz32(word & -word);
          word &= word - 1;
        }
      }
    }
    return length;
  }

  /** The same for a column with missing values, whose sums are in the buffer if there is one. */
  #scanMissing(
    buffer: Float64Array | undefined,
    column: number,
    node: OpenNode,
  ): void {
    const used = this.#used;
    const { count } = this.#columns[column];
    const cells = buffer ?? this.#cells;
    const offset = buffer ? this.#sums.offset[column] : 0;
    let length = 0;
    if (buffer === undefined) length = this.#addUp(column, node);
    else {
      for (let rank = 0; rank < count; rank++) {
        if (cells[2 * (offset + rank) + 1] > 0) used[length++] = rank;
      }
    }
    const ranks = used.subarray(0, length);
    this.#scanSide(cells, offset, ranks, column, node, false);
    this.#scanSide(cells, offset, ranks, column, node, true);
    if (buffer) return;
    for (let at = 0; at < length; at++) {
      cells.fill(0, 2 * used[at], 2 * used[at] + 2);
    }
  }

  /** Searches the borders between the used ranks, with the rows without a value on one side. */
  #scanSide(
    cells: Float64Array,
    offset: number,
    used: Int32Array,
    column: number,
    { g, h }: OpenNode,
    missingLeft: boolean,
  ): void {
    const { weightMin, lambda } = this.#rule as GrowthRule;
    const { missing } = this.#columns[column];
    const missingH = cells[2 * (offset + missing) + 1];
    // Without such rows one side is enough, and nothing is learned.
    if (missingLeft && missingH === 0) return;
    let leftG = missingLeft ? cells[2 * (offset + missing)] : 0;
    let leftH = missingLeft ? missingH : 0;
    let last = -1;
    for (const rank of used) {
      if (missingLeft && rank === missing) break;
      const rankH = cells[2 * (offset + rank) + 1];
      if (rankH === 0) continue;
      const rightH = h - leftH;
      if (leftH >= weightMin && rightH >= weightMin && last >= 0) {
        const rightG = g - leftG;
        const below = (leftH + lambda) * (rightH + lambda);
        const above = leftG * leftG * (rightH + lambda) +
          rightG * rightG * (leftH + lambda);
        if (above > this.#bestScore * below) {
          this.#keep(above / below, column, last, rank, leftG, leftH);
          if (missingH > 0) this.#bestMissingLeft = missingLeft;
        }
      }
      leftG += cells[2 * (offset + rank)];
      leftH += rankH;
      last = rank;
    }
  }

  #keep(
    score: number,
    column: number,
    rank: number,
    next: number,
    g: number,
    h: number,
  ): void {
    this.#bestScore = score;
    this.#bestColumn = column;
    this.#bestRank = rank;
    this.#bestNext = next;
    this.#bestG = g;
    this.#bestH = h;
    this.#bestMissingLeft = undefined;
  }

  /** Half way between the node's last value on the left and its first on the right; the greatest number where all values are on the left. */
  #threshold(from: number, to: number): number {
    const { low, high, ranks, values, missing } =
      this.#columns[this.#bestColumn];
    const last = this.#bestRank;
    const next = this.#bestNext;
    if (next === missing) return Number.MAX_VALUE;
    let below = high[last];
    let above = low[next];
    if (low[last] < below || above < high[next]) {
      // A rank of many values: the node has not all of them.
      below = -Infinity;
      above = Infinity;
      for (let at = from; at < to; at++) {
        const row = this.#rows[at];
        const rank = ranks[row];
        if (rank < last || rank > next) continue;
        if (this.#pairs[2 * row + 1] === 0) continue;
        const value = values[row];
        if (rank === last && value > below) below = value;
        if (rank === next && value < above) above = value;
      }
    }
    const middle = below / 2 + above / 2;
    return middle >= below && middle < above ? middle : below;
  }

  /** Whether rows without a value go left: as the split has learned, otherwise where more rows go. */
  #missingGoLeft({ from, to }: OpenNode, threshold: number): boolean {
    const { isNullable, values } = this.#columns[this.#bestColumn];
    if (!isNullable) return false;
    if (this.#bestMissingLeft !== undefined) return this.#bestMissingLeft;
    let more = 0;
    for (let at = from; at < to; at++) {
      const value = values[this.#rows[at]];
      if (value <= threshold) more++;
      else if (value > threshold) more--;
    }
    return more >= 0;
  }

  /** Splits the node's rows and opens its children, the left one on top. */
  #split(
    node: OpenNode,
    index: number,
    border: Border,
    buffer: Float64Array | undefined,
    open: OpenNode[],
  ): void {
    const { from, to } = node;
    const middle = this.#part(from, to, border);
    const depth = node.depth + 1;
    const leftIsSmall = middle - from <= to - middle;
    let forLarge: Float64Array | undefined;
    if (buffer && depth < (this.#rule as GrowthRule).depthMax) {
      const [first, end] = leftIsSmall ? [from, middle] : [middle, to];
      this.#sums.add(buffer, this.#pairs, this.#rows, first, end, -1);
      forLarge = buffer;
    } else if (buffer) this.#sums.give(buffer);
    const g = this.#bestG;
    const h = this.#bestH;
    open.push({
      parent: index,
      isLeft: false,
      from: middle,
      to,
      depth,
      g: node.g - g,
      h: node.h - h,
      buffer: leftIsSmall ? forLarge : undefined,
    });
    open.push({
      parent: index,
      isLeft: true,
      from,
      to: middle,
      depth,
      g,
      h,
      buffer: leftIsSmall ? undefined : forLarge,
    });
  }

  /** Moves the rows of the left side before the others, keeping their order; returns the border. */
  #part(
    from: number,
    to: number,
    { threshold, missingLeft }: Border,
  ): number {
    const rows = this.#rows;
    const spare = this.#spare;
    // By value, not by rank: rows without weight may lie between the ranks.
    const { values } = this.#columns[this.#bestColumn];
    let left = from;
    let right = 0;
    for (let at = from; at < to; at++) {
      const row = rows[at];
      const value = values[row];
      // A comparison with NaN is false.
      if (missingLeft ? !(value > threshold) : value <= threshold) {
        rows[left++] = row;
      } else spare[right++] = row;
    }
    rows.set(spare.subarray(0, right), left);
    return left;
  }
}
