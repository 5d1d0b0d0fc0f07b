// An OpenID Connect provider on loopback: its protocol is oidc-provider's, which the OpenID Foundation has certified.
// Reads one line of JSON from standard input (port, path, acr, clients, jwks), prints its issuer when it listens, and
// ends with its standard input.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
const given = JSON.parse((await lines[Symbol.asyncIterator]().next()).value);
lines.on('close', () => process.exit(0));

const server = createServer();
await new Promise((listening) => server.listen(given.port, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}${given.path}`;
const provider = new Provider(issuer, {
  acrValues: ['1', '2'],
  claims: { openid: ['sub', 'personal_number'] },
  clients: given.clients,
  conformIdTokenClaims: false,
  cookies: { keys: ['of no worth'] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519', 'HS256'] },
  features: { devInteractions: { enabled: false }, encryption: { enabled: true } },
  findAccount: (_, number) => ({ accountId: number, claims: () => ({ sub: number, personal_number: number }) }),
  interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
  jwks: given.jwks,
  // A person who signs in agrees.
  async loadExistingGrant({ oidc }) {
    const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid');
    await grant.save();
    return grant;
  },
  pairwiseIdentifier: (_, number, { clientId }) => `pairwise-${clientId}-${number.slice(-3)}`,
  pkce: { required: () => true },
  subjectTypes: ['public', 'pairwise'],
});
server.on('request', async (request, response) => {
  if (request.url.startsWith('/sign-in/')) {
    // The page on which a person signs in: the one whom the portal names does.
    const { params } = await provider.interactionDetails(request, response);
    const login = { accountId: params.login_hint, ...(given.acr ? { acr: given.acr } : {}) };
    await provider.interactionFinished(request, response, { login });
  } else {
    // At a path, as behind a proxy.
    request.originalUrl = request.url;
    request.url = request.url.slice(given.path.length) || '/';
    provider.callback()(request, response);
  }
});
console.log(issuer);
