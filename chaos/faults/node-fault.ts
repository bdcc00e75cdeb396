/**
 * What happens to a whole process: killed and started again, or frozen and thawed. Evidence is what its ports say: a
 * killed process refuses connections, a frozen one's kernel still accepts them and nothing answers.
 */
import http from 'node:http';
import { evidenceOf } from './fault.ts';
import type { Check, Evidence, Fault, Injected } from './fault.ts';

/** Milliseconds since the epoch come back: when it was struck, and since when it runs again. */
export interface StruckNode {
  readonly name: string;
  readonly url: string;
  readonly state: string;
  kill(): Promise<number>;
  freeze(): Promise<number>;
  thaw(): Promise<number>;
  start(): Promise<{ readonly launchedAt: number }>;
}

/** Far above what a healthy node needs to answer, and short enough to look at in every round. */
const ANSWER_LIMIT_MS = 250;

const NOTHING_COUNTED = { count: 0, bytes: 0 };

type Answer = 'answered' | 'silent' | 'refused';

export class NodeFault implements Fault {
  readonly name: 'kill' | 'freeze';
  readonly means: string;
  readonly #node: StruckNode;
  /** where it answers; a node that does not run has no place */
  #url = '';
  #liftedAt: number | null = null;

  constructor(name: 'kill' | 'freeze', node: StruckNode) {
    this.name = name;
    this.means = `${name === 'kill' ? 'SIGKILL to' : 'stopping'} every process of ${node.name}`;
    this.#node = node;
  }

  async inject(): Promise<Injected> {
    this.#url = this.#node.url;
    this.#liftedAt = null;
    const beganAt = this.name === 'kill' ? await this.#node.kill() : await this.#node.freeze();
    return { beganAt, completeAt: Date.now() };
  }

  async evidence(): Promise<Evidence> {
    const answer = await ask(this.#url);
    return evidenceOf(this.name === 'kill' ? this.#killed(answer) : this.#frozen(answer), NOTHING_COUNTED);
  }

  async lift(): Promise<number> {
    this.#liftedAt ??= this.name === 'kill' ? (await this.#node.start()).launchedAt : await this.#node.thaw();
    return this.#liftedAt;
  }

  async heal(): Promise<Evidence> {
    await this.lift();
    const answer = await ask(this.#node.url);
    return evidenceOf([{ claim: 'it answers again', holds: answer === 'answered' }], NOTHING_COUNTED);
  }

  #killed(answer: Answer): readonly Check[] {
    return [
      { claim: 'its processes are gone', holds: this.#node.state === 'stopped' },
      { claim: `nobody listens at its port (${answer})`, holds: answer === 'refused' },
    ];
  }

  #frozen(answer: Answer): readonly Check[] {
    return [
      { claim: 'its processes are stopped', holds: this.#node.state === 'frozen' },
      { claim: `its port accepts and says nothing (${answer})`, holds: answer === 'silent' },
    ];
  }
}

async function ask(url: string): Promise<Answer> {
  return new Promise((resolve) => {
    let connected = false;
    const request = http.get(`${url}/health`, { agent: false, timeout: ANSWER_LIMIT_MS }, (response) => {
      response.resume();
      resolve('answered');
    });
    request.once('socket', (socket) => socket.once('connect', () => (connected = true)));
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(connected ? 'silent' : 'refused'));
  });
}
