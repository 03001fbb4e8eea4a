/**
 * What JavaScript clients do: the counterpart of `steps.py`, with the same input and output.
 *
 * All requests go through a `fetch` that writes them down and refuses what is not of this machine.
 */

import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import * as hub from "@huggingface/hub";

const hubUrl = process.env.HF_ENDPOINT;
const accessToken = process.env.HF_TOKEN;
const common = { hubUrl, fetch: recorded, ...(accessToken && { accessToken }) };
const requests = [];
const hosts = new Set();

async function recorded(input, init = {}) {
  const url = new URL(input);
  hosts.add(url.hostname);
  if (!url.hostname.startsWith("127.")) {
    throw new TypeError(`${url.hostname} is outside of the test`);
  }
  const headers = Object.fromEntries(new Headers(init.headers));
  const entry = [url.host, init.method ?? "GET", url.pathname + url.search, null, headers];
  requests.push(entry);
  const response = await fetch(input, init);
  entry[3] = response.status;
  return response;
}

function digest(data) {
  return createHash("sha256").update(data).digest("hex");
}

async function all(generator) {
  const found = [];
  for await (const item of generator) {
    found.push(item);
  }
  return found;
}

const steps = {
  /** A file: digest and size; null for one that does not exist. */
  async download(what) {
    const blob = await hub.downloadFile({ ...common, ...what });
    return blob && { sha256: digest(Buffer.from(await blob.arrayBuffer())), size: blob.size };
  },
  /** Some bytes from the middle of a file. */
  async slice({ start, end, ...what }) {
    const blob = await hub.downloadFile({ ...common, ...what });
    return Buffer.from(await blob.slice(start, end).arrayBuffer()).toString("hex");
  },
  /** A snapshot in a cache folder: digests by path. */
  async snapshot(what) {
    const root = await hub.snapshotDownload({ ...common, cacheDir: "cache", ...what });
    const found = {};
    for (const name of await readdir(root, { recursive: true })) {
      const path = join(root, name);
      if ((await stat(path)).isFile()) {
        found[relative(root, path)] = digest(await readFile(path));
      }
    }
    return found;
  },
  modelInfo: (what) => hub.modelInfo({ ...common, ...what }),
  datasetInfo: (what) => hub.datasetInfo({ ...common, ...what }),
  spaceInfo: (what) => hub.spaceInfo({ ...common, ...what }),
  fileExists: (what) => hub.fileExists({ ...common, ...what }),
  repoExists: (what) => hub.repoExists({ ...common, ...what }),
  fileDownloadInfo: (what) => hub.fileDownloadInfo({ ...common, ...what }),
  pathsInfo: (what) => hub.pathsInfo({ ...common, ...what }),
  countCommits: (what) => hub.countCommits({ ...common, ...what }),
  whoAmI: (what) => hub.whoAmI({ ...common, ...what }),
  checkRepoAccess: async (what) => (await hub.checkRepoAccess({ ...common, ...what })) ?? null,
  uploadFile: ({ path, size, ...what }) =>
    hub.uploadFile({ ...common, ...what, file: { path, content: new Blob(["x".repeat(size)]) } }),
  createRepo: (what) => hub.createRepo({ ...common, ...what }),
  deleteRepo: (what) => hub.deleteRepo({ ...common, ...what }),
  safetensors: (what) => hub.parseSafetensorsMetadata({ ...common, ...what }),
  listFiles: async (what) => (await all(hub.listFiles({ ...common, ...what }))).map((f) => f.path),
  listCommits: async (what) =>
    (await all(hub.listCommits({ ...common, ...what }))).map((c) => [c.oid, c.title]),
  listModels: async (what) =>
    (await all(hub.listModels({ ...common, ...what }))).map((m) => m.name),
  listDatasets: async (what) =>
    (await all(hub.listDatasets({ ...common, ...what }))).map((d) => d.name),
};

async function run([step, what]) {
  const started = performance.now();
  const first = requests.length;
  let outcome;
  try {
    outcome = { value: await steps[step](what) };
  } catch (error) {
    outcome = {
      error: error.constructor.name,
      bases: [error.constructor.name],
      message: String(error.message).slice(0, 2000),
      status: error.statusCode ?? null,
      server_message: null,
    };
  }
  const seconds = (performance.now() - started) / 1000;
  return { ...outcome, requests: requests.slice(first), seconds };
}

console.debug = () => {};
let input = "";
for await (const piece of process.stdin) {
  input += piece;
}
const done = [];
for (const step of JSON.parse(input)) {
  done.push(await run(step));
}
console.log("\n" + JSON.stringify({ steps: done, hosts: [...hosts] }));
