// A provider that does what it is told to do wrong. `POST /mode` takes what differs from a good one:
// {claims, header, sign: "none" | "hs256" | "stranger" | "new", issuer, iss, state, token: {status, body}, keys, discovery}.
// `POST /mint` answers an ID token made in that way. It is GitHub too: /login/oauth and /api/v3.
import { SignJWT, base64url, exportJWK, generateKeyPair } from 'jose';
import { createServer } from 'node:http';

const keys = {};
for (const name of ['one', 'two', 'stranger']) keys[name] = await generateKeyPair('ES256', { extractable: true });
let mode = {};
// Codes that were given out, with the nonce of their attempt; and how often each path was asked.
const codes = new Map();
let asked = {};

const server = createServer((request, response) => {
  handle(request, response).catch((error) => response.writeHead(500).end(String(error.stack)));
});
server.listen(0, '127.0.0.1', () => console.log(`listening on ${issuer()}`));

const issuer = () => `http://127.0.0.1:${server.address().port}`;
const json = (response, body, status = 200) =>
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));

async function body(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

async function jwk(name, kid) {
  return { ...(await exportJWK(keys[name].publicKey)), kid, use: 'sig', alg: 'ES256' };
}

async function published() {
  const list = [await jwk('one', 'one')];
  if (mode.sign === 'new') list.push(await jwk('two', 'new'));
  return mode.keys ?? { keys: list };
}

async function idToken(nonce) {
  const now = Math.floor(Date.now() / 1000);
  const person = {
    iss: issuer(), aud: 'stead', sub: 'eve', exp: now + 600, iat: now, nonce,
    email: 'eve@acme.example', email_verified: true, name: 'Eve', jti: crypto.randomUUID(),
  };
  const claims = Object.fromEntries(Object.entries({ ...person, ...mode.claims }).filter(([, value]) => value !== null));
  const header = { alg: 'ES256', kid: 'one', typ: 'JWT', ...mode.header };
  const part = (value) => base64url.encode(JSON.stringify(value));
  if (mode.sign === 'none') return `${part({ alg: 'none' })}.${part(claims)}.`;
  if (mode.sign === 'hs256') {
    const secret = new TextEncoder().encode(JSON.stringify(await jwk('one', 'one')));
    return new SignJWT(claims).setProtectedHeader({ ...header, alg: 'HS256' }).sign(secret);
  }
  if (mode.sign === 'new') return new SignJWT(claims).setProtectedHeader({ ...header, kid: 'new' }).sign(keys.two.privateKey);
  const key = mode.sign === 'stranger' ? keys.stranger : keys.one;
  return new SignJWT(claims).setProtectedHeader(header).sign(key.privateKey);
}

async function handle(request, response) {
  const url = new URL(request.url, issuer());
  const path = url.pathname;
  asked[path] = (asked[path] ?? 0) + 1;
  switch (path) {
    case '/mode': {
      mode = JSON.parse(await body(request));
      return json(response, {});
    }
    case '/asked': {
      const told = asked;
      asked = {};
      return json(response, told);
    }
    case '/mint': return json(response, { id_token: await idToken(null) });
    case '/.well-known/openid-configuration': return json(response, {
      issuer: mode.issuer ?? issuer(),
      authorization_endpoint: `${issuer()}/authorize`,
      token_endpoint: `${issuer()}/token`,
      jwks_uri: `${issuer()}/keys`,
      id_token_signing_alg_values_supported: ['ES256', 'HS256', 'none'],
      authorization_response_iss_parameter_supported: true,
      ...mode.discovery,
    });
    case '/keys': return json(response, await published());
    case '/authorize':
    case '/login/oauth/authorize': return authorize(url, response);
    case '/token':
    case '/login/oauth/access_token': return token(request, response);
    case '/api/v3/user': return json(response, { id: 583231, login: 'eve', name: 'Eve', email: 'anybody@acme.example' });
    case '/api/v3/user/emails': return json(response, mode.emails ?? [
      { email: 'other@acme.example', primary: false, verified: true },
      { email: 'eve@acme.example', primary: true, verified: true },
    ]);
    default: return response.writeHead(404).end();
  }
}

/// Nobody is asked: everybody is Eve.
function authorize(url, response) {
  const given = url.searchParams;
  const code = crypto.randomUUID();
  codes.set(code, { nonce: given.get('nonce'), challenge: given.get('code_challenge') });
  const back = new URL(given.get('redirect_uri'));
  back.searchParams.set('code', code);
  back.searchParams.set('state', mode.state ?? given.get('state'));
  if (mode.iss !== null && !url.pathname.startsWith('/login')) back.searchParams.set('iss', mode.iss ?? issuer());
  response.writeHead(302, { Location: back.href }).end();
}

async function token(request, response) {
  const form = new URLSearchParams(await body(request));
  if (mode.token) return json(response, mode.token.body, mode.token.status);
  const attempt = codes.get(form.get('code'));
  codes.delete(form.get('code'));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(form.get('code_verifier') ?? ''));
  if (!attempt || base64url.encode(new Uint8Array(digest)) !== attempt.challenge) {
    return json(response, { error: 'invalid_grant' }, 400);
  }
  json(response, { access_token: 'for-eve', token_type: 'Bearer', id_token: await idToken(attempt.nonce) });
}
