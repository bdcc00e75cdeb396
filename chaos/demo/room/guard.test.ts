import { TOKEN_HEADER } from '../../../dashboard/room/commands.ts';
import { loopbackHosts, refusalOf } from './guard.ts';

const DOOR = { token: 'the-token-of-this-start', hosts: loopbackHosts(7000) };
const OWN = { host: '127.0.0.1:7000', origin: 'http://127.0.0.1:7000', [TOKEN_HEADER]: DOOR.token };

describe('the door of the control room', () => {
  it('lets its own page read and steer', () => {
    expect(refusalOf({ method: 'GET', headers: { host: 'localhost:7000' } }, DOOR)).toBeNull();
    expect(refusalOf({ method: 'POST', headers: OWN }, DOOR)).toBeNull();
    const sameOrigin = { ...OWN, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' };
    expect(refusalOf({ method: 'POST', headers: sameOrigin }, DOOR)).toBeNull();
  });

  it('lets somebody follow a link to it', () => {
    const followed = { host: OWN.host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    expect(refusalOf({ method: 'GET', headers: followed }, DOOR)).toBeNull();
  });

  it.each([
    ['a foreign name that was made to point here', 'GET', { host: 'evil.example:7000' }],
    ['no host', 'GET', {}],
    ['another port', 'GET', { host: '127.0.0.1:8000' }],
    ['a script of another site that reads', 'GET', { host: OWN.host, origin: 'http://evil.example' }],
    [
      'an image of another site',
      'GET',
      { host: OWN.host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' },
    ],
    ['a form of another site', 'POST', { ...OWN, origin: 'http://evil.example' }],
    ['a sandboxed page', 'POST', { ...OWN, origin: 'null' }],
    ['another port of this machine', 'POST', { ...OWN, origin: 'http://127.0.0.1:8000' }],
    ['a command without an origin', 'POST', { ...OWN, origin: undefined }],
    ['a command without the token', 'POST', { ...OWN, [TOKEN_HEADER]: undefined }],
    [
      'a command with the token of another start',
      'POST',
      { ...OWN, [TOKEN_HEADER]: 'the-token-of-that-start' },
    ],
    [
      'a foreign name with the token',
      'POST',
      { ...OWN, host: 'evil.example:7000', origin: 'http://evil.example:7000' },
    ],
  ])('keeps out %s', (_, method, headers) => {
    expect(refusalOf({ method, headers }, DOOR)).not.toBeNull();
  });
});
