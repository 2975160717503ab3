// What the types promise. Most of it is checked by compiling this file.

import assert from "node:assert/strict";
import { test } from "node:test";
import WebSocketOfWs from "ws";
import { createClient, where, type Client, type Operation, type Page } from "../src/index.js";

interface Message {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  room: string;
  body: string;
  kind: "text" | "notice";
  likes: number;
  pinned: boolean;
  tags: string[];
  edited_at?: string | null;
}
interface MessageCreate {
  room: string;
  body: string;
  author: string;
  id?: string;
}
interface MessageUpdate {
  body?: string;
  likes?: number;
  tags?: string[];
}
interface User {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  name: string;
}
interface Badge {
  id: string;
  created_at: string;
  updated_at: string;
  version: number;
  text: string;
}
interface Collections {
  messages: {
    record: Message;
    create: MessageCreate;
    update: MessageUpdate;
    relations: { author: { one: "users" }; answer_to: { one: "messages" }; answers: { many: "messages" } };
  };
  users: {
    record: User;
    create: { name: string };
    update: { name?: string };
    relations: { messages: { many: "messages" }; badge: { perhaps: "badges" } };
  };
  badges: { record: Badge; create: { text: string }; update: object; relations: { user: { one: "users" } } };
  /** Types written by an older version. */
  logs: { record: User; create: object; update: object };
}

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const proven = <T extends true>(): T => true as T;

/** Never called: compiling it is the test. */
export async function typed(stead: Client<Collections>): Promise<void> {
  const messages = stead.collection("messages");
  // @ts-expect-error no such collection
  stead.collection("mesages");

  const page = await messages.list();
  page.items[0]?.body.toUpperCase();
  page.items[0]?.expand?.["author"]?.id.toUpperCase();
  // @ts-expect-error no such field
  page.items[0]?.boddy;
  const sums = await messages.aggregate({ count: true, sum: ["likes"], avg: ["likes"], groupBy: ["kind"] });
  const [group] = sums.items;
  group?.count.toFixed();
  group?.sum.likes?.toFixed();
  if (group) proven<Same<typeof group.group.kind, "text" | "notice" | null>>();
  // @ts-expect-error not asked for
  group?.max;
  // @ts-expect-error a list is no number
  await messages.aggregate({ sum: ["tags"] });
  const some = await messages.list({ fields: ["id", "body"] });
  proven<Same<(typeof some.items)[0]["body"], string>>();
  // @ts-expect-error not among the fields asked for
  some.items[0]?.room;
  // @ts-expect-error no such field
  await messages.list({ fields: ["id", "boddy"] });
  const asText = await messages.list({ fields: "id,author.name" });
  asText.items[0]?.body.toUpperCase();

  await messages.list({ filter: (f) => f.kind.eq("notice").and(f.likes.gt(3), f.pinned.eq(true), f.tags.has("x")) });
  await messages.list({ filter: (f) => f.created_at.gte(new Date()).or(f.edited_at.isNull()) });
  // @ts-expect-error no such field
  await messages.list({ filter: (f) => f.boddy.eq("x") });
  // @ts-expect-error not one of the values of the enum
  await messages.list({ filter: (f) => f.kind.eq("notise") });
  // @ts-expect-error a number is not text
  await messages.list({ filter: (f) => f.body.eq(3) });
  // @ts-expect-error nor the other way around
  await messages.list({ filter: (f) => f.likes.in(["3"]) });
  // @ts-expect-error `sort` names fields
  await messages.list({ sort: ["-boddy"] });
  await messages.list({ sort: ["-created_at", "id"], filter: where<Message>((f) => f.body.contains("x")) });

  await messages.create({ room: "r", body: "b", author: "a" });
  // @ts-expect-error a required field is missing
  await messages.create({ room: "r", body: "b" });
  await messages.update("m", { likes: 1, tags: ["x"] });
  await messages.update("m", { likes: { $inc: -1 }, tags: { $add: ["x"], $remove: ["y"] } });
  // @ts-expect-error only numbers are counted
  await messages.update("m", { body: { $inc: 1 } });
  // @ts-expect-error a list of texts
  await messages.update("m", { tags: { $add: [1] } });
  // @ts-expect-error no such operator
  await messages.update("m", { likes: { $mul: 2 } });
  (await messages.upsert({ room: "r", body: "b", author: "a" }, { on: ["room", "id"] })).body.toUpperCase();
  // @ts-expect-error no such field
  await messages.upsert({ room: "r", body: "b", author: "a" }, { on: "rom" });
  // @ts-expect-error it may have to be made
  await messages.upsert({ room: "r" }, { on: "id" });
  const [upserted] = await stead.batch([
    { op: "upsert", collection: "messages", on: "id", data: { id: "m", room: "r", body: "b", author: "a" } },
  ]);
  proven<Same<typeof upserted.created, boolean>>();
  // @ts-expect-error text cannot be incremented
  await messages.update("m", { body: 1 });
  // @ts-expect-error a field that cannot be changed
  await messages.update("m", { room: "r" });

  const [made, gone] = await stead.batch([
    { op: "create", collection: "messages", data: { room: "r", body: "b", author: "a" } },
    { op: "delete", collection: "users", id: "u" },
  ]);
  proven<Same<typeof made.record, Message>>();
  proven<Same<typeof gone, { op: "delete"; id: string }>>();
  // @ts-expect-error data of another collection
  const wrong: Operation<Collections> = { op: "create", collection: "users", data: { room: "r" } };
  void wrong;

  const live = messages.subscribe({ sort: "-created_at" }, ({ records, changes }) => {
    proven<Same<typeof records, readonly Message[]>>();
    changes[0]?.record.body.toUpperCase();
  });
  for await (const { records } of live) records[0]?.room.toUpperCase();

  const session = await stead.auth.signUp({ email: "e", password: "p", data: { name: "Ann" } });
  if ("challengeId" in session) return void session.expiresIn.toFixed();
  proven<Same<typeof session.user.name, string>>();
  proven<Same<typeof session.user.email, string | null>>();
  // @ts-expect-error a required field of the user is missing
  await stead.auth.signUp({ email: "e", password: "p" });
  // @ts-expect-error no such field of a user
  await stead.auth.updateMe({ nome: "Ann" });
}

/** Never called either: what `expand` brings along. */
export async function expanded(stead: Client<Collections>): Promise<void> {
  const messages = stead.collection("messages");
  const page = await messages.list({ expand: ["author", "answers"] });
  for (const message of page.items) {
    proven<Same<typeof message.expand.author, User | undefined>>();
    proven<Same<typeof message.expand.answers, Message[]>>();
    // @ts-expect-error whoever may not see the author gets none
    message.expand.author.name;
    // @ts-expect-error not asked for
    message.expand.answer_to;
    message.expand_more?.includes("answers");
    message.body.toUpperCase();
  }
  // Steps, options, and all of it as one text.
  const deep = await messages.get("m", { expand: "author.badge, answers(limit:2,sort:-id).author.messages" });
  proven<Same<NonNullable<typeof deep.expand.author>["name"], string>>();
  const badge = deep.expand.author?.expand.badge;
  proven<Same<typeof badge, Badge | null | undefined>>();
  // @ts-expect-error perhaps there is none
  deep.expand.author?.expand.badge.text;
  deep.expand.answers[0]?.expand.author?.expand.messages[0]?.body.toUpperCase();
  // @ts-expect-error the answers' authors were not asked for their badges
  deep.expand.answers[0]?.expand.author?.expand.badge;
  // With some fields only, in the other ways to read too.
  const first = await messages.first({ fields: ["id"], expand: ["author"] });
  first?.expand.author?.name.toUpperCase();
  // @ts-expect-error not among the fields asked for
  first?.body;
  for await (const message of messages.iterate({ expand: ["answer_to"] })) message.expand.answer_to?.body.toUpperCase();
  (await messages.search("x", { expand: "author" })).items[0]?.expand.author?.name.toUpperCase();
  // @ts-expect-error no such relation
  await messages.list({ expand: ["autor"] });
  // @ts-expect-error nor at the beginning of a path
  await messages.list({ expand: ["autor.badge"] });
  // What is not known when this is compiled, or of old types, stays open.
  const paths: string = "author";
  (await messages.list({ expand: paths })).items[0]?.expand?.["author"]?.id.toUpperCase();
  (await stead.collection("logs").list({ expand: ["anything"] })).items[0]?.expand?.["anything"];
}

/** Never called either: without generated types. */
export async function untyped(stead: Client): Promise<void> {
  const page: Page<{ id: string; version: number }> = await stead.collection("anything").list();
  const [first] = page.items;
  first?.id.toUpperCase();
  const record = await stead.collection("anything").get("x");
  proven<Same<(typeof record)["body"], unknown>>();
  const shown = await stead.collection("anything").list({ expand: ["author.badge"] });
  shown.items[0]?.expand?.["author"]?.expand.badge;
  await stead.collection("anything").create({ body: "b", nested: { n: 1 } });
  const results = await stead.batch([{ op: "create", collection: "anything", data: {} }]);
  results[0].record.id.toUpperCase();
  stead.auth.user?.email?.toUpperCase();
  await stead.auth.signUp({ email: "e", password: "p" });
}

test("the WebSocket of ws, and the one of the runtime, can be handed in", () => {
  assert.ok(createClient("http://localhost", { WebSocket: WebSocketOfWs }));
  const ofRuntime = () => createClient("http://localhost", { WebSocket });
  assert.equal(typeof ofRuntime, "function");
});

test("generated types fit the client", () => {
  const stead = createClient<Collections>("http://localhost");
  assert.equal(stead.collection("messages").name, "messages");
});
