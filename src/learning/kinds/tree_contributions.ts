/**
 * What each input added to a sum of trees: the Shapley values of the game in
 * which an input that is not known is averaged over the training rows that went
 * either way (path-dependent TreeSHAP: Lundberg, Erion, Lee, "Consistent
 * individualized feature attribution for tree ensembles", 2018, algorithm 2).
 * Time: leaves · depth² per tree instead of all subsets of the inputs.
 *
 * A path holds each input that splits on the way down once, with the share of
 * subsets' weight: `zero` is the share of rows that follow the path when the
 * input is unknown, `one` whether the row itself follows it, `weight[i]` the
 * Shapley weight of subsets of i of the path's inputs. Each level has its own
 * path in one flat array, so that going down copies and going up forgets.
 */
import type { Tree, TreesBody } from "./tree.ts";

/** Explains rows of one ensemble; keeps its buffers. */
export class TreeContributions {
  readonly #trees: readonly PreparedTree[];
  readonly #width: number;
  /** Margin of a row without known inputs. */
  readonly #expected: number;
  readonly #input: Int32Array;
  readonly #zero: Float64Array;
  readonly #one: Float64Array;
  readonly #weight: Float64Array;
  /** 1 / n at place n: a product is cheaper than a quotient. */
  readonly #inverse: Float64Array;
  // State of the present call:
  #tree: PreparedTree;
  #values: Float64Array = new Float64Array(0);
  #at = 0;
  #into: Float64Array = new Float64Array(0);

  /** For trees over `width` inputs. */
  constructor(body: TreesBody, width: number) {
    this.#trees = body.trees.map(prepare);
    this.#tree = this.#trees[0];
    this.#width = width;
    this.#expected = this.#trees.reduce(
      (sum, { expected }) => sum + expected,
      body.base,
    );
    const levels = this.#trees.reduce((most, t) => Math.max(most, t.depth), 0);
    // Paths of 1, 2, … entries, and a spare one that is written before it
    // shrinks.
    const cells = (levels + 2) * (levels + 3) / 2;
    this.#input = new Int32Array(cells);
    this.#zero = new Float64Array(cells);
    this.#one = new Float64Array(cells);
    this.#weight = new Float64Array(cells);
    this.#inverse = Float64Array.from({ length: levels + 3 }, (_, n) => 1 / n);
  }

  /** As `Scorer.explain`. */
  explain(values: Float64Array, at: number, into: Float64Array): number {
    into.fill(0, 0, this.#width);
    this.#values = values;
    this.#at = at;
    this.#into = into;
    for (const tree of this.#trees) {
      this.#tree = tree;
      this.#descend(0, 0, 0, 0, 1, 1, -1);
    }
    return this.#expected;
  }

  /** Continues at `node` with the path of `length` entries at `parent`, extended by the split that led here. */
  #descend(
    node: number,
    level: number,
    parent: number,
    length: number,
    zero: number,
    one: number,
    input: number,
  ): void {
    const { tree, bare } = this.#tree;
    // Leaves that add nothing, and nodes that no row reaches, change no
    // subset's sum.
    if (bare[node] === 1 || zero === 0 && one === 0) return;
    const path = level === 0 ? 0 : parent + level;
    this.#copy(parent, path, length);
    this.#extend(path, length, zero, one, input);
    const split = tree.input[node];
    if (split < 0) {
      this.#addLeaf(path, length, this.#tree.value[node]);
      return;
    }
    let entries = length + 1;
    let incomingZero = 1;
    let incomingOne = 1;
    for (let entry = 1; entry < entries; entry++) {
      if (this.#input[path + entry] !== split) continue;
      incomingZero = this.#zero[path + entry];
      incomingOne = this.#one[path + entry];
      this.#unwind(path, entries - 1, entry);
      entries--;
      break;
    }
    const value = this.#values[this.#at + split];
    const goesLeft = Number.isNaN(value)
      ? tree.missingLeft?.[node] === 1
      : value <= tree.threshold[node];
    for (let side = 0; side < 2; side++) {
      const child = side === 0 ? tree.left[node] : tree.right[node];
      this.#descend(
        child,
        level + 1,
        path,
        entries,
        incomingZero * this.#tree.share[child],
        goesLeft === (side === 0) ? incomingOne : 0,
        split,
      );
    }
  }

  #copy(from: number, to: number, length: number): void {
    if (from === to) return;
    for (let entry = 0; entry < length; entry++) {
      this.#input[to + entry] = this.#input[from + entry];
      this.#zero[to + entry] = this.#zero[from + entry];
      this.#one[to + entry] = this.#one[from + entry];
      this.#weight[to + entry] = this.#weight[from + entry];
    }
  }

  /** Appends an input to a path of `length` entries. */
  #extend(
    path: number,
    length: number,
    zero: number,
    one: number,
    input: number,
  ): void {
    const weight = this.#weight;
    this.#input[path + length] = input;
    this.#zero[path + length] = zero;
    this.#one[path + length] = one;
    weight[path + length] = length === 0 ? 1 : 0;
    const part = this.#inverse[length + 1];
    for (let entry = length - 1; entry >= 0; entry--) {
      const at = path + entry;
      weight[at + 1] += one * weight[at] * (entry + 1) * part;
      weight[at] *= zero * (length - entry) * part;
    }
  }

  /** Takes an entry out of a path whose last entry is `last`, as if it had never been added. */
  #unwind(path: number, last: number, entry: number): void {
    const weight = this.#weight;
    const zero = this.#zero[path + entry];
    const one = this.#one[path + entry];
    const inverse = this.#inverse;
    let next = weight[path + last];
    for (let index = last - 1; index >= 0; index--) {
      const at = path + index;
      if (one !== 0) {
        const before = weight[at];
        weight[at] = next * (last + 1) * inverse[index + 1];
        next = before - weight[at] * zero * (last - index) * inverse[last + 1];
      } else {
        weight[at] *= (last + 1) * inverse[last - index] / zero;
      }
    }
    for (let index = entry; index < last; index++) {
      const at = path + index;
      this.#input[at] = this.#input[at + 1];
      this.#zero[at] = this.#zero[at + 1];
      this.#one[at] = this.#one[at + 1];
    }
  }

  /** Adds a leaf's part of every input on its path, whose last entry is `last`. */
  #addLeaf(path: number, last: number, value: number): void {
    const weight = this.#weight;
    const inverse = this.#inverse;
    // All inputs that lead the row elsewhere lose the same.
    let sum = 0;
    for (let index = 0; index < last; index++) {
      sum += weight[path + index] * inverse[last - index];
    }
    const lost = value * sum * (last + 1);
    for (let entry = 1; entry <= last; entry++) {
      const input = this.#input[path + entry];
      if (this.#one[path + entry] === 0) this.#into[input] -= lost;
      else {
        const zero = this.#zero[path + entry];
        this.#into[input] += value * (1 - zero) *
          this.#unwoundSum(path, last, zero);
      }
    }
  }

  /** Sum of the remaining weights without an entry that the row follows. */
  #unwoundSum(path: number, last: number, zero: number): number {
    const weight = this.#weight;
    const inverse = this.#inverse;
    const back = zero * inverse[last + 1];
    let sum = 0;
    let next = weight[path + last];
    for (let index = last - 1; index >= 0; index--) {
      const without = next * (last + 1) * inverse[index + 1];
      sum += without;
      next = weight[path + index] - without * back * (last - index);
    }
    return sum;
  }
}

/** A tree with the data that all rows share. */
interface PreparedTree {
  readonly tree: Tree;
  /** Share of the parent's rows that came to each node. */
  readonly share: Float64Array;
  /** Value of each leaf, less that of the first. */
  readonly value: Float64Array;
  /** 1 where no leaf below adds anything. */
  readonly bare: Uint8Array;
  /** Mean value over the rows. */
  readonly expected: number;
  readonly depth: number;
}

function prepare(tree: Tree): PreparedTree {
  const nodes = tree.input.length;
  const share = new Float64Array(nodes);
  const level = new Int32Array(nodes);
  share[0] = 1;
  let depth = 0;
  for (let node = 0; node < nodes; node++) {
    if (tree.input[node] < 0) continue;
    const left = tree.left[node];
    const right = tree.right[node];
    // If no row reached the node, both sides are equally likely, so that the
    // mean stays defined.
    const rows = tree.cover[left] + tree.cover[right];
    share[left] = rows > 0 ? tree.cover[left] / rows : 0.5;
    share[right] = 1 - share[left];
    level[left] = level[right] = level[node] + 1;
    depth = Math.max(depth, level[left]);
  }
  // A constant added to all leaves moves the mean and no contribution. The most
  // common value becomes 0 (in a forest: certainly genuine), and is skipped.
  const common = commonest(tree);
  const value = new Float64Array(nodes);
  const mean = new Float64Array(nodes);
  const bare = new Uint8Array(nodes);
  for (let node = nodes - 1; node >= 0; node--) {
    if (tree.input[node] < 0) {
      value[node] = tree.value[node] - common;
      mean[node] = value[node];
      bare[node] = value[node] === 0 ? 1 : 0;
    } else {
      const left = tree.left[node];
      const right = tree.right[node];
      mean[node] = share[left] * mean[left] + share[right] * mean[right];
      bare[node] = bare[left] & bare[right];
    }
  }
  return { tree, share, value, bare, expected: common + mean[0], depth };
}

/** The value that most leaves have. */
function commonest(tree: Tree): number {
  const counts = new Map<number, number>();
  let common = 0;
  let most = 0;
  tree.value.forEach((value, node) => {
    if (tree.input[node] >= 0) return;
    const count = (counts.get(value) ?? 0) + 1;
    counts.set(value, count);
    if (count > most) [common, most] = [value, count];
  });
  return common;
}
