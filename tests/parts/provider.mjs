// A real OpenID provider on a free port of loopback, with one client. Who signs in is said by the header `X-Person`, as
// `name@domain`; an address that begins with `un-` is not verified, and one that begins with `no-` is denied.
import Provider from 'oidc-provider';
import { createServer } from 'node:http';

const [callback] = process.argv.slice(2);
const server = createServer((request, response) => answer(request, response));
let answer;
server.listen(0, '127.0.0.1', () => begin(`http://127.0.0.1:${server.address().port}`));

function begin(issuer) {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'stead',
      client_secret: 'a secret: with/odd+characters',
      redirect_uris: [callback],
      response_types: ['code'],
      grant_types: ['authorization_code'],
    }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    // What is asked for stands in the ID token, as most providers do it.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ['for tests alone'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => person(id) }),
  });
  const usual = provider.callback();
  answer = (request, response) => {
    if (request.url.startsWith('/interaction/')) {
      interact(provider, request, response).catch((error) => response.writeHead(500).end(String(error)));
    } else {
      usual(request, response);
    }
  };
  console.log(`listening on ${issuer}`);
}

const person = (id) => ({ sub: id, email: id, email_verified: !id.startsWith('un-'), name: id.split('@')[0] });

async function interact(provider, request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  const who = request.headers['x-person'];
  if (who.startsWith('no-')) {
    return provider.interactionFinished(request, response, { error: 'access_denied' });
  }
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: who } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } });
}
