// Two people chat through a balancer and two servers on one Postgres, while a server is killed, the database crashes and then is away.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';
import { line } from './line.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const shots = join(root, 'tests/browser/shots');
mkdirSync(shots, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), 'stead-nodes-'));
const processes = [];

// The database, and a way to it that can be cut.
const cluster = `${folder}-postgres`;
const postgres = (...words) => execFileSync('bash', [join(root, 'tests/postgres.sh'), ...words], { encoding: 'utf8' });
postgres('start', cluster, 'durable');
const way = line({ path: join(cluster, '.s.PGSQL.5432') });
const database = `postgres://stead@127.0.0.1:${await way.port}/postgres?sslmode=disable`;

function serve() {
  const server = spawn(
    process.env.STEAD_BIN ?? join(root, 'target/debug/stead'),
    ['serve', join(root, 'examples/team-chat'), '--listen', '127.0.0.1:0', '--data', join(folder, 'data'), '--database', database,
      '--trust-proxy', '127.0.0.1', '--log', 'error'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  processes.push(server);
  const address = new Promise((found, failed) => {
    createInterface(server.stdout).on('line', (line) => line.startsWith('listening on ') && found(new URL(line.slice(13).trim()).host));
    server.on('exit', (code) => failed(new Error(`a server ended with ${code}`)));
  });
  return address.then((at) => ({ server, at }));
}
// One after the other, so that the second finds the master key of the first.
const nodes = [await serve(), await serve()];

const door = await new Promise((found) => {
  const any = createServer().listen(0, '127.0.0.1', () => {
    const { port } = any.address();
    any.close(() => found(port));
  });
});
writeFileSync(join(folder, 'haproxy.cfg'), `defaults
  mode http
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
  option redispatch
  retries 3
frontend door
  bind 127.0.0.1:${door}
  default_backend nodes
backend nodes
  balance roundrobin
  option forwardfor
  option httpchk GET /readyz
  default-server check inter 300ms fall 2 rise 1
${nodes.map(({ at }, n) => `  server node${n} ${at}`).join('\n')}
`);
processes.push(spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' }));

const browser = await launch();
const complaints = [];
async function enter(person, options) {
  const page = await (await browser.newContext({ viewport: { width: 1180, height: 720 }, ...options })).newPage();
  page.setDefaultTimeout(40_000);
  page.on('pageerror', (error) => complaints.push(`${person}: ${error}`));
  for (let tries = 0; ; tries++) {
    const answer = await page.goto(`http://127.0.0.1:${door}`).catch(() => null);
    if (answer?.ok()) break;
    assert.ok(tries < 100, 'the balancer answers');
    await page.waitForTimeout(100);
  }
  await page.click(`[data-as=${person}]`);
  await page.waitForSelector('#line[data-state=open]', { state: 'attached' });
  await page.locator('#rooms button', { hasText: 'Lobby' }).click();
  return page;
}
const say = async (page, text) => {
  await page.fill('#write input', text);
  await page.press('#write input', 'Enter');
};
const state = (page, name) => page.waitForSelector(`#line[data-state=${name}]`, { state: 'attached' });
const shot = (page, name) => page.screenshot({ path: join(shots, `${name}.png`) });
const said = [];
/** Each says something, and both see it, once. */
async function talk(pages, about) {
  for (const [n, page] of pages.entries()) {
    const text = `${about}, ${n}`;
    said.push(text);
    await say(page, text);
    for (const other of pages) await other.waitForSelector(`#messages li p:text-is("${text}")`);
  }
}

async function journey() {
  const [ann, bob] = [await enter('ann'), await enter('bob', { colorScheme: 'dark' })];
  await talk([ann, bob], 'at first');

  nodes[0].server.removeAllListeners('exit');
  nodes[0].server.kill('SIGKILL');
  await talk([ann, bob], 'one server was killed');

  postgres('crash', cluster);
  await talk([ann, bob], 'the database crashed');

  way.cut();
  await Promise.all([ann, bob].map((page) => state(page, 'degraded')));
  assert.equal(await ann.textContent('#line'), 'database away, nothing lost');
  await shot(ann, 'away-light');
  await shot(bob, 'away-dark');
  await ann.setViewportSize({ width: 360, height: 740 });
  await shot(ann, 'away-360');
  const wider = await ann.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wider, 0, 'nothing spills over the edge of a phone');
  await ann.setViewportSize({ width: 1180, height: 720 });
  for (const text of said) assert.equal(await ann.locator(`#messages li p:text-is("${text}")`).count(), 1, text);

  way.mend();
  await Promise.all([ann, bob].map((page) => state(page, 'open')));
  await talk([ann, bob], 'it is back');
  for (const page of [ann, bob]) {
    for (const text of said) assert.equal(await page.locator(`#messages li p:text-is("${text}")`).count(), 1, `${text}: once`);
  }
}

let failure = null;
try {
  await journey();
  assert.deepEqual(complaints, []);
} catch (error) {
  failure = error;
  for (const [n, context] of browser.contexts().entries()) {
    for (const page of context.pages()) await shot(page, `nodes-failed-${n}`).catch(() => {});
  }
} finally {
  await browser.close();
  for (const one of processes) {
    one.removeAllListeners('exit');
    one.kill('SIGKILL');
  }
  way.close();
  postgres('stop', cluster);
  rmSync(folder, { recursive: true, force: true });
}
if (failure) {
  console.error(failure, complaints);
  process.exit(1);
}
console.log('browser journey through two servers: 1 passed, 0 failed');
