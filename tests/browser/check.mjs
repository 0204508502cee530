// Looks at pages as a reader does. Standard input is JSON, a list of {file, about, large?}; standard output one line a check.
// A folder in SSL_TEST_SCREENSHOTS gets pictures of all of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { barriers, launch, open } from "./browser.mjs";

const pages = JSON.parse(readFileSync(0, "utf8"));
const pictures = process.env.SSL_TEST_SCREENSHOTS;
const browser = await launch();
const failures = [];
const check = (holds, what) => {
  console.log(`${holds ? "ok" : "FAILED"}: ${what}`);
  if (!holds) failures.push(what);
};
const facts = (page) => page.evaluate(() => JSON.parse(document.getElementById("report").textContent));
// A canvas as a number that changes when a pixel does, and how many of its pixels are drawn on.
const pixels = (canvas) => canvas.evaluate((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0, drawn = 0;
  for (let at = 0; at < data.length; at += 4) {
    sum = (sum * 31 + data[at] + 7 * data[at + 1] + 13 * data[at + 2] + data[at + 3]) % 1000000007;
    if (data[at + 3]) drawn++;
  }
  return { sum, drawn };
});
const sideways = (page) => page.evaluate(() => {
  const wide = document.documentElement.clientWidth;
  const over = [...document.body.querySelectorAll("*")].filter((element) => !element.closest(".scroll, .skip, .hidden, svg"))
    .filter((element) => element.getBoundingClientRect().right > wide + 1);
  return { scrolls: document.documentElement.scrollWidth > wide, over: over.slice(0, 3).map((element) => element.outerHTML.slice(0, 120)) };
});

// Widths, palettes, zoom.
const looks = async ({ file, about }) => {
  const windows = [
    { width: 1280, scheme: "light" }, { width: 1280, scheme: "dark" }, { width: 390, scheme: "light" }, { width: 390, scheme: "dark" },
    // A window of 1,280 pixels at a zoom of 200 % is one of 640 with twice as many pixels in each.
    { width: 640, height: 450, scheme: "light", scale: 2 },
  ];
  for (const window of windows) {
    const { context, page, said } = await open(browser, file, window);
    const where = `${about}, ${window.width} px, ${window.scheme}${window.scale ? ", zoomed" : ""}`;
    if (pictures) {
      await page.setViewportSize({ width: window.width, height: await page.evaluate(() => document.documentElement.scrollHeight) });
      await page.waitForTimeout(300);
      await page.screenshot({ path: join(pictures, where.replace(/[^a-z0-9]+/gi, "-") + ".png") });
    }
    const { scrolls, over } = await sideways(page);
    check(!scrolls && !over.length, `${where}: nothing is beyond the right edge ${over.join(" ")}`);
    const found = await barriers(page);
    check(!found.length, `${where}: axe-core finds no barrier ${found.join("\n  ")}`);
    check(!said.length, `${where}: nothing on the console, nothing asked for ${said.join("; ")}`);
    await context.close();
  }
};

// Every figure has the marks that the facts ask for.
const marks = async ({ file, about }) => {
  const { context, page } = await open(browser, file, { height: 6000 });
  const all = await facts(page);
  const count = (selector) => page.locator(selector).count();
  const has = (key) => all.runs.filter((run) => run.epochs.some((epoch) => epoch[key] != null)).length;
  if (all.runs.length) {
    const lines = ["loss", "val_loss", "val_top1", "val_mean_class", "lr"].reduce((sum, key) => sum + has(key), 0);
    check(await count("svg path.line") === lines, `${about}: a line a measure and run (${lines})`);
  }
  let cells = 0, planes = 0, three = 0;
  for (const [at, run] of all.runs.entries()) {
    const measured = run.measured?.there;
    if (measured) {
      check(await count(`#classes-${at} tbody tr`) === measured.classes.length, `${about}, run ${at}: a row a class`);
      check(await count(`#confusion-${at} button.pair`) === measured.pairs.length, `${about}, run ${at}: a row a pair`);
      cells++;
    }
    planes += run.planes.there?.length ?? 0;
    three += run.reconstruction.there?.clips.length ?? 0;
    const guesses = run.guesses?.there;
    if (guesses) {
      const moving = guesses.mistakes.filter((clip) => clip in all.sets[guesses.set].motion).length;
      check(await count(`#mistakes-${at} figure.card`) === moving, `${about}, run ${at}: a card a mistake that moves (${moving})`);
    }
  }
  check(await count(".matrix canvas.detail") === cells, `${about}: a matrix a measured run (${cells})`);
  check(await count(".plane canvas") === planes, `${about}: a canvas a plane (${planes})`);
  check(await count("figure.three canvas") === 3 * three, `${about}: three canvases a reconstruction (${3 * three})`);
  for (const canvas of await page.locator(".matrix .detail, .plane canvas, figure.three canvas, .card:not([hidden]) canvas").all()) {
    await canvas.scrollIntoViewIfNeeded();
    await page.waitForTimeout(30);
    const { drawn } = await pixels(canvas);
    if (drawn < 20) check(false, `${about}: ${await canvas.evaluate((canvas) => canvas.outerHTML)} is empty`);
  }
  check(!await page.evaluate(() => /NaN|undefined|null/.test(document.querySelector("main").innerText)), `${about}: no number is none`);
  await context.close();
};

// The keyboard reaches everything, and it shows where it is.
const keyboard = async ({ file, about }) => {
  const { context, page } = await open(browser, file);
  const wanted = await page.evaluate(() => {
    const reach = [...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")];
    const seen = reach.filter((element) => element.checkVisibility() && !element.disabled);
    seen.forEach((element, at) => { element.dataset.reach = at; });
    return seen.length;
  });
  const reached = new Set(), unseen = [];
  for (let step = 0; step < wanted + 5; step++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const element = document.activeElement, style = getComputedStyle(element);
      return { at: element.dataset.reach, ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0, html: element.outerHTML.slice(0, 90) };
    });
    if (found.at === undefined) continue;
    reached.add(found.at);
    if (!found.ring) unseen.push(found.html);
  }
  check(reached.size === wanted, `${about}: Tab reaches all that can be used (${reached.size} of ${wanted})`);
  check(!unseen.length, `${about}: focus is seen ${unseen.slice(0, 3).join(" ")}`);
  await context.close();
};

// Cell by cell, by the arrow keys, as the facts have it.
const matrix = async ({ file, about }) => {
  const { context, page } = await open(browser, file);
  const all = await facts(page), measured = all.runs[0]?.measured?.there;
  if (measured) {
    const { confusion, orders } = measured, k = Math.min(confusion.length, 14);
    await page.locator(".matrix .order").first().selectOption("number");
    await page.locator(".matrix .detail").first().focus();
    let wrong = 0;
    for (let row = 0; row < k; row++) {
      await page.keyboard.press("Home");
      for (let column = 0; column < k; column++) {
        if (row + column) await page.keyboard.press(column ? "ArrowRight" : "ArrowDown");
        else { await page.keyboard.press("ArrowRight"); await page.keyboard.press("ArrowLeft"); }
        const text = await page.locator(".matrix .readout").first().innerText();
        if (!text.includes(`: ${confusion[row][column]} of `)) wrong++;
      }
    }
    check(!wrong, `${about}: the matrix says what the facts say, cell by cell (${wrong} wrong)`);
    for (const order of ["name", "accuracy", "similarity"]) {
      await page.locator(".matrix .order").first().selectOption(order);
      check(orders[order].length === confusion.length, `${about}: ordered by ${order}`);
    }
    const head = page.locator("#classes-0 th button.sort").nth(3);
    await head.click();
    const shares = await page.locator("#classes-0 tbody tr td:nth-of-type(3)").evaluateAll((cells) => cells.map((cell) => +cell.dataset.value));
    const sorted = shares.every((share, at) => !at || shares[at - 1] >= share);
    check(sorted && await head.locator("xpath=..").getAttribute("aria-sort") === "descending", `${about}: a head sorts its column`);
  }
  const canvas = page.locator(".plane canvas").first();
  if (await canvas.count()) {
    await canvas.focus();
    await page.keyboard.press("ArrowRight");
    const { set } = all.runs[0].planes.there[0], ids = all.sets[set].ids;
    const readout = page.locator(".planes .readout").first();
    const first = await readout.innerText();
    await page.keyboard.press("ArrowRight");
    check(first !== await readout.innerText(), `${about}: arrow keys go from point to point`);
    const last = ids[ids.length - 1];
    await page.locator(".planes .find").first().fill(last);
    check((await readout.innerText()).startsWith(last.slice(0, 4)), `${about}: a clip is found by its id`);
  }
  await context.close();
};

// Movement: by itself where the reader allows it, and by the button.
const movement = async ({ file, about }) => {
  for (const motion of ["no-preference", "reduce"]) {
    const { context, page } = await open(browser, file, { motion });
    for (const selector of ["figure.card", "figure.three"]) {
      const box = page.locator(selector).first();
      if (!await box.count() || !await box.locator("canvas").count()) continue;
      await box.scrollIntoViewIfNeeded();
      const canvas = box.locator("canvas").first(), button = box.locator("button.play");
      const moves = async () => {
        const before = await pixels(canvas);
        for (let tries = 0; tries < 25; tries++) {
          await page.waitForTimeout(100);
          if ((await pixels(canvas)).sum !== before.sum) return true;
        }
        return false;
      };
      const rests = async () => {
        await page.waitForTimeout(150);
        const before = await pixels(canvas);
        await page.waitForTimeout(400);
        return (await pixels(canvas)).sum === before.sum;
      };
      if (motion === "reduce") {
        check(await rests() && await button.innerText() === "Play", `${about}, ${selector}: rests where less motion is wished for`);
        await button.focus();
        await page.keyboard.press("Enter");
      }
      check(await moves() && await button.innerText() === "Pause", `${about}, ${selector}, ${motion}: plays`);
      await button.click();
      check(await rests() && await button.innerText() === "Play", `${about}, ${selector}, ${motion}: pauses`);
    }
    await context.close();
  }
};

// 120 classes and 20,000 clips: seconds to open, milliseconds to answer. Of three tries the best, since the machine is shared.
const speed = async ({ file, about }) => {
  let opened = Infinity, answered = Infinity;
  for (let tries = 0; tries < 3; tries++) {
    const { context, page, seconds } = await open(browser, file);
    opened = Math.min(opened, seconds);
    const one = await page.evaluate(async () => {
      const box = document.querySelector(".matrix"), detail = box.querySelector(".detail"), order = box.querySelector(".order");
      const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      box.scrollIntoView();
      await frame();
      const times = [];
      const measure = async (act) => { const from = performance.now(); act(); await frame(); times.push(performance.now() - from); };
      for (const key of ["ArrowRight", "ArrowDown", "PageDown", "End"])
        await measure(() => detail.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })));
      for (const value of ["accuracy", "name"]) await measure(() => { order.value = value; order.dispatchEvent(new Event("change")); });
      return Math.max(...times);
    });
    answered = Math.min(answered, one);
    await context.close();
  }
  check(opened < 2, `${about}: opens in ${opened.toFixed(2)} s, below 2`);
  check(answered < 100, `${about}: the matrix answers within ${answered.toFixed(0)} ms, below 100`);
};

const prints = async ({ file, about }) => {
  const { context, page, said } = await open(browser, file);
  await page.emulateMedia({ media: "print" });
  const paper = await page.pdf({ format: "A4" });
  check(paper.length > 10000 && !said.length, `${about}: prints (${(paper.length / 1000).toFixed(0)} kB)`);
  await context.close();
};

for (const one of pages) {
  if (one.large) {
    await speed(one);
    await marks(one);
    continue;
  }
  for (const part of [looks, marks, keyboard, matrix, movement, prints]) await part(one);
}
await browser.close();
if (failures.length) {
  console.error(`${failures.length} failed:\n${failures.join("\n")}`);
  process.exit(1);
}
