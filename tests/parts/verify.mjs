// Verifies an access token of Stead the way any other service would: from its discovery document and its keys, with the
// libraries that others use. What is asked below PUBLIC goes to SERVER. Prints the subject, or fails.
//
//   node verify.mjs PUBLIC SERVER TOKEN
import { createRemoteJWKSet, customFetch as joseFetch, jwtVerify } from 'jose';
import { customFetch, discovery } from 'openid-client';

const [publicUrl, server, token] = process.argv.slice(2);
const elsewhere = (url, options) => fetch(String(url).replace(publicUrl, server), options);

const config = await discovery(new URL(publicUrl), 'anybody', undefined, undefined, { [customFetch]: elsewhere });
const { issuer, jwks_uri: keys } = config.serverMetadata();
const set = createRemoteJWKSet(new URL(keys), { [joseFetch]: elsewhere });
const expected = { issuer, audience: 'stead', typ: 'at+jwt', algorithms: ['ES256'], requiredClaims: ['sub', 'exp', 'iat', 'sid'] };
const { payload } = await jwtVerify(token, set, expected);
console.log(payload.sub);
