/**
 * What a broken or hostile member can cost: it holds the cluster's key, so it is let in, and then sends ten thousand questions as fast
 * as it can: honest ones, garbage, replays. Each is answered or refused with a reason, what is refused is counted, memory stays
 * flat, and writers are served all the while.
 */
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { digestOf, memberKeyOf, requestMac, SYNC_PATH } from '../../node/lungs/http/member.ts';
import type { Digest } from '../../node/protocol/ids.ts';
import { testIdentity } from '../../node/protocol/state/test-records.ts';
import { VersionVector } from '../../node/protocol/state/version-vector.ts';
import { encodeRequest } from '../../node/protocol/sync/codec.ts';
import { CLUSTER_KEY, freePort, NodeProcess, until } from './node-process.ts';
import { keyUrl, talk } from './talk.ts';

const QUESTIONS = 10_000;
const CONNECTIONS = 32;
const RECORDS = 200;
const MEMORY_GROWTH_MAX = 150 * 1_048_576;
const KEY = memberKeyOf(Buffer.from(CLUSTER_KEY, 'hex'));
const SELF = testIdentity(99).id;

describe('a hostile member', () => {
  const node = new NodeProcess();
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });

  afterAll(async () => {
    agent.destroy();
    await node.close();
  });

  it('is refused with reasons and counted, and costs neither memory nor the others their node', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    node.start({
      AETHEL_CLUSTER_KEY: CLUSTER_KEY,
      AETHEL_HTTP_PORT: String(port),
      AETHEL_P2P_ENABLED: 'false',
    });
    await until(
      async () => ((await talk(`${url}/api/lattice/p2p/status`)).status === 200 ? true : null),
      [node],
    );
    const entries = Array.from({ length: RECORDS }, (_, i) => ({ key: `k/${i}`, value: i }));
    await talk(`${url}/api/lattice/state`, 'POST', { entries });
    const victim = String((await talk(`${url}/api/lattice/p2p/identity`)).body['peer_id']);

    const warm = await attack(port, victim, 1_000);
    expect(warm.get(200)).toBeGreaterThan(100);
    const before = await memory(url);
    const writing = writeAll(url, 20);
    const statuses = await attack(port, victim, QUESTIONS);
    expect(await writing).toEqual(Array.from({ length: 20 }, () => 201));
    const answered = [...statuses.values()].reduce((sum, count) => sum + count, 0);
    expect(answered).toBe(QUESTIONS);
    expect([...statuses.keys()].every((status) => [200, 401, 422, 503].includes(status))).toBe(true);
    expect(statuses.get(422)).toBeGreaterThan(QUESTIONS / 10);
    expect(statuses.get(401)).toBeGreaterThan(QUESTIONS / 10);
    expect((await memory(url)) - before).toBeLessThan(MEMORY_GROWTH_MAX);
    expect(await metric(url, /^aethel_refused_total\{[^}]*what="message"[^}]*\} (\d+)/m)).toBeGreaterThan(
      QUESTIONS / 5,
    );
    expect((await talk(keyUrl(url, 'k/7'))).body['value']).toBe(7);
  }, 120_000);

  /** Every third question is garbage, every third is sent twice. @returns how often each status came; 0 for none at all */
  async function attack(port: number, victim: string, count: number): Promise<Map<number, number>> {
    const statuses = new Map<number, number>();
    let next = 0;
    let replay: http.OutgoingHttpHeaders | null = null;
    const ask = async (): Promise<void> => {
      while (next < count) {
        const n = next++;
        const body = n % 3 === 0 ? randomBytes(100) : question();
        const headers = n % 3 === 1 && replay !== null ? replay : headersOf(victim, body);
        if (n % 3 === 2) replay = headers;
        const status = await post(port, headers, n % 3 === 1 ? question() : body);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, ask));
    return statuses;
  }

  function post(port: number, headers: http.OutgoingHttpHeaders, body: Uint8Array): Promise<number> {
    return new Promise((resolve) => {
      const request = http.request(
        { port, host: '127.0.0.1', method: 'POST', path: SYNC_PATH, headers, agent, timeout: 10_000 },
        (response) => {
          response.resume();
          response.once('end', () => resolve(response.statusCode ?? 0));
          response.once('error', () => resolve(0));
        },
      );
      request.once('error', () => resolve(0));
      request.once('timeout', () => request.destroy());
      request.end(body);
    });
  }
});

/** Lies about its root, and has seen nothing: everything is to be sent. */
function question(): Uint8Array {
  const root = 'f'.repeat(64) as Digest;
  return encodeRequest({
    type: 'delta',
    root,
    vector: new VersionVector(),
    after: null,
    bytesMax: 3_670_016,
    records: [],
  });
}

function headersOf(victim: string, body: Uint8Array): http.OutgoingHttpHeaders {
  const facts = {
    method: 'POST',
    target: SYNC_PATH,
    member: SELF,
    to: victim as typeof SELF,
    time: Date.now(),
    nonce: randomBytes(16).toString('hex'),
    ifNoneMatch: '',
    digest: digestOf(body),
  };
  return {
    'content-type': 'application/octet-stream',
    'aethel-member': facts.member,
    'aethel-to': facts.to,
    'aethel-time': String(facts.time),
    'aethel-nonce': facts.nonce,
    'aethel-digest': facts.digest,
    'aethel-mac': requestMac(KEY, facts),
  };
}

async function writeAll(url: string, count: number): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < count; n += 1)
    statuses.push((await talk(keyUrl(url, `w/${n}`), 'PUT', { value: n })).status);
  return statuses;
}

async function memory(url: string): Promise<number> {
  return metric(url, /^process_resident_memory_bytes (\S+)/m);
}

async function metric(url: string, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(pattern.exec(text)?.[1] ?? NaN);
}
