import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { createClient, isSteadError, memoryStorage, readLink, SecondFactorRequired, type ClientOptions, type PasskeyDevice, type Storage } from "../src/index.js";
import { FakeServer, problem, sessionAnswer, type Answer, type Asked } from "./server.js";
import { VirtualTime } from "./surroundings.js";

let server: FakeServer;
let time: VirtualTime;
/** The newest token pair; only its access token is good. */
let issued: number;

// A server of its own: what a test gave up may still be on its way to the one before.
beforeEach(async () => {
  server = await FakeServer.start();
  issued = 0;
  time = new VirtualTime();
  server.answer = honest;
});
afterEach(() => server.stop());

/** Signs in, rotates, and lets in the newest token only. */
function honest({ path, body, headers }: Asked): Answer {
  if (path.endsWith("/sign-in/password") || path.endsWith("/sign-up")) return sessionAnswer(++issued);
  if (path.endsWith("/token/refresh")) {
    const good = (body as { refresh_token: string }).refresh_token === `refresh-${issued}`;
    return good ? sessionAnswer(++issued) : problem(401, "token_invalid");
  }
  if (headers.authorization !== undefined && headers.authorization !== `Bearer access-${issued}`)
    return problem(401, "token_expired");
  if (path.endsWith("/auth/me")) return { status: 200, body: { id: "u1", email: "ann@example.org", name: "Ann B" } };
  if (path.endsWith("/sign-out")) return { status: 204 };
  return { status: 200, body: { items: [], next_cursor: null } };
}

function client(options: ClientOptions = {}) {
  return createClient(server.url, { surroundings: time, ...options });
}

const ann = { email: "ann@example.org", password: "correct horse" };
const refreshes = () => server.asked.filter(({ path }) => path.endsWith("/token/refresh")).length;
const calls = () =>
  server.asked.map(({ path, headers }) => `${path.replace("/api/v1", "")} ${headers.authorization ?? "-"}`);

test("signing in keeps the session, sends its token and tells listeners", async () => {
  const stead = client();
  const told: string[] = [];
  stead.auth.onChange((session, event) => told.push(`${event} ${session?.user.email ?? "nobody"}`));
  const session = await stead.auth.signIn(ann);
  assert.equal(session.user.email, "ann@example.org");
  assert.equal(session.expiresAt, time.ms + 600_000);
  assert.deepEqual(stead.auth.session, session);
  await stead.collection("messages").list();
  assert.deepEqual(calls(), ["/auth/sign-in/password -", "/collections/messages/records Bearer access-1"]);
  assert.deepEqual(told, ["initial nobody", "signed_in ann@example.org"]);
  assert.deepEqual(server.asked[0]?.body, ann);
});

test("changing the password says both and keeps the session, also when the current one is another", async () => {
  const stead = client();
  const told: string[] = [];
  const session = await stead.auth.signIn(ann);
  stead.auth.onChange((_, event) => told.push(event));
  const change = { currentPassword: "correct horse", newPassword: "battery staple" };
  server.answer = () => ({ status: 204 });
  await stead.auth.changePassword(change);
  const asked = server.asked.at(-1);
  assert.deepEqual(asked?.body, { current_password: "correct horse", new_password: "battery staple" });
  assert.equal(asked?.headers.authorization, "Bearer access-1");
  server.answer = () => problem(401, "invalid_credentials");
  const count = server.asked.length;
  await assert.rejects(stead.auth.changePassword(change), (error) => isSteadError(error, "invalid_credentials"));
  assert.equal(server.asked.length, count + 1, "no refresh, no second try");
  assert.deepEqual(stead.auth.session, session);
  assert.deepEqual(told, ["initial"]);
});

test("a sign-up whose address must be proven signs nobody in until it is", async () => {
  const stead = client();
  const told: string[] = [];
  stead.auth.onChange((_, event) => told.push(event));
  server.answer = () => ({ status: 202, body: { challenge_id: "c1", expires_in: 3600 } });
  const challenge = await stead.auth.signUp({ ...ann, data: { name: "Ann" } });
  assert.deepEqual(challenge, { challengeId: "c1", expiresIn: 3600 });
  assert.equal(stead.auth.session, null);
  server.answer = () => sessionAnswer(++issued);
  await stead.auth.confirmSignUp({ challengeId: "c1", code: "123456" });
  assert.deepEqual(server.asked.at(-1)?.body, { challenge_id: "c1", code: "123456" });
  // A link opened elsewhere, with the password; and by the client that signed up, with its challenge.
  await stead.auth.confirmSignUp({ token: "t", password: "correct horse" });
  assert.deepEqual(server.asked.at(-1)?.body, { token: "t", password: "correct horse" });
  await stead.auth.confirmSignUp({ token: "t", challengeId: "c1" });
  assert.deepEqual(server.asked.at(-1)?.body, { challenge_id: "c1", token: "t" });
  assert.deepEqual(told, ["initial", "signed_in", "signed_in", "signed_in"]);
});

test("who begins without an account gets one, keeps the session with it, and sends its token on the way", async () => {
  const stead = client();
  const told: string[] = [];
  stead.auth.onChange((session, event) => told.push(`${event} ${session?.sessionId ?? "-"}`));
  server.answer = () => ({ status: 201, body: { ...(sessionAnswer(++issued).body as object), session_id: `s${issued}` } });
  await stead.auth.signInAnonymously({ data: { name: "Visitor" } });
  assert.deepEqual(server.asked.at(-1)?.body, { data: { name: "Visitor" } });
  await stead.auth.upgrade(ann);
  assert.deepEqual(server.asked.at(-1)?.body, ann);
  server.answer = () => ({ status: 202, body: { challenge_id: "c1", expires_in: 3600 } });
  assert.deepEqual(await stead.auth.upgrade({ email: "a@b.c" }), { challengeId: "c1", expiresIn: 3600 });
  server.answer = () => ({ status: 200, body: { ...(sessionAnswer(++issued).body as object), session_id: `s${issued}` } });
  await stead.auth.confirmUpgrade({ challengeId: "c1", code: "123456" });
  assert.deepEqual(calls(), [
    "/auth/sign-in/anonymous -",
    "/auth/upgrade Bearer access-1",
    "/auth/upgrade Bearer access-2",
    "/auth/upgrade/confirm Bearer access-2",
  ]);
  assert.deepEqual(told, ["initial -", "signed_in s1", "signed_in s2", "signed_in s3"]);
  assert.equal(stead.auth.session?.accessToken, "access-3");
});

test("an export is asked for with the session and given as it comes", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  const body = { exported_at: "2026-01-08T12:00:00.000Z", user: { id: "u1" }, records: [] };
  server.answer = () => ({ status: 200, body });
  assert.deepEqual(await stead.auth.exportAccount(), body);
  assert.equal(calls().at(-1), "/auth/me/export Bearer access-1");
  assert.equal(server.asked.at(-1)?.method, "POST");
});

test("an account that is deleted takes its session along, and one that is not keeps it", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  server.answer = () => problem(403, "reauth_required");
  await assert.rejects(stead.auth.deleteAccount(), (error) => isSteadError(error, "reauth_required"));
  assert.notEqual(stead.auth.session, null);
  server.answer = () => ({ status: 200, body: { deletes_at: "2026-01-08T12:00:00.000Z" } });
  assert.deepEqual(await stead.auth.deleteAccount(), { deletesAt: "2026-01-08T12:00:00.000Z" });
  assert.equal(server.asked.at(-1)?.method, "DELETE");
  assert.equal(stead.auth.session, null);
});

test("what is proven by mail is asked for and given back as the server wants it", async () => {
  const stead = client();
  server.answer = ({ path }) =>
    path.endsWith("/otp/verify") || path.endsWith("/password")
      ? sessionAnswer(++issued)
      : path.endsWith("/confirm") || path.endsWith("/undo")
        ? { status: 204 }
        : { status: 202, body: { challenge_id: "c1", expires_in: 900 } };
  const code = { challengeId: "c1", code: "123456" };
  const { auth } = stead;
  const steps: [() => Promise<unknown>, string, unknown][] = [
    [() => auth.sendLink({ email: "a@b.c", locale: "de" }), "/sign-in/magic-link -", { email: "a@b.c", locale: "de" }],
    [() => auth.sendCode({ email: "a@b.c" }), "/sign-in/otp -", { email: "a@b.c" }],
    [() => auth.requestPasswordReset({ email: "a@b.c" }), "/password/reset/request -", { email: "a@b.c" }],
    [
      () => auth.resetPassword({ token: "t", newPassword: "battery staple" }),
      "/password/reset/confirm -",
      { token: "t", new_password: "battery staple" },
    ],
    [() => auth.undoEmailChange("t"), "/email/change/undo -", { token: "t" }],
    [() => auth.verify(code), "/otp/verify -", { challenge_id: "c1", code: "123456" }],
    [() => auth.requestVerification(), "/email/verify/request Bearer access-1", {}],
    [() => auth.verifyEmail({ token: "t" }), "/email/verify/confirm Bearer access-1", { token: "t" }],
    [
      () => auth.changeEmail({ newEmail: "d@e.f", currentPassword: "correct horse" }),
      "/email/change Bearer access-1",
      { new_email: "d@e.f", current_password: "correct horse" },
    ],
    [
      () => auth.confirmEmailChange(code),
      "/email/change/confirm Bearer access-1",
      { challenge_id: "c1", code: "123456" },
    ],
  ];
  for (const [step, call, body] of steps) {
    await step();
    assert.equal(calls().at(-1), `/auth${call}`);
    assert.deepEqual(server.asked.at(-1)?.body, body);
  }
});

test("a link of a mail is read, and nothing else is", () => {
  const page = "https://app.example.org/account?x=1";
  assert.deepEqual(readLink(`${page}#reset_password=abc_-9`), { purpose: "reset_password", token: "abc_-9" });
  for (const other of ["", page, `${page}#section`, `${page}#reset_password=`, `${page}#delete=abc`, `${page}#sign_in=a b`])
    assert.equal(readLink(other), null, other);
});

test("a session is ended from another device, and the own one is forgotten with it", async () => {
  const stead = client();
  const session = await stead.auth.signIn(ann);
  const items = [{ id: session.sessionId, current: true }, { id: "other", current: false }];
  server.answer = ({ method }) => (method === "DELETE" ? { status: 204 } : { status: 200, body: { items } });
  assert.deepEqual(await stead.auth.sessions(), items);
  await stead.auth.endSession("other");
  assert.equal(stead.auth.session?.sessionId, session.sessionId);
  await stead.auth.endSession(session.sessionId);
  assert.equal(server.asked.at(-1)?.path, `/api/v1/auth/sessions/${session.sessionId}`);
  assert.equal(stead.auth.session, null);
});

test("a device shows at sign-in what the newest session answer gave it, also after signing out", async () => {
  const storage = memoryStorage();
  const shown = () => server.asked.filter(({ path }) => path.endsWith("/sign-in/password")).map(({ body }) => body);
  server.answer = (asked) => {
    const answer = honest(asked);
    if (typeof answer === "object" && answer.body) Object.assign(answer.body, { device_token: `device-${issued}` });
    return answer;
  };
  const stead = client({ storage });
  await stead.auth.signIn(ann);
  await stead.auth.refresh();
  await stead.auth.signOut();
  await client({ storage }).auth.signIn(ann);
  assert.deepEqual(shown(), [ann, { ...ann, device_token: "device-2" }]);
  // A sign-up is the first sign-in of a device.
  const phone = memoryStorage();
  await client({ storage: phone }).auth.signUp({ ...ann, data: { name: "Ann" } });
  await client({ storage: phone }).auth.signIn(ann);
  assert.deepEqual(shown()[2], { ...ann, device_token: `device-${issued - 1}` });
  // Control: another device knows nothing of it.
  await client({ storage: memoryStorage() }).auth.signIn(ann);
  assert.deepEqual(shown()[3], ann);
});

test("a user makes, sees and ends keys", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  const made = { id: "k1", name: "bot", start: "stk1.AbCdE", collections: { notes: ["read"] }, created_at: "t", key: "stk1.…" };
  server.answer = ({ method }) =>
    method === "POST" ? { status: 201, body: made } : method === "DELETE" ? { status: 204 } : { status: 200, body: { items: [made] } };
  assert.deepEqual(await stead.auth.makeKey({ name: "bot", collections: { notes: ["read"] }, expiresIn: 60 }), made);
  assert.deepEqual(server.asked.at(-1)?.body, { name: "bot", collections: { notes: ["read"] }, expires_in: 60 });
  assert.equal((await stead.auth.keys()).length, 1);
  await stead.auth.endKey("k1");
  assert.equal(calls().at(-1), "/auth/api-keys/k1 Bearer access-1");
});

test("many calls with an expired token share one refresh", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  issued++; // the server no longer takes the token this client holds …
  server.answer = (asked) => (asked.path.endsWith("/token/refresh") ? sessionAnswer(issued) : honest(asked));
  const pages = await Promise.all(Array.from({ length: 20 }, () => stead.collection("messages").list()));
  assert.equal(pages.length, 20);
  assert.equal(refreshes(), 1);
  assert.equal(stead.auth.session?.accessToken, "access-2");
});

test("a token is replaced a minute before it expires, once for all calls", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  time.ms += 539_000;
  await stead.collection("messages").list();
  assert.equal(refreshes(), 0);
  time.ms += 2_000;
  await Promise.all(Array.from({ length: 10 }, () => stead.collection("messages").list()));
  assert.equal(refreshes(), 1);
  assert.ok(
    calls()
      .slice(3)
      .every((call) => call.endsWith("access-2")),
    calls().join("\n"),
  );
});

test("while the server cannot refresh, a token that is still good goes on being used", async () => {
  const stead = client({ retries: 0 });
  await stead.auth.signIn(ann);
  time.ms += 570_000;
  server.answer = (asked) => (asked.path.endsWith("/token/refresh") ? problem(503, "store_busy") : honest(asked));
  await stead.collection("messages").list();
  assert.equal(calls().at(-1), "/collections/messages/records Bearer access-1");
  assert.notEqual(stead.auth.session, null);
});

test("a refused refresh ends the session, and is not taken for an anonymous call", async () => {
  const stead = client();
  const told: string[] = [];
  await stead.auth.signIn(ann);
  stead.auth.onChange((_, event) => told.push(event));
  issued = 7;
  await assert.rejects(stead.collection("messages").list(), (thrown) => isSteadError(thrown, "token_invalid"));
  assert.equal(stead.auth.session, null);
  assert.deepEqual(told, ["initial", "signed_out"]);
  assert.equal(server.asked.filter(({ path }) => path.includes("messages")).length, 1);
});

test("a network failure while refreshing keeps the session", async () => {
  const stead = client({ retries: 1 });
  await stead.auth.signIn(ann);
  time.ms += 601_000;
  server.answer = () => "cut";
  await assert.rejects(stead.collection("messages").list(), (thrown) => isSteadError(thrown, "network"));
  assert.equal(stead.auth.session?.refreshToken, "refresh-1");
});

test("two clients on one storage, as tabs are, rotate one token once", async () => {
  const storage = memoryStorage();
  const first = client({ storage });
  await first.auth.signIn(ann);
  const second = client({ storage });
  assert.equal(second.auth.user?.email, "ann@example.org");
  time.ms += 590_000;
  await first.collection("messages").list();
  await second.collection("messages").list();
  assert.equal(refreshes(), 1);
  assert.equal(second.auth.session?.accessToken, "access-2");
});

test("a tab that loses the race for the refresh takes the winner's session", async () => {
  const storage = memoryStorage();
  const first = client({ storage });
  await first.auth.signIn(ann);
  const second = client({ storage });
  time.ms += 590_000;
  await Promise.all([first.collection("messages").list(), second.collection("messages").list()]);
  assert.equal(first.auth.session?.accessToken, second.auth.session?.accessToken);
  assert.notEqual(second.auth.session, null);
});

test("a lock of the storage lets one tab refresh at a time", async () => {
  let tail: Promise<unknown> = Promise.resolve();
  const storage: Storage = {
    ...memoryStorage(),
    lock: <T>(_: string, run: () => Promise<T>) => {
      const turn = tail.then(run);
      tail = turn.catch(() => {});
      return turn;
    },
  };
  const first = client({ storage });
  await first.auth.signIn(ann);
  const tabs = [first, client({ storage }), client({ storage })];
  time.ms += 590_000;
  await Promise.all(tabs.map((tab) => tab.collection("messages").list()));
  assert.equal(refreshes(), 1);
});

test("signing out in one tab signs out the other", async () => {
  const watchers: (() => void)[] = [];
  const storage: Storage = { ...memoryStorage(), watch: (_, changed) => (watchers.push(changed), () => {}) };
  const [first, second] = [client({ storage }), client({ storage })];
  const told: string[] = [];
  second.auth.onChange((_, event) => told.push(event));
  await first.auth.signIn(ann);
  for (const changed of watchers) changed();
  await second.collection("messages").list();
  assert.equal(second.auth.user?.email, "ann@example.org");
  await first.auth.signOut();
  for (const changed of watchers) changed();
  await second.collection("messages").list();
  assert.equal(second.auth.session, null);
  assert.deepEqual(told, ["initial", "signed_in", "signed_out"]);
});

test("a refresh that comes back after signing out does not sign in again", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  let release = (_: Answer) => {};
  server.answer = (asked) =>
    asked.path.endsWith("/token/refresh") ? new Promise<Answer>((resolve) => (release = resolve)) : honest(asked);
  const refreshing = stead.auth.refresh();
  while (refreshes() === 0) await new Promise((resolve) => setImmediate(resolve));
  await stead.auth.signOut();
  release(sessionAnswer(9));
  await assert.rejects(refreshing, (thrown) => isSteadError(thrown, "token_required"));
  assert.equal(stead.auth.session, null);
});

test("a refresh that comes back after another tab signed in as somebody else is dropped", async () => {
  const storage: Storage & { changed?: () => void } = memoryStorage();
  storage.watch = (_, changed) => ((storage.changed = changed), () => {});
  const stead = client({ storage });
  await stead.auth.signIn(ann);
  let release = (_: Answer) => {};
  server.answer = () => new Promise<Answer>((resolve) => (release = resolve));
  const refreshing = stead.auth.refresh();
  while (refreshes() === 0) await new Promise((resolve) => setImmediate(resolve));
  const other = { ...stead.auth.session, accessToken: "access-ben", sessionId: "ses2" };
  await storage.set(`stead.session:${server.url}`, JSON.stringify(other));
  storage.changed?.();
  release(sessionAnswer(9));
  assert.equal((await refreshing).accessToken, "access-ben");
});

test("what a slow storage still says of the time before a sign-in is not believed", async () => {
  const inner = memoryStorage();
  let changed = () => {};
  const soon = () => new Promise((resolve) => setImmediate(resolve));
  const storage: Storage = {
    get: async (key) => inner.get(key),
    set: async (key, value) => (await soon(), inner.set(key, value)),
    remove: async (key) => inner.remove(key),
    watch: (_, heard) => ((changed = heard), () => {}),
  };
  const stead = client({ storage });
  const events: string[] = [];
  stead.auth.onChange((_, event) => events.push(event));
  const signingIn = stead.auth.signIn(ann);
  while (stead.auth.session === null) await soon();
  changed();
  await signingIn;
  await soon();
  assert.deepEqual(events, ["initial", "signed_in"]);
});

test("signing out forgets the session even when the server cannot be told, and says so", async () => {
  const stead = client({ retries: 0 });
  await stead.auth.signIn(ann);
  server.answer = () => "cut";
  await assert.rejects(stead.auth.signOut(), (thrown) => isSteadError(thrown, "network"));
  assert.equal(stead.auth.session, null);
});

test("signing out of other sessions keeps this one", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  await stead.auth.signOut({ scope: "others" });
  assert.deepEqual(server.asked.at(-1)?.body, { scope: "others" });
  assert.notEqual(stead.auth.session, null);
  await stead.auth.signOut({ scope: "all" });
  assert.equal(stead.auth.session, null);
  await stead.auth.signOut();
  assert.equal(server.asked.length, 3);
});

test("a kept session survives a restart, also in an asynchronous storage", async () => {
  const inner = memoryStorage();
  const storage: Storage = {
    get: async (key) => inner.get(key),
    set: async (key, value) => inner.set(key, value),
    remove: async (key) => inner.remove(key),
  };
  await client({ storage }).auth.signIn(ann);
  const later = client({ storage });
  assert.equal(later.auth.session, null);
  const told: (string | null | undefined)[] = [];
  later.auth.onChange((session) => told.push(session?.user.email));
  await later.auth.ready;
  await later.collection("messages").list();
  assert.deepEqual(told, ["ann@example.org"]);
  assert.equal(calls().at(-1), "/collections/messages/records Bearer access-1");
});

test("what is stored but is no session is nobody", () => {
  for (const text of ["", "{", "null", "[]", '{"accessToken":1}']) {
    const storage: Storage = { ...memoryStorage(), get: () => text };
    assert.equal(client({ storage }).auth.session, null, text);
  }
});

test("sessions of different servers do not meet in one storage", async () => {
  const storage = memoryStorage();
  await client({ storage }).auth.signIn(ann);
  assert.equal(createClient("http://other.example", { storage }).auth.session, null);
});

test("me and updateMe bring the user of the session up to date", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  const told: string[] = [];
  stead.auth.onChange((session, event) => told.push(`${event} ${String(session?.user["name"])}`));
  await stead.auth.me();
  await stead.auth.updateMe({ name: "Ann B" });
  assert.deepEqual(
    server.asked.slice(1).map(({ method, body }) => [method, body]),
    [
      ["GET", undefined],
      ["PATCH", { name: "Ann B" }],
    ],
  );
  assert.deepEqual(told, ["initial Ann", "user_updated Ann B", "user_updated Ann B"]);
});

test("a listener that throws does not undo the sign-in", async (context) => {
  const log = context.mock.method(console, "error", () => {});
  const stead = client();
  stead.auth.onChange((session) => {
    if (session) throw new Error("app bug");
  });
  await stead.auth.ready;
  await stead.auth.signIn(ann);
  assert.equal(stead.auth.user?.email, "ann@example.org");
  assert.equal(log.mock.callCount(), 1);
});

test("settings are asked without a token", async () => {
  const stead = client();
  await stead.auth.signIn(ann);
  server.answer = () => ({ status: 200, body: { password: true, sign_up: true, password_chars_min: 10 } });
  assert.equal((await stead.auth.settings()).password_chars_min, 10);
  assert.equal(calls().at(-1), "/auth/settings -");
});

test("a sign-in that asks for a second factor signs nobody in until it is shown", async () => {
  const asks: Answer = { status: 202, body: { mfa_required: true, mfa_token: "m1", factors: ["totp", "recovery_code"], expires_in: 300 } };
  server.answer = (asked) => {
    if (asked.path.endsWith("/sign-in/password")) return asks;
    if (!asked.path.endsWith("/mfa/verify")) return honest(asked);
    const { code, recovery_code } = asked.body as { code?: string; recovery_code?: string };
    return code === "123456" || recovery_code === "abcde-fghij" ? sessionAnswer(++issued) : problem(401, "proof_invalid");
  };
  const { auth } = client();
  const told: string[] = [];
  auth.onChange((session, event) => told.push(`${event} ${session?.user.email ?? "nobody"}`));
  const thrown = await auth.signIn(ann).catch((error: unknown) => error);
  assert.ok(thrown instanceof SecondFactorRequired && isSteadError(thrown, "mfa_required"));
  assert.deepEqual(thrown.question, { token: "m1", factors: ["totp", "recovery_code"], expiresIn: 300 });
  assert.equal(auth.session, null);
  await assert.rejects(auth.verifySecondFactor(thrown.question, { code: "000000" }), (error) => isSteadError(error, "proof_invalid"));
  assert.deepEqual([auth.session, told], [null, ["initial nobody"]]);
  const session = await auth.verifySecondFactor(thrown.question, { code: "123456" });
  assert.deepEqual(told, ["initial nobody", "signed_in ann@example.org"]);
  assert.deepEqual(auth.session, session);
  await auth.signOut();
  await auth.verifySecondFactor(thrown.question, { recoveryCode: "abcde-fghij" });
  assert.deepEqual(server.asked.at(-1)?.body, { mfa_token: "m1", recovery_code: "abcde-fghij" });
});

test("the calls about second factors say what the server takes and give what it answers", async () => {
  const answers: Record<string, Answer> = {
    "/mfa": { status: 200, body: { totp: true, recovery_codes_left: 10 } },
    "/totp/enroll": { status: 200, body: { secret: "MZXW6YTB", uri: "otpauth://totp/x", qr_code: "data:x" } },
    "/totp/activate": { status: 200, body: { recovery_codes: ["a", "b"] } },
    "/recovery/regenerate": { status: 200, body: { recovery_codes: ["c"] } },
    "/totp": { status: 204 },
    "/reauth": { status: 204 },
  };
  const { auth } = client();
  await auth.signIn(ann);
  server.answer = ({ path }) => Object.entries(answers).find(([end]) => path.endsWith(end))?.[1] ?? { status: 404 };
  assert.deepEqual(await auth.factors.list(), { totp: true, recovery_codes_left: 10 });
  assert.deepEqual(await auth.factors.enrollTotp(), { secret: "MZXW6YTB", uri: "otpauth://totp/x", qrCode: "data:x" });
  assert.deepEqual(await auth.factors.activateTotp("123456"), ["a", "b"]);
  assert.deepEqual(await auth.factors.regenerateRecoveryCodes(), ["c"]);
  await auth.reauthenticate({ password: "p" });
  await auth.reauthenticate({ code: "123456" });
  await auth.reauthenticate({ recoveryCode: "abcde-fghij" });
  await auth.factors.removeTotp();
  const told = server.asked.slice(1).map(({ method, path, body }) => [method, path.replace("/api/v1/auth", ""), body]);
  assert.deepEqual(told, [
    ["GET", "/mfa", undefined],
    ["POST", "/mfa/totp/enroll", undefined],
    ["POST", "/mfa/totp/activate", { code: "123456" }],
    ["POST", "/mfa/recovery/regenerate", undefined],
    ["POST", "/reauth", { password: "p" }],
    ["POST", "/reauth", { code: "123456" }],
    ["POST", "/reauth", { recovery_code: "abcde-fghij" }],
    ["DELETE", "/mfa/totp", undefined],
  ]);
});

test("a passkey signs in, is added and proves again who one is, through the device that the app has", async () => {
  const told: unknown[] = [];
  let cancel = false;
  const device: PasskeyDevice = {
    create: async (options) => (told.push(["create", options]), { id: "new" }),
    get: async (options, conditional) => {
      if (cancel) throw new DOMException("no", "NotAllowedError");
      told.push(["get", options, conditional]);
      return { id: "shown" };
    },
  };
  server.answer = (asked) => {
    const { path } = asked;
    if (path.endsWith("/passkeys/options")) return { status: 200, body: { token: "t1", options: { challenge: "AA" } } };
    if (path.endsWith("/passkeys/register")) return { status: 200, body: { token: "t2", options: { user: 1 } } };
    if (path.endsWith("/sign-in/passkey")) return sessionAnswer(++issued);
    if (path.endsWith("/passkeys") && asked.method === "POST") return { status: 201, body: { id: "p1", name: "Mine" } };
    if (path.endsWith("/reauth") || /passkeys\/p1$/.test(path)) return { status: 204 };
    return honest(asked);
  };
  const { auth } = client({ passkeys: device });
  cancel = true;
  await assert.rejects(auth.signInWithPasskey(), (error) => isSteadError(error, "access_denied"));
  assert.equal(auth.session, null);
  cancel = false;
  const session = await auth.signInWithPasskey();
  assert.deepEqual(auth.session, session);
  assert.equal((await auth.passkeys.add({ name: "Mine" })).id, "p1");
  await auth.reauthenticate({ passkey: await auth.passkeys.ask() });
  await auth.passkeys.rename("p1", "Other");
  await auth.passkeys.remove("p1");
  assert.deepEqual(told, [["get", { challenge: "AA" }, false], ["create", { user: 1 }], ["get", { challenge: "AA" }, false]]);
  const bodies = server.asked.filter(({ body }) => body !== undefined).map(({ method, path, body }) => [method, path.replace("/api/v1/auth", ""), body]);
  assert.deepEqual(bodies, [
    ["POST", "/sign-in/passkey", { token: "t1", credential: { id: "shown" } }],
    ["POST", "/passkeys", { token: "t2", credential: { id: "new" }, name: "Mine" }],
    ["POST", "/reauth", { passkey: { token: "t1", credential: { id: "shown" } } }],
    ["PATCH", "/passkeys/p1", { name: "Other" }],
  ]);
});

test("where there is no device for passkeys, asking for one says so", async () => {
  const { auth } = client();
  assert.equal(auth.passkeys.available, false);
  await assert.rejects(auth.signInWithPasskey(), (error) => isSteadError(error, "access_denied"));
});
