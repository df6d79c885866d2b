// The same for a stage without a schema: profile data may have any members, of any type.

import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const client = createClient<paths>({
  baseUrl: process.env.API,
  headers: { Authorization: `Bearer ${process.env.TOKEN}` },
});

const saved = await client.PUT("/user/profile", { body: { name: "Ada", born: 1815 } });
if (saved.error) throw new Error(saved.error.detail);

const changed = await client.PATCH("/user/profile", { body: { born: null, tags: ["a"] } });
if (changed.error) throw new Error(changed.error.detail);
const name: unknown = changed.data.profile_data.name;

const metadata = await client.GET("/user/metadata");
if (metadata.error) throw new Error(metadata.error.detail);
const plan: unknown = metadata.data.app_metadata.plan;

console.log(JSON.stringify({ name, plan, data: changed.data.profile_data }));

const missing = await client.GET("/user/profile", { headers: { Authorization: "" } });
if (missing.error?.status !== 401) throw new Error("a request without a token was accepted");
