/**
 * Somebody who can reach every port and has no key of the cluster. He asks each node for what is the members', repeats what
 * he could have overheard with another body, and offers records; while members go on writing.
 */
import { createHash, randomBytes } from 'node:crypto';
import axios from 'axios';
import { convergence } from '../checkers/convergence.ts';
import { honestRoot } from '../checkers/honest-root.ts';
import { lostWrites } from '../checkers/lost-writes.ts';
import { membersOnly } from '../checkers/members-only.ts';
import type { Member } from '../workloads/member.ts';
import { keepWriting, playRounds, untilEqual, writeFresh } from './steps.ts';
import type { Play } from './steps.ts';
import { ScenarioUnsupportedError } from './scenario.ts';
import type { Scenario } from './scenario.ts';

const STATE = '/api/lattice/state';
const SYNC = '/api/lattice/sync';
const ANSWER_LIMIT_MS = 5_000;

export const intruder: Scenario = {
  name: 'intruder',
  says: 'asks every node, without the key of the cluster, for what is the members’: it is turned away',
  checkers: [membersOnly, lostWrites, convergence, honestRoot],
  schedule: null,
  play: (stage) => {
    if (stage.members.some(({ node }) => !node.url.startsWith('http')))
      throw new ScenarioUnsupportedError('there is no port to knock at');
    return playRounds(stage, playRound);
  },
};

async function playRound(stage: Play, round: number): Promise<void> {
  const { members, history, facts } = stage;
  stage.progress(`round ${round}: an intruder at every node`);
  for (const member of members) {
    for (const attempt of await attemptsOn(member, members)) await knock(stage, member, attempt);
  }
  history.add({ type: 'mark', mark: 'healed', node: '' });
  await facts.pause();
  await untilEqual(stage, await writeFresh(stage, members));
  facts.start();
  await keepWriting(stage, members);
}

interface Attempt {
  readonly what: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
}

async function attemptsOn(victim: Member, members: readonly Member[]): Promise<readonly Attempt[]> {
  const other = members.find((member) => member !== victim) ?? victim;
  const [{ peer_id: to }, { peer_id: member }] = await Promise.all([
    victim.client.status(),
    other.client.status(),
  ]);
  const body = randomBytes(64);
  return [
    { what: 'an exchange without a word of who asks', method: 'POST', path: SYNC, headers: {}, body },
    {
      what: 'an exchange in the name of a member, with a MAC of his own',
      method: 'POST',
      path: SYNC,
      headers: claim(member, to, body),
      body,
    },
    {
      what: 'the state in the name of a member, with a MAC of his own',
      method: 'GET',
      path: STATE,
      headers: claim(member, to, Buffer.alloc(0)),
      body: null,
    },
    {
      what: 'who lives here, with a MAC of zeros',
      method: 'GET',
      path: STATE,
      headers: { ...claim(member, '', Buffer.alloc(0)), 'aethel-mac': '0'.repeat(64) },
      body: null,
    },
  ];
}

/** As a member writes it, but for the key, which he has to guess. */
function claim(member: string, to: string, body: Buffer): Readonly<Record<string, string>> {
  return {
    'aethel-member': member,
    ...(to === '' ? {} : { 'aethel-to': to }),
    'aethel-time': String(Date.now()),
    'aethel-nonce': randomBytes(16).toString('hex'),
    'aethel-digest': createHash('sha256').update(body).digest('hex'),
    'aethel-mac': randomBytes(32).toString('hex'),
  };
}

/** A node that does not answer has admitted nobody; the checker asks for one answer of each. */
async function knock({ history }: Play, { node }: Member, attempt: Attempt): Promise<void> {
  const { what, method, path, headers, body } = attempt;
  const at = history.now();
  try {
    const { status } = await axios.request({
      url: `${node.url}${path}`,
      method,
      headers: { ...headers, ...(body === null ? {} : { 'content-type': 'application/octet-stream' }) },
      data: body,
      timeout: ANSWER_LIMIT_MS,
      proxy: false,
      maxRedirects: 0,
      responseType: 'arraybuffer',
      validateStatus: () => true,
    });
    history.add({ type: 'intrusion', node: node.name, what, status }, at);
  } catch {
    // No answer is no entrance.
  }
}
