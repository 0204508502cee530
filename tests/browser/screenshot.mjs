// A picture of a page from an element on: node tests/browser/screenshot.mjs PAGE.html PICTURE.png [WIDTH] [HEIGHT|full] [light|dark] [SELECTOR]
import { launch, open } from "./browser.mjs";

const [file, picture, width = "1280", height = "900", scheme = "light", selector = ""] = process.argv.slice(2);
if (!picture) {
  console.error("usage: node screenshot.mjs PAGE.html PICTURE.png [WIDTH] [HEIGHT|full] [light|dark] [SELECTOR]");
  process.exit(2);
}
const whole = height === "full";
const browser = await launch();
const { page, said } = await open(browser, file, { width: +width, height: whole ? 900 : +height, scheme });
if (whole) {
  // Canvases are drawn when they come into sight.
  await page.setViewportSize({ width: +width, height: await page.evaluate(() => document.documentElement.scrollHeight) });
}
if (selector) await page.locator(selector).first().evaluate((element) => element.scrollIntoView({ block: "start" }));
await page.waitForTimeout(500);
await page.screenshot({ path: picture, fullPage: whole });
await browser.close();
if (said.length) {
  console.error(said.join("\n"));
  process.exit(1);
}
