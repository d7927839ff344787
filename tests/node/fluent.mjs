// @fluent-org/logger with a shared key and acknowledgements. node fluent.mjs PORT TAG MODE SHARED_KEY
import { FluentClient } from "@fluent-org/logger";

const [port, tag, mode, sharedKey] = process.argv.slice(2);
const client = new FluentClient(tag, {
  eventMode: mode,
  socket: { host: "127.0.0.1", port: Number(port), timeout: 60000 },
  security: { clientHostname: "node", sharedKey },
  ack: { ackTimeout: 60000 },
});
const sent = [];
for (let number = 0; number < 40; number += 1) sent.push(client.emit({ message: `line ${number}`, number }));
await Promise.all(sent);
await client.shutdown();
process.exit(0);
