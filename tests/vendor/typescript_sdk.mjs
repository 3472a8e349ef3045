// What a program does with the TypeScript SDK; the last line is JSON for the test.
import { createClient, createTinybirdApi, defineDatasource, engine, t, Tinybird } from "@tinybirdco/sdk";
import { getWorkspace } from "@tinybirdco/sdk/api/workspaces";

const [baseUrl, token, web] = process.argv.slice(2);
const api = createTinybirdApi({ baseUrl, token });
const client = createClient({ baseUrl, token });
const told = {};

told.one = await api.ingest("events", { id: 1, name: "one", tags: ["x"] });
told.batch = await api.ingestBatch("events", [
  { id: 2, name: "two", tags: [] },
  { id: 3, name: "three", tags: [] },
]);
await client.datasources.ingest("events", { id: 4, name: "four", tags: [] });

await api.appendDatasource("flights", { file: "flights.csv" });
told.url = await api.appendDatasource("flights", { url: `${web}/more.csv` });
told.dry = await api.deleteDatasource("deleted", { deleteCondition: "delay > 0", dryRun: true });
told.delete = await api.deleteDatasource("deleted", { deleteCondition: "delay > 0" });
await api.truncateDatasource("truncated");

const events = defineDatasource("events", {
  schema: { id: t.int32(), name: t.string(), tags: t.array(t.string()) },
  engine: engine.mergeTree({ sortingKey: ["id"] }),
});
const flights = defineDatasource("typed_flights", {
  jsonPaths: false,
  schema: { carrier: t.string(), day: t.date(), delay: t.int16() },
  engine: engine.mergeTree({ sortingKey: ["day"] }),
});
const typed = new Tinybird({ datasources: { events, flights }, pipes: {}, baseUrl, token });
await typed.events.ingest({ id: 5, name: "five", tags: ["q"] });
await typed.flights.append({ file: "flights.csv" });
await typed.flights.replace({ file: "more.csv" });
told.typedDry = await typed.flights.delete({ deleteCondition: "carrier = 'WN'", dryRun: true });

told.sql = (await typed.sql("SELECT count() AS n FROM events FORMAT JSON")).data;
told.static = (await api.createToken({ name: "from_sdk", scope: ["DATASOURCES:READ:events"] })).token;
told.jwt = (
  await client.tokens.createJWT({
    name: "visitor",
    expiresAt: new Date(Date.now() + 3_600_000),
    scopes: [{ type: "DATASOURCES:READ", resource: "events", filter: "id = 1" }],
    limits: { rps: 10 },
  })
).token;
const { id, name } = await getWorkspace({ baseUrl, token });
told.workspace = { id, name };
try {
  await api.sql("SELEC 1");
} catch (error) {
  told.status = error.statusCode;
  told.error = error.message;
}
console.log(JSON.stringify(told));
