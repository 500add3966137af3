/**
 * Figures as PNG: resvg, a renderer in WebAssembly, and the font Inter, both
 * from npm packages and loaded when the first figure is drawn. No font of the
 * system is looked at, so that a figure has the same bytes everywhere.
 */
import { DataError } from "../error/error.ts";
import { fileErrorReason } from "../files/file_error.ts";

/** Pixels a unit of drawing: sharp on dense screens and on paper. */
const SCALE = 2;

const WASM = "@resvg/resvg-wasm/index_bg.wasm";
const FONTS = [400, 600].map((weight) => {
  return `@fontsource/inter/files/inter-latin-${weight}-normal.woff2`;
});

/** Draws SVG documents as PNG. */
export type PngRenderer = (svg: string) => Uint8Array;

/** Loads renderer and font. Throws DataError where they cannot be read. */
export async function openPngRenderer(): Promise<PngRenderer> {
  const { initWasm, Resvg } = await import("@resvg/resvg-wasm");
  // Names the font's package, so that it is installed with the program.
  await import("@fontsource/inter/metadata.json", { with: { type: "json" } });
  const fontBuffers = await Promise.all(FONTS.map(readPackaged));
  initialised ??= initWasm(await readPackaged(WASM));
  await initialised;
  const font = {
    fontBuffers,
    defaultFontFamily: "Inter",
    sansSerifFamily: "Inter",
  };
  return (svg) => {
    const fitTo = { mode: "zoom", value: SCALE } as const;
    const drawing = new Resvg(svg, { font, fitTo });
    try {
      const image = drawing.render();
      try {
        return image.asPng();
      } finally {
        image.free();
      }
    } finally {
      drawing.free();
    }
  };
}

/** The module may be initialised once in a process. */
let initialised: Promise<void> | undefined;

async function readPackaged(name: string): Promise<Uint8Array> {
  const url = new URL(import.meta.resolve(name));
  try {
    return await Deno.readFile(url);
  } catch (error) {
    throw new DataError(
      `cannot read ${name} for PNG: ` +
        `${fileErrorReason(error, "read", url.pathname)}; or take --format=svg`,
      { cause: error },
    );
  }
}
