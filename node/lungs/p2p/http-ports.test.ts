import { urlAt } from './http-ports.ts';

it.each([
  ['/ip4/192.0.2.1/tcp/41234', [0x1f, 0x40], 'http://192.0.2.1:8000'],
  ['/ip6/2001:db8::1/tcp/41234', [0x1f, 0x40], 'http://[2001:db8::1]:8000'],
  ['/ip4/192.0.2.1/tcp/41234', [0, 0], null],
  ['/dns4/node/tcp/9000', [0x1f, 0x40], null],
  ['/ip6zone/eth0/ip6/fe80::1/tcp/1', [0x1f, 0x40], null],
])('a member seen at %s that says %j is asked at %s', (seenAt, body, url) => {
  expect(urlAt(seenAt, Uint8Array.from(body))).toBe(url);
});
