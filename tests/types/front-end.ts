// A front end whose requests are checked by the types that openapi-typescript makes from the
// description of a stage with a schema. It prints what it reads.

import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const client = createClient<paths>({
  baseUrl: process.env.API,
  headers: { Authorization: `Bearer ${process.env.TOKEN}` },
});

const address = { city: "London", zip: "W1" };
const saved = await client.PUT("/user/profile", { body: { name: "Ada", bio: "Countess", address } });
if (saved.error) throw new Error(saved.error.detail);
const etag = saved.response.headers.get("ETag") ?? "";

const changed = await client.PATCH("/user/profile", {
  params: { header: { "If-Match": etag } },
  body: { bio: null, address: { zip: null } },
});
if (changed.error) throw new Error(changed.error.detail);

const read = await client.GET("/user/profile");
if (read.error) throw new Error(read.error.detail);
const profile = read.data.profile_data;
const name: string = profile.name;
const bio: string | undefined = profile.bio;
const city: string | undefined = profile.address?.city;
console.log(JSON.stringify({ name, bio, city, zip: profile.address?.zip }));

/** Requests that the types refuse. */
export const mistakes = [
  // @ts-expect-error: a name is a string
  () => client.PUT("/user/profile", { body: { name: 1815 } }),
  // @ts-expect-error: a name is required
  () => client.PUT("/user/profile", { body: { bio: "Countess" } }),
  // @ts-expect-error: null is for patches
  () => client.PUT("/user/profile", { body: { name: "Ada", bio: null } }),
  // @ts-expect-error: a language is one of two
  () => client.PATCH("/user/profile", { body: { language: "de" } }),
  // @ts-expect-error: there is no such path
  () => client.GET("/user/profiles"),
];
