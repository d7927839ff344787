// The ClickHouse client of Node at a collector. node clickhouse.mjs URL SERVICE; prints what it was answered as JSON.
import { createClient, ClickHouseLogLevel } from "@clickhouse/client";

const [url, service] = process.argv.slice(2);
const client = createClient({ url, pathname: "/clickhouse", compression: { response: true }, log: { level: ClickHouseLogLevel.OFF } });
const ping = await client.ping();
const asked = { query: "SELECT service, body FROM logs WHERE service = {s:String}", query_params: { s: service }, format: "JSONEachRow" };
const rows = await (await client.query(asked)).json();
const stream = await client.query({ query: "SELECT number FROM numbers(200000)", format: "JSONCompactEachRow", clickhouse_settings: { max_threads: 1 } });
let streamed = 0;
for await (const part of stream.stream()) streamed += part.length;
const refused = [];
for (const write of [() => client.command({ query: "DROP TABLE logs" }), () => client.insert({ table: "logs", values: [{ body: "x" }], format: "JSONEachRow" })]) {
  try {
    await write();
  } catch (error) {
    refused.push(error.code);
  }
}
await client.close();
console.log(JSON.stringify({ ping: ping.success, rows, streamed, refused }));
