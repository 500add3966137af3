/**
 * Figures as PNG: resvg, a renderer in WebAssembly, and the font Inter, both
 * from npm packages and loaded, as modules, when the first figure is drawn. No font of the
 * system is looked at, so that a figure has the same bytes everywhere.
 */
/** Pixels a unit of drawing: sharp on dense screens and on paper. */
const SCALE = 2;

/** Draws SVG documents as PNG. */
export type PngRenderer = (svg: string) => Uint8Array;

/** Loads renderer and font. */
export async function openPngRenderer(): Promise<PngRenderer> {
  const { initWasm, Resvg } = await import("@resvg/resvg-wasm");
  const [{ default: regular }, { default: bold }, { default: wasm }] =
    await Promise.all([
      import("@fontsource/inter/files/inter-latin-400-normal.woff2", {
        with: { type: "bytes" },
      }),
      import("@fontsource/inter/files/inter-latin-600-normal.woff2", {
        with: { type: "bytes" },
      }),
      import("@resvg/resvg-wasm/index_bg.wasm", {
        with: { type: "bytes" },
      }),
    ]);
  const fontBuffers = [regular, bold];
  initialised ??= initWasm(wasm);
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
