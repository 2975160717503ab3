// Compiles every snippet of the README against the built package, as an app would.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

test("every TypeScript snippet of the README type-checks", () => {
  const folder = join(root, "build/readme");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
  const found = snippets("ts");
  assert.ok(found.length >= 8);
  for (const [at, { name, code }] of found.entries()) {
    const alone = name !== undefined || code.includes("createClient");
    writeFileSync(join(folder, name ?? `snippet-${at}.ts`), alone ? code : PRELUDE + code);
  }
  const tsc = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], {
    encoding: "utf8",
  });
  assert.equal(tsc.status, 0, tsc.stdout + tsc.stderr);
});

test("the page of the README imports what the bundle exports", async () => {
  const [page] = snippets("html");
  const names = /import \{ (.*) \} from "\/sdk\/stead\.js"/.exec(page?.code ?? "")?.[1]?.split(", ") ?? [];
  assert.ok(names.length > 0);
  const bundle = (await import(join(root, "dist/stead.js"))) as Record<string, unknown>;
  for (const name of names) assert.equal(typeof bundle[name], "function", name);
});
