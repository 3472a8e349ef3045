// Rows from zod-bird and from the vendor's generator of test data; the last line is JSON for the test.
import { Tinybird } from "@chronark/zod-bird";
import { TinybirdGenerator } from "@tinybirdco/mockingbird";
import { z } from "zod";

const [baseUrl, token] = process.argv.slice(2);
const bird = new Tinybird({ token, baseUrl });
const publish = bird.buildIngestEndpoint({
  datasource: "zod_rows",
  event: z.object({ id: z.number(), name: z.string().optional().default("default") }),
});
const first = await publish([{ id: 1 }, { id: 2, name: "given" }]);
const second = await publish({ id: 3 });

const generator = new TinybirdGenerator({
  schema: { id: { type: "number.int", params: [{ min: 1, max: 9 }] }, at: { type: "mockingbird.datetimeNow" } },
  endpoint: baseUrl,
  token,
  datasource: "generated_rows",
  eps: 50,
  limit: 20,
  logs: false,
});
await generator.generate();
console.log(JSON.stringify({ zod: [first.successful_rows, second.successful_rows] }));
