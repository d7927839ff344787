// pino with its transport to Loki. node pino.mjs URL SERVICE
import pino from "pino";

const [url, service] = process.argv.slice(2);
const log = pino(pino.transport({ target: "pino-loki", options: { host: url, batching: { interval: 1 }, labels: { service_name: service, env: "test" } } }));
for (let number = 0; number < 40; number += 1) log.warn({ number }, `line ${number}`);
// Its worker sends in its own time and tells nobody; so this ends once they are there, and leaves the verdict to the test where they never are.
const arrived = async () => (await (await fetch(`${url}/api/v1/logs?limit=200&query=service:"pino-loki"`)).json()).data?.length ?? 0;
for (const until = Date.now() + 60_000; Date.now() < until && (await arrived()) < 40; ) await new Promise((resolve) => setTimeout(resolve, 200));
process.exit(0);
