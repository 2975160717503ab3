// A session in a cookie, in a real browser: it survives a reload, no script reads it, it opens the socket; and a hostile page can do
// nothing with it. Robots are asked for a puzzle, which the page solves by itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { launch } from './chromium.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const work = mkdtempSync(join(tmpdir(), 'stead-cookies-'));
const app = join(work, 'app');
mkdirSync(join(app, 'schema'), { recursive: true });
mkdirSync(join(app, 'web'));
writeFileSync(
  join(app, 'schema/app.yaml'),
  `name: Notebook
auth: {cookies: true, captcha: {kind: puzzle, on: [sign_up, sign_in]}}
cors: {origins: ['*']}
collections:
  users:
    kind: auth
    fields: {name: {type: text, max: 40, optional: true}}
    rules: {read: resource.id == auth.id}
  notes:
    fields: {body: {type: text, max: 100}}
    rules: {read: authenticated, create: authenticated, delete: authenticated}
`,
);
writeFileSync(join(app, 'web/index.html'), '<!doctype html><title>Notebook</title><script type="module" src="page.js"></script>');
writeFileSync(
  join(app, 'web/page.js'),
  `import { createClient } from '/sdk/stead.js';
window.stead = createClient(undefined, { session: 'cookie' });
window.heard = [];
window.listen = () => {
  stead.collection('notes').subscribe({}, ({ records }) => (window.heard = records.map(({ body }) => body)));
};
`,
);
const server = spawn(
  process.env.STEAD_BIN ?? join(root, 'target/debug/stead'),
  ['serve', app, '--listen', '127.0.0.1:0', '--data', join(work, 'data')],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const listening = await new Promise((found, failed) => {
  createInterface(server.stdout).on('line', (line) => line.startsWith('listening on ') && found(line.slice(13).trim()));
  server.on('exit', (code) => failed(new Error(`the server ended with ${code}`)));
});
const port = new URL(listening).port;

/** A site of somebody else: what it is asked for is a page, and what is sent to it is kept. */
const evil = createServer((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Evil</title>'));
await new Promise((ready) => evil.listen(0, '127.0.0.1', ready));

const browser = await launch();
const ann = { email: 'ann@example.test', password: 'plenty of marigolds' };

/** Signs up, reloads, writes, subscribes: what a page does. */
async function signedIn(context, url) {
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  await page.goto(url);
  await page.waitForFunction(() => window.stead);
  await page.evaluate((who) => stead.auth.signUp(who), { ...ann, email: `${new URL(url).hostname}@example.test` });
  const [cookie] = await context.cookies(url);
  const { name, httpOnly, secure, sameSite, path } = cookie;
  assert.deepEqual({ name, httpOnly, secure, sameSite, path }, { name: '__Host-stead-session', httpOnly: true, secure: true, sameSite: 'Lax', path: '/' });
  await page.reload();
  await page.waitForFunction(() => window.stead);
  assert.ok(await page.evaluate(async () => (await stead.auth.me()).email), 'signed in stays signed in');
  // Nothing that a script can reach lets anybody in.
  const reach = await page.evaluate(() => `${document.cookie} ${JSON.stringify({ ...localStorage })}`);
  assert.ok(!reach.includes(cookie.value) && !/eyJ|rt1\.|cs1\./.test(reach), reach);
  await page.evaluate(() => listen());
  await page.evaluate(() => stead.collection('notes').create({ body: 'mine' }));
  await page.waitForFunction(() => window.heard.includes('mine'));
  return page;
}

const bodies = (page) => page.evaluate(async () => (await stead.collection('notes').list()).items.map(({ body }) => body).sort());

/** Tries to write with the cookie of the page in another tab, by every way a browser knows. */
async function attacked(context, from, target) {
  const page = await context.newPage();
  await page.goto(from);
  const tried = await page.evaluate(async (target) => {
    const url = `${target}/api/v1/collections/notes/records`;
    const body = JSON.stringify({ body: 'theirs' });
    const settle = (promise) => promise.then((answer) => answer.status ?? answer.type, ({ name }) => (name === 'TypeError' ? 'refused by the browser' : name));
    const signal = AbortSignal.timeout(20_000);
    const fetched = (init) => settle(fetch(url, { method: 'POST', credentials: 'include', body, signal, ...init }));
    const socket = new Promise((done) => {
      const opened = new WebSocket(`${target.replace('http', 'ws')}/api/v1/realtime?session=cookie`, 'stead.v1.json');
      opened.onopen = () => done('opened');
      opened.onerror = () => done('refused');
      signal.onabort = () => done('nothing');
    });
    return {
      plain: await fetched({ mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }),
      json: await fetched({ headers: { 'Content-Type': 'application/json' } }),
      header: await fetched({ headers: { 'Content-Type': 'application/json', 'Stead-Session': 'cookie' } }),
      read: await settle(fetch(url, { credentials: 'include', signal })),
      beacon: navigator.sendBeacon(url, new Blob([body], { type: 'text/plain' })),
      socket: await socket,
    };
  }, target);
  assert.equal(tried.json, 'refused by the browser');
  assert.equal(tried.header, 'refused by the browser');
  assert.equal(tried.read, 'refused by the browser', 'nothing can be read with credentials');
  assert.equal(tried.socket, 'refused');
  await page.close();
}

async function journey() {
  // `localhost` and `127.0.0.1` are other hosts with cookies of their own; Chromium takes secure cookies from both.
  for (const host of ['localhost', '127.0.0.1']) {
    const url = `http://${host}:${port}`;
    const context = await browser.newContext();
    const page = await signedIn(context, url);
    // Of another site, and of the same site by another port.
    const other = host === 'localhost' ? '127.0.0.1' : 'localhost';
    for (const from of [other, host]) await attacked(context, `http://${from}:${evil.address().port}/`, url);
    assert.deepEqual((await bodies(page)).filter((body) => body !== 'mine'), []);

    // Signed out is out: at the server, in the browser, and in every tab.
    const tab = await context.newPage();
    await tab.goto(url);
    await tab.waitForFunction(() => window.stead?.auth.user);
    await page.evaluate(() => stead.auth.signOut());
    await tab.waitForFunction(() => window.stead.auth.user === null);
    assert.deepEqual(await context.cookies(url), []);
    const refused = await page.evaluate(() => stead.auth.me().catch(({ code }) => code));
    assert.equal(refused, 'token_required');

    // The sign-in page gives the same cookie.
    await page.goto(`${url}/auth/ui?next=/`);
    await page.fill('input[name=email]', `${host}@example.test`);
    await page.fill('input[name=password]', ann.password);
    await page.click('button:text-is("Sign in")');
    await page.waitForFunction(() => window.stead?.auth.user);
    assert.ok(await page.evaluate(async () => (await stead.auth.me()).email));
    assert.equal((await context.cookies(url))[0]?.name, '__Host-stead-session');
    await context.close();
  }
}

let failure = null;
try {
  await journey();
} catch (error) {
  failure = error;
}
await browser.close();
evil.close();
server.kill();
rmSync(work, { recursive: true, force: true });
if (failure) throw failure;
console.log('a session in a cookie: signed in, reloaded, wrote, heard, withstood a hostile page, signed out');
