/**
 * numpy's indirect quicksort (`argsort(kind="quicksort")` for datetimes), an
 * introsort: median of three, insertion sort for short ranges, heapsort when
 * it goes too deep (Musser, "Introspective sorting and selection algorithms",
 * 1997). It is not stable, and where it leaves equal keys is what numbers the
 * handbook's payments, so every comparison and swap here is numpy's.
 */

/** Ranges of at most this many entries are left to the insertion sort. */
const SHORT = 16;

/** Keys and the places they came from, moved together. */
interface Entries {
  readonly keys: Int32Array;
  readonly order: Int32Array;
}

/**
 * The order that sorts `keys` ascending: entry i is the place, before sorting,
 * of what comes i-th. The keys themselves are sorted in place.
 */
export function sortUnstable(keys: Int32Array): Int32Array {
  const order = new Int32Array(keys.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  if (keys.length > 1) sortEntries({ keys, order });
  return order;
}

function sortEntries(entries: Entries): void {
  let left = 0;
  let right = entries.keys.length - 1;
  let depth = 2 * (31 - Math.clz32(entries.keys.length));
  // Three numbers for each range put off: from, to, depth.
  const putOff: number[] = [];
  while (true) {
    // Only a range that was put off is judged by its depth.
    if (depth < 0) heapSort(entries, left, right - left + 1);
    else {
      while (right - left >= SHORT) {
        const middle = partition(entries, left, right);
        depth--;
        if (middle - left < right - middle) {
          putOff.push(middle + 1, right, depth);
          right = middle - 1;
        } else {
          putOff.push(left, middle - 1, depth);
          left = middle + 1;
        }
      }
      insertionSort(entries, left, right);
    }
    if (putOff.length === 0) return;
    depth = putOff.pop() ?? 0;
    right = putOff.pop() ?? 0;
    left = putOff.pop() ?? 0;
  }
}

/** Splits left … right around the median of three; returns where it lands. */
function partition(entries: Entries, left: number, right: number): number {
  const { keys, order } = entries;
  const middle = left + ((right - left) >> 1);
  if (keys[middle] < keys[left]) swap(keys, order, middle, left);
  if (keys[right] < keys[middle]) swap(keys, order, right, middle);
  if (keys[middle] < keys[left]) swap(keys, order, middle, left);
  const pivot = keys[middle];
  let i = left;
  let j = right - 1;
  swap(keys, order, middle, j);
  while (true) {
    do i++; while (keys[i] < pivot);
    do j--; while (pivot < keys[j]);
    if (i >= j) break;
    swap(keys, order, i, j);
  }
  swap(keys, order, i, right - 1);
  return i;
}

function swap(
  keys: Int32Array,
  order: Int32Array,
  i: number,
  j: number,
): void {
  const key = keys[i];
  keys[i] = keys[j];
  keys[j] = key;
  const place = order[i];
  order[i] = order[j];
  order[j] = place;
}

function insertionSort(entries: Entries, left: number, right: number): void {
  const { keys, order } = entries;
  for (let i = left + 1; i <= right; i++) {
    const key = keys[i];
    const place = order[i];
    let j = i;
    while (j > left && key < keys[j - 1]) {
      keys[j] = keys[j - 1];
      order[j] = order[j - 1];
      j--;
    }
    keys[j] = key;
    order[j] = place;
  }
}

/** Sorts `count` entries from `left` on, as numpy's `aheapsort` does. */
function heapSort(entries: Entries, left: number, count: number): void {
  const { keys, order } = entries;
  for (let root = count >> 1; root > 0; root--) {
    const at = left + root - 1;
    siftDown(entries, left, root, count, keys[at], order[at]);
  }
  for (let last = count; last > 1; last--) {
    const at = left + last - 1;
    const key = keys[at];
    const place = order[at];
    keys[at] = keys[left];
    order[at] = order[left];
    siftDown(entries, left, 1, last - 1, key, place);
  }
}

/** Puts an entry into the heap of nodes 1 … `count`, from node `root` down. */
function siftDown(
  entries: Entries,
  left: number,
  root: number,
  count: number,
  key: number,
  place: number,
): void {
  const { keys, order } = entries;
  const base = left - 1;
  let node = root;
  let child = 2 * root;
  while (child <= count) {
    if (child < count && keys[base + child] < keys[base + child + 1]) child++;
    if (key >= keys[base + child]) break;
    keys[base + node] = keys[base + child];
    order[base + node] = order[base + child];
    node = child;
    child *= 2;
  }
  keys[base + node] = key;
  order[base + node] = place;
}
