import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createClient, isSteadError } from "../src/index.js";
import { sha256, solve } from "../src/puzzle.js";
import { FakeServer, problem, sessionAnswer } from "./server.js";
import { VirtualTime } from "./surroundings.js";

const words = (text: string) => [...createHash("sha256").update(text).digest()].reduce<number[]>((all, byte, at) => {
  all[at >> 2] = ((all[at >> 2] ?? 0) << 8) | byte;
  return all;
}, []);

test("hashes are those of everybody else, at every length around a block", () => {
  for (let length = 0; length < 140; length++) assert.deepEqual(sha256("x".repeat(length)), words("x".repeat(length)), `${length}`);
});

test("an answer is the puzzle with a number, and its hash begins with zeros", async () => {
  const answer = await solve({ puzzle: "pz1.abc.def", bits: 12 });
  assert.match(answer, /^pz1\.abc\.def\.\d+$/);
  assert.equal(words(answer)[0]! >>> 20, 0);
});

const ann = { email: "ann@example.org", password: "correct horse" };

test("a server that wants a puzzle solved gets it solved, and one that is never content is left", async () => {
  const server = await FakeServer.start();
  let content = true;
  server.answer = ({ path, headers }) => {
    if (path.endsWith("/auth/puzzle")) return { status: 200, body: { puzzle: "pz1.a.b", bits: 8 } };
    const solved = typeof headers["stead-captcha"] === "string" && words(headers["stead-captcha"])[0]! >>> 24 === 0;
    return solved && content ? sessionAnswer(1) : problem(403, "captcha_required");
  };
  const stead = createClient(server.url, { surroundings: new VirtualTime() });
  await stead.auth.signIn(ann);
  assert.deepEqual(server.asked.map(({ path }) => path.split("/").at(-1)), ["password", "puzzle", "password"]);
  content = false;
  await assert.rejects(stead.auth.signIn(ann), (error) => isSteadError(error, "captcha_required"));
  assert.equal(server.asked.length, 6, "asked once more, and no more");
  // What a widget gives takes the place of puzzles.
  const own = createClient(server.url, { surroundings: new VirtualTime(), captcha: async () => "widget" });
  await assert.rejects(own.auth.signIn(ann), (error) => isSteadError(error, "captcha_required"));
  assert.equal(server.asked.at(-1)?.headers["stead-captcha"], "widget");
  await server.stop();
});
