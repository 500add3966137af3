/**
 * Takes the picture of the live page that the README begins with. Start the
 * page of a real run first, then, with all permissions, which the driver of the
 * browser needs:
 *
 *   deno run --allow-all tests/browser/take_picture.ts \
 *     http://127.0.0.1:8080 docs/images/dashboard-now.png [chromium]
 */
import { chromium } from "playwright-core";
import { findChromium } from "./chromium.ts";

const [address, out, executablePath = findChromium() ?? ""] = Deno.args;
const browser = await chromium.launch({ executablePath });
try {
  const page = await browser.newPage({
    viewport: { width: 1280, height: 800 },
    colorScheme: "light",
  });
  await page.goto(`${address}/#/now`);
  await page.locator("#link.live").waitFor();
  await page.locator("tbody tr td a").first().waitFor();
  // Long enough for the charts to have what the connection brings first.
  await page.waitForTimeout(3000);
  await page.screenshot({ path: out, type: "png" });
} finally {
  await browser.close();
}
