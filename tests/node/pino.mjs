// pino with its transport to Loki. node pino.mjs URL SERVICE
import pino from "pino";

const [url, service] = process.argv.slice(2);
const log = pino(pino.transport({ target: "pino-loki", options: { host: url, batching: { interval: 1 }, labels: { service_name: service, env: "test" } } }));
for (let number = 0; number < 40; number += 1) log.warn({ number }, `line ${number}`);
setTimeout(() => log.flush(() => process.exit(0)), 3000);
