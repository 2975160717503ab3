import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import WebSocket from "ws";
import { createClient, isSteadError, memoryStorage, type ClientOptions } from "../src/index.js";
import { FakeServer, problem, type Answer, type Asked } from "./server.js";
import { VirtualTime } from "./surroundings.js";

let server: FakeServer;
/** What `fetch` was told of cookies, in order. */
let credentials: (RequestCredentials | undefined)[];
/** Whether the session that the cookie stands for lives. */
let alive: boolean;

beforeEach(async () => {
  server = await FakeServer.start();
  [credentials, alive] = [[], true];
  server.answer = honest;
});
afterEach(() => server.stop());

function honest({ path, headers }: Asked): Answer {
  const user = { id: "u1", email: "ann@example.org" };
  if (path.endsWith("/sign-in/password"))
    return { status: 200, body: { token_type: "Cookie", session_id: "s1", expires_in: 2_592_000, user } };
  if (headers["stead-session"] === "cookie" && !alive) return problem(401, "token_invalid");
  if (path.endsWith("/auth/me")) return { status: 200, body: user };
  if (path.endsWith("/auth/session")) return { status: 200, body: { session_id: "s1" } };
  return path.endsWith("/sign-out") ? { status: 204 } : { status: 200, body: { items: [], next_cursor: null } };
}

function client(options: ClientOptions = {}) {
  const asking: typeof fetch = (input, init) => {
    credentials.push(init?.credentials);
    return fetch(input, init);
  };
  return createClient(server.url, { session: "cookie", fetch: asking, surroundings: new VirtualTime(), ...options });
}

const ann = { email: "ann@example.org", password: "correct horse" };
const said = () =>
  server.asked.map(({ path, headers }) => `${path.replace("/api/v1", "")} ${headers["stead-session"] ?? "-"}`);

test("with a cookie no token is kept or sent, and calls say that they mean it", async () => {
  const storage = memoryStorage();
  const stead = client({ storage });
  await stead.collection("messages").list();
  const session = await stead.auth.signIn(ann);
  await stead.collection("messages").create({ text: "hi" });
  assert.deepEqual(said(), [
    "/collections/messages/records -",
    "/auth/sign-in/password new",
    "/collections/messages/records cookie",
  ]);
  assert.deepEqual(credentials, ["omit", "same-origin", "same-origin"]);
  assert.ok(server.asked.every(({ headers }) => headers.authorization === undefined));
  assert.equal(session.refreshToken, "");
  // Another page of the same browser knows who is signed in.
  assert.equal(client({ storage }).auth.user?.email, "ann@example.org");
});

test("a session that is over ends here too, and what follows is asked as nobody", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  alive = false;
  await assert.rejects(stead.collection("messages").list(), (error) => isSteadError(error, "token_invalid"));
  assert.equal(stead.auth.session, null);
  await stead.collection("messages").list();
  assert.deepEqual(said().slice(1), [
    "/collections/messages/records cookie",
    "/auth/session cookie",
    "/collections/messages/records -",
  ]);
  assert.equal(credentials.at(-1), "omit");
});

test("a socket is opened by the cookie and says no token", async () => {
  const stead = client({ WebSocket });
  await stead.auth.signIn(ann);
  const live = stead.collection("messages").subscribe({}, () => {});
  for (const end = Date.now() + 10_000; !server.sockets[0]?.heard.length && Date.now() < end; )
    await new Promise((go) => setTimeout(go, 5));
  assert.equal(server.sockets[0]?.url, "/api/v1/realtime?session=cookie");
  const [hello] = [server.sockets[0].heard[0]].flat() as { t: string; token?: string }[];
  assert.deepEqual([hello?.t, hello?.token], ["hello", undefined]);
  live.stop();
  stead.close();
});

test("without the option nothing is said of cookies", async () => {
  const stead = client({ session: undefined });
  await stead.collection("messages").list();
  assert.deepEqual([said(), credentials], [["/collections/messages/records -"], [undefined]]);
});
