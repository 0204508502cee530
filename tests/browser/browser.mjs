// The system's Chromium under Playwright. Both are found by the environment: SSL_TEST_BROWSER is a folder whose node_modules hold
// playwright-core and axe-core (`npm ci` of package.json beside this file), SSL_TEST_CHROMIUM the program where it is not `chromium`
// on the PATH.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = createRequire(join(resolve(process.env.SSL_TEST_BROWSER ?? "."), "package.json"));
const { chromium } = modules("playwright-core");

const program = () => {
  if (process.env.SSL_TEST_CHROMIUM) return process.env.SSL_TEST_CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch { /* The next one. */ }
  }
  throw new Error("no chromium on the PATH; SSL_TEST_CHROMIUM names one");
};

export const launch = () => chromium.launch({ executablePath: program(), args: ["--no-sandbox", "--disable-gpu"] });

// A page in a window; whatever it says on the console, throws, or asks the network for is in `said`.
export const open = async (browser, file, { width = 1280, height = 900, scheme = "light", motion = "reduce", scale = 1 } = {}) => {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: scheme, reducedMotion: motion, deviceScaleFactor: scale,
  });
  const page = await context.newPage(), said = [], own = pathToFileURL(resolve(file)).href;
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => said.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => { if (request.url().split("#")[0] !== own) said.push(`asks for ${request.url()}`); });
  const started = performance.now();
  await page.goto(own);
  await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  return { context, page, said, seconds: (performance.now() - started) / 1000 };
};

const axe = readFileSync(modules.resolve("axe-core/axe.min.js"), "utf8");

// What axe-core finds serious or critical, in words.
export const barriers = async (page) => {
  // The page's own policy would refuse an inline script of ours: this one is evaluated by the driver.
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.slice(0, 4).map((node) => `${node.html.slice(0, 160)} (${node.failureSummary})`).join(" | ")}`);
};
