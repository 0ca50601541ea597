// The page in a real browser against a real server: npm test, with meshflow and Chromium on PATH (or named by MESHFLOW and CHROMIUM).
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const TIMEOUT_MS = 30_000;
let browser, page, directory, pages, server, pagePort, serverPort;

function freePort() {
  return new Promise((resolve) => {
    const listener = createServer().listen(0, "127.0.0.1", () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

async function answering(url) {
  for (const until = Date.now() + TIMEOUT_MS; Date.now() < until; ) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${url} does not answer`);
}

async function startServer() {
  const environment = {
    ...process.env,
    MESHFLOW_MOCK: "1",
    MESHFLOW_MOCK_LATENCY_MS: "600",
    MESHFLOW_METRICS_PORT: "0",
    MESHFLOW_DATA_DIR: directory,
    MESHFLOW_ALLOWED_ORIGINS: `http://127.0.0.1:${pagePort}`,
  };
  server = spawn(process.env.MESHFLOW ?? "meshflow", ["serve", "--port", String(serverPort)], { env: environment, stdio: "ignore" });
  const failed = new Promise((_, reject) => server.once("error", reject));
  await Promise.race([answering(`http://127.0.0.1:${serverPort}/readyz`), failed]);
}

async function ended(child, signal) {
  const over = new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode === null && child.kill(signal)) await over;
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "meshflow-page-"));
  [pagePort, serverPort] = [await freePort(), await freePort()];
  // esbuild serves until its stdin ends.
  pages = spawn("npm", ["start"], { env: { ...process.env, PORT: String(pagePort) }, stdio: ["pipe", "ignore", "ignore"] });
  await Promise.all([startServer(), answering(`http://127.0.0.1:${pagePort}/dist/main.js`)]);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
});

after(async () => {
  await browser?.close();
  if (server) await ended(server, "SIGTERM");
  pages?.stdin.end();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  await page?.close();
  page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  await page.goto(`http://127.0.0.1:${pagePort}/`);
  await page.fill("#server", `http://127.0.0.1:${serverPort}`);
});

const status = (wanted) => page.waitForFunction((text) => document.querySelector("#status").textContent === text, wanted);
const eventsSeen = (count) => page.waitForFunction((least) => document.querySelectorAll("#events li").length >= least, count);
const shown = (key) => page.$$eval("#events li", (lines, name) => lines.map((line) => line.dataset[name]), key);

test("a run is started and its events are shown when they happen", async () => {
  await page.fill("#task", "<img src=x onerror=alert(1)> Grüße 🌍");
  await page.click("#start");
  await eventsSeen(1);
  assert.equal(await page.textContent("#status"), "running");
  await status("completed");
  assert.deepEqual(await shown("type"), ["run_started", "agent_completed", "agent_completed", "run_completed"]);
  assert.deepEqual(await shown("sequence"), ["1", "2", "3", "4"]);
  const text = await page.textContent("#events");
  assert.ok(text.includes("<img src=x onerror=alert(1)> Grüße 🌍"), text);
  assert.equal(await page.$("#events img"), null);
  assert.equal(await page.textContent("#error"), "");
});

test("the server is killed in mid-run: the page goes on, and a reloaded page takes the run up again", async () => {
  await page.click("#gated");
  await page.click("#start");
  await eventsSeen(2);
  await ended(server, "SIGKILL");
  await startServer();
  await status("paused");
  const followed = { types: await shown("type"), sequences: await shown("sequence") };
  assert.deepEqual(followed.types, ["run_started", "agent_completed", "agent_completed", "gate_paused"]);

  await page.reload();
  await status("paused");
  const replayed = { types: await shown("type"), sequences: await shown("sequence") };
  assert.deepEqual(replayed, followed);
  assert.match(await page.textContent("#asked"), /publisher waits/);
  assert.match(await page.textContent("#input"), /message queues/);

  await page.click("#approve");
  await status("completed");
  assert.deepEqual((await shown("type")).slice(4), ["gate_resumed", "agent_completed", "run_completed"]);
  assert.equal(await page.isVisible("#gate"), false);
});

test("a rejection ends the run", async () => {
  await page.click("#gated");
  await page.click("#start");
  await status("paused");
  await page.click("#reject");
  await status("rejected");
  assert.equal(await page.isVisible("#gate"), false);
});

test("an error is shown with its reason", async () => {
  const named = new URLSearchParams({ server: `http://127.0.0.1:${serverPort}`, run: "run_none" });
  await page.goto(`http://127.0.0.1:${pagePort}/#${named}`);
  await page.reload();
  await page.waitForFunction(() => document.querySelector("#error").textContent !== "");
  assert.match(await page.textContent("#error"), /^RUN_NOT_FOUND: /);
});
