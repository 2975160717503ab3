import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { browserStorage, memoryStorage } from "../src/index.js";
import { defaultStorage } from "../src/storage.js";

type Listener = (event: { key: string | null }) => void;

/** As much of a browser as storages touch. */
function browser({ locks = true, refuses = false } = {}) {
  const kept = new Map<string, string>();
  const listeners = new Set<Listener>();
  const held: string[] = [];
  const localStorage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => {
      if (refuses) throw new Error("QuotaExceededError");
      kept.set(key, value);
    },
    removeItem: (key: string) => void kept.delete(key),
  };
  const request = async (key: string, run: () => Promise<unknown>) => (held.push(key), run());
  define("window", {
    localStorage,
    addEventListener: (_: string, listener: Listener) => listeners.add(listener),
    removeEventListener: (_: string, listener: Listener) => listeners.delete(listener),
  });
  define("navigator", locks ? { locks: { request } } : {});
  const tell = (key: string | null) => listeners.forEach((listener) => listener({ key }));
  return { kept, held, tell, listeners };
}

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
afterEach(() => {
  Reflect.deleteProperty(globalThis, "window");
  Reflect.deleteProperty(globalThis, "navigator");
  if (before) Object.defineProperty(globalThis, "navigator", before);
});

test("in a browser texts are kept in localStorage, and the probe for it leaves nothing behind", async () => {
  const { kept } = browser();
  const storage = defaultStorage();
  assert.equal(kept.size, 0);
  await storage.set("a", "1");
  assert.equal(await storage.get("a"), "1");
  assert.deepEqual([...kept], [["a", "1"]]);
  await storage.remove("a");
  assert.equal(await storage.get("a"), null);
});

test("a browser that refuses to store, and no browser at all, get memory", async () => {
  const { kept } = browser({ refuses: true });
  for (const storage of [defaultStorage(), (Reflect.deleteProperty(globalThis, "window"), defaultStorage())]) {
    await storage.set("a", "1");
    assert.equal(await storage.get("a"), "1");
    await storage.remove("a");
    assert.equal(await storage.get("a"), null);
  }
  assert.equal(kept.size, 0);
});

test("another tab's change is heard for the one name, and for everything at once", () => {
  const { tell, listeners } = browser();
  let heard = 0;
  const stop = browserStorage().watch?.("mine", () => heard++);
  tell("other");
  assert.equal(heard, 0);
  tell("mine");
  tell(null);
  assert.equal(heard, 2);
  stop?.();
  assert.equal(listeners.size, 0);
});

test("tabs take turns where the browser has locks, and do without where it has none", async () => {
  const { held } = browser();
  assert.equal(await browserStorage().lock?.("mine", async () => 7), 7);
  assert.deepEqual(held, ["mine"]);
  browser({ locks: false });
  assert.equal(browserStorage().lock, undefined);
});

test("two memories do not know each other", async () => {
  const [one, two] = [memoryStorage(), memoryStorage()];
  await one.set("a", "1");
  assert.equal(await two.get("a"), null);
});
