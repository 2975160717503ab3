import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, test } from "node:test";
import { createClient, isSteadError, memoryStorage, type Client } from "../src/index.js";
import { FakeServer, problem, sessionAnswer } from "./server.js";

let server: FakeServer;
const back = "https://app.example/signed-in";

beforeEach(async () => {
  server = await FakeServer.start();
  server.answer = ({ path }) => {
    if (path.endsWith("/link")) return { status: 200, body: { url: "/api/v1/auth/oauth/acme/start?link=ticket" } };
    if (path.endsWith("/identities")) return { status: 201, body: { id: "i1", provider: "acme" } };
    return sessionAnswer(1);
  };
});
afterEach(() => server.stop());

/** Begins a sign-in and gives where the person was sent. */
async function sent(stead: Client) {
  const opened: string[] = [];
  await stead.auth.signInWithProvider("acme", { redirectTo: back, open: (url) => opened.push(url) });
  assert.equal(opened.length, 1);
  return new URL(opened[0] ?? "");
}

test("a sign-in at a provider is begun with a challenge and ended with its verifier, also by the page that comes back", async () => {
  const storage = memoryStorage();
  const url = await sent(createClient(server.url, { storage }));
  assert.equal(url.origin + url.pathname, `${server.url}/api/v1/auth/oauth/acme/start`);
  assert.equal(url.searchParams.get("redirect_to"), back);
  const stead = createClient(server.url, { storage });
  const session = await stead.auth.completeSignIn(`${back}?code=c-1`);
  assert.equal(session?.user.email, "ann@example.org");
  const asked = server.asked.at(-1);
  assert.equal(asked?.path, "/api/v1/auth/oauth/exchange");
  const { code, code_verifier: verifier } = asked?.body as { code: string; code_verifier: string };
  assert.equal(code, "c-1");
  const digest = createHash("sha256").update(verifier).digest("base64url");
  assert.equal(url.searchParams.get("code_challenge"), digest);
  assert.deepEqual(stead.auth.session, session);
});

test("what a page did not begin it does not end", async () => {
  const stead = createClient(server.url, { storage: memoryStorage() });
  await assert.rejects(stead.auth.completeSignIn(`${back}?code=c-1`), (error) => isSteadError(error, "proof_invalid"));
  await sent(stead);
  await stead.auth.completeSignIn(`${back}?code=c-1`);
  const count = server.asked.length;
  await assert.rejects(stead.auth.completeSignIn(`${back}?code=c-1`), (error) => isSteadError(error, "proof_invalid"));
  assert.equal(server.asked.length, count, "a code is traded once");
});

test("a page that says nothing of a sign-in is left alone, and an error is thrown by its code", async () => {
  const stead = createClient(server.url, { storage: memoryStorage() });
  assert.equal(await stead.auth.completeSignIn(`${back}?page=2`), null);
  await sent(stead);
  await assert.rejects(
    stead.auth.completeSignIn(`${back}?error=access_denied`),
    (error) => isSteadError(error, "access_denied"),
  );
  assert.equal(stead.auth.session, null);
});

test("linking goes by a ticket and ends in the same session", async () => {
  const stead = createClient(server.url, { storage: memoryStorage() });
  const before = await stead.auth.signIn({ email: "ann@example.org", password: "correct horse" });
  const opened: string[] = [];
  await stead.auth.linkProvider("acme", { redirectTo: back, open: (url) => opened.push(url) });
  assert.deepEqual(opened, [`${server.url}/api/v1/auth/oauth/acme/start?link=ticket`]);
  const session = await stead.auth.completeSignIn(`${back}?code=c-2`);
  assert.equal(session?.sessionId, before.sessionId);
  const asked = server.asked.at(-1);
  assert.deepEqual([asked?.path, asked?.headers.authorization], ["/api/v1/auth/identities", "Bearer access-1"]);
});

test("a device brings its ID token; identities are listed and removed", async () => {
  const stead = createClient(server.url, { storage: memoryStorage() });
  await stead.auth.signInWithIdToken({ provider: "google", idToken: "t", nonce: "n", platform: "ios" });
  assert.deepEqual(server.asked.at(-1)?.body, { provider: "google", id_token: "t", nonce: "n", platform: "ios" });
  server.answer = () => ({ status: 200, body: { items: [{ id: "i1", provider: "acme" }] } });
  assert.deepEqual((await stead.auth.identities()).map(({ id }) => id), ["i1"]);
  server.answer = () => problem(409, "last_way_in");
  await assert.rejects(stead.auth.unlink("i1"), (error) => isSteadError(error, "last_way_in"));
  assert.equal(server.asked.at(-1)?.path, "/api/v1/auth/identities/i1");
});
