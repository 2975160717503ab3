// Two people chat in two browser windows, against the real binary: the journey of the README.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';
import { line } from './line.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const shots = join(root, 'tests/browser/shots');
mkdirSync(shots, { recursive: true });

const data = mkdtempSync(join(tmpdir(), 'stead-journey-'));
const server = spawn(
  process.env.STEAD_BIN ?? join(root, 'target/debug/stead'),
  ['serve', join(root, 'examples/team-chat'), '--listen', '127.0.0.1:0', '--data', join(data, 'data')],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const url = await new Promise((found, failed) => {
  createInterface(server.stdout).on('line', (line) => line.startsWith('listening on ') && found(line.slice(13).trim()));
  server.on('exit', (code) => failed(new Error(`the server ended with ${code}`)));
});
const browser = await launch();

/** A window of its own, as on another machine. Errors of the page fail the journey. */
const complaints = [];
async function window(name, { at = url, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1180, height: 720 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on('pageerror', (error) => complaints.push(`${name}: ${error}`));
  page.on('console', (message) => {
    // Refused requests and a cut line are part of the journey; the browser reports each on the console.
    const expected = /status of 4\d\d|ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket connection/.test(message.text());
    if (message.type() === 'error' && !expected) complaints.push(`${name}: ${message.text()}`);
  });
  await page.goto(at);
  return page;
}

async function enterAs(page, person) {
  await page.click(`[data-as=${person}]`);
  await page.waitForSelector('#line[data-state=open]');
}

const say = async (page, text) => {
  await page.fill('#write input', text);
  await page.press('#write input', 'Enter');
};
const sees = (page, text) => page.waitForSelector(`#messages li p:text-is("${text}")`, { timeout: 40_000 });
const shot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`) });

async function journey() {
  const ann = await window('Ann');
  await shot(ann, 'door-light');
  await enterAs(ann, 'ann');
  const bob = await window('Bob', { colorScheme: 'dark', at: `http://127.0.0.1:${await bobsLine.port}` });
  await shot(bob, 'door-dark');
  await enterAs(bob, 'bob');

  // Both are in the lobby; each sees what the other says without asking.
  await sees(bob, 'Welcome! Open a second window and sign in as Bob.');
  await say(ann, 'Hello Bob!');
  await sees(bob, 'Hello Bob!');
  await say(bob, 'Hello Ann, that was quick.');
  await sees(ann, 'Hello Ann, that was quick.');

  // Bob knows nothing of the private room until he is let in, and then without reloading.
  assert.equal(await bob.locator('#rooms button', { hasText: 'Team' }).count(), 0);
  await ann.locator('#rooms button', { hasText: 'Team' }).click();
  await ann.waitForSelector('#invite:not([hidden])');
  await ann.selectOption('#invite select', { label: 'Bob' });
  await ann.click('#invite button');
  await bob.locator('#rooms button', { hasText: 'Team' }).click();
  await sees(bob, 'Only members of Team see this line.');
  await say(bob, 'Thanks for letting me in.');
  await sees(ann, 'Thanks for letting me in.');
  await shot(ann, 'chat-light');
  await shot(bob, 'chat-dark');

  // Who is removed loses the room at once.
  await ann.locator('#members li', { hasText: 'Bob' }).locator('button').click();
  await bob.locator('#rooms button', { hasText: 'Team' }).waitFor({ state: 'detached' });
  assert.equal(await bob.locator('#messages li', { hasText: 'Thanks for letting me in.' }).count(), 0);

  // A newcomer signs up on a phone, may read the lobby, and is told why writing is refused.
  const eve = await window('Eve', { viewport: { width: 360, height: 740 } });
  await eve.click('#switch');
  await eve.fill('[name=name]', 'Eve');
  await eve.fill('[name=email]', 'eve@example.test');
  await eve.fill('[name=password]', 'short');
  await eve.click('#enter');
  await eve.waitForSelector('#sign-in .error:not([hidden])');
  await eve.fill('[name=password]', 'a-long-enough-secret');
  await eve.click('#enter');
  await eve.waitForSelector('#line[data-state=open]', { state: 'attached' });
  await eve.waitForSelector('#rooms button');
  await shot(eve, 'rooms-360');
  await eve.locator('#rooms button', { hasText: 'Lobby' }).click();
  await sees(eve, 'Hello Bob!');
  await say(eve, 'May I?');
  await eve.waitForSelector('#why:not([hidden])');
  assert.match(await eve.textContent('#why'), /Join this room/);
  await shot(eve, 'refused-360');
  await eve.click('#join');
  await eve.waitForSelector('#join', { state: 'hidden' });
  await say(eve, 'Now I may.');
  await bob.locator('#rooms button', { hasText: 'Lobby' }).click();
  await sees(bob, 'Now I may.');
  await shot(eve, 'chat-360');

  // Nothing spills over the edge of a phone.
  const wider = await eve.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0);

  // A cut line heals by itself and nothing said meanwhile is missing.
  bobsLine.cut();
  await bob.waitForSelector('#line:not([data-state=open])');
  await ann.locator('#rooms button', { hasText: 'Lobby' }).click();
  await say(ann, 'Said while Bob was away.');
  await sees(ann, 'Said while Bob was away.');
  bobsLine.mend();
  await sees(bob, 'Said while Bob was away.');

  // Signed in stays signed in over a reload; signed out is out.
  await ann.reload();
  await ann.waitForSelector('#line[data-state=open]');
  await ann.click('#leave');
  await ann.waitForSelector('#door:not([hidden])');
}

const bobsLine = line({ port: new URL(url).port, host: '127.0.0.1' });
let failure = null;
try {
  await journey();
  assert.deepEqual(complaints, []);
} catch (error) {
  failure = error;
  for (const [n, context] of browser.contexts().entries()) {
    for (const page of context.pages()) await shot(page, `failed-${n}`).catch(() => {});
  }
} finally {
  await browser.close();
  bobsLine.close();
  server.removeAllListeners('exit');
  server.kill('SIGTERM');
  rmSync(data, { recursive: true, force: true });
}
if (failure) {
  console.error(failure, complaints);
  process.exit(1);
}
console.log('browser journey: 1 passed, 0 failed');
