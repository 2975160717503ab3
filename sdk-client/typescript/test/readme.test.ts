// Compiles what apps compile, against the built package: the README's snippets, and the types the server prints.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./surroundings.js";

const PRELUDE = `import { type Client } from "@stead/client";
import type { Collections } from "./stead-types.js";
declare const stead: Client<Collections>;
`;

const TSCONFIG = {
  compilerOptions: {
    module: "nodenext",
    target: "es2022",
    lib: ["es2022", "dom"],
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
  },
  include: ["*.ts"],
};

/** The fenced blocks of a language, each with the name it is given. */
function snippets(language: string): { name: string | undefined; code: string }[] {
  const text = readFileSync(join(root, "README.md"), "utf8");
  const blocks = text.matchAll(new RegExp(`^\`\`\`${language}(?: (\\S+))?\\n(.*?)^\`\`\`$`, "gms"));
  return [...blocks].map(([, name, code = ""]) => ({ name, code }));
}

/** Compiles files by name in a folder of their own; what the compiler says, nothing when all is well. */
function compile(name: string, files: Record<string, string>): string {
  const folder = join(root, "build", name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
  for (const [file, code] of Object.entries(files)) writeFileSync(join(folder, file), code);
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" });
  return status === 0 ? "" : stdout + stderr;
}

test("every TypeScript snippet of the README type-checks", () => {
  const found = snippets("ts");
  assert.ok(found.length >= 8);
  const files = found.map(({ name, code }, at) => {
    const alone = name !== undefined || code.includes("createClient");
    return [name ?? `snippet-${at}.ts`, alone ? code : PRELUDE + code];
  });
  assert.equal(compile("readme", Object.fromEntries(files)), "");
});

const printed = join(root, "../../server/schema/tests/apps/chat.ts");

test("the types that the server prints fit", { skip: !existsSync(printed) && "the server is not here" }, () => {
  const app = `${PRELUDE}
const message = await stead.collection("messages").create({ room: "r", author: "a", body: "b" });
message.body.toUpperCase();
await stead.collection("messages").update(message.id, { tags: ["x"] });
await stead.collection("rooms").list({ filter: (f) => f.kind.eq("public") });
// @ts-expect-error not one of the kinds
await stead.collection("rooms").list({ filter: (f) => f.kind.eq("secret") });
const [room] = (await stead.collection("rooms").list({ expand: ["owner", "members.user"] })).items;
room?.expand.owner?.display.toUpperCase();
room?.expand.members[0]?.expand.user?.display.toUpperCase();
// @ts-expect-error perhaps it is not for you to see
room?.expand.owner.display;
const session = await stead.auth.signUp({ email: "e", password: "p", data: { display: "Ann" } });
if ("challengeId" in session) throw new Error(session.challengeId);
session.user.display.toUpperCase();
// @ts-expect-error no such field
session.user.displai;
`;
  assert.equal(compile("printed", { "stead-types.ts": readFileSync(printed, "utf8"), "app.ts": app }), "");
});

test("the page of the README imports what the bundle exports", async () => {
  const [page] = snippets("html");
  const names = /import \{ (.*) \} from "\/sdk\/stead\.js"/.exec(page?.code ?? "")?.[1]?.split(", ") ?? [];
  assert.ok(names.length > 0);
  const bundle = (await import(join(root, "dist/stead.js"))) as Record<string, unknown>;
  for (const name of names) assert.equal(typeof bundle[name], "function", name);
});
