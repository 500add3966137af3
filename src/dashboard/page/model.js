/** Placeholder. */
import { heading } from "./dom.js";
export function openModel(root) {
  root.append(heading("Model"));
}
