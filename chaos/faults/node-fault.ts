/**
 * What happens to a whole process: killed and started again, frozen and thawed, or restarted. Evidence is what its ports
 * say: a killed process refuses connections, a frozen one's kernel still accepts them and nothing answers, a restarted one
 * answers as a process that was made after the blow.
 */
import http from 'node:http';
import { poll } from '../cluster/poll.ts';
import { evidenceOf, FaultError } from './fault.ts';
import type { Check, Evidence, Fault, Injected } from './fault.ts';
import type { FaultKind, FreezeHow, SpecOf } from './spec.ts';

/** Milliseconds since the epoch come back: when it was struck, and since when it runs again. */
export interface StruckNode {
  readonly name: string;
  readonly url: string;
  readonly state: string;
  kill(): Promise<number>;
  stop(): Promise<unknown>;
  freeze(how: FreezeHow): Promise<number>;
  thaw(): Promise<number>;
  start(): Promise<{ readonly launchedAt: number }>;
}

type Blow = SpecOf<'kill'> | SpecOf<'freeze'> | SpecOf<'restart'>;

/** Far above what a healthy node needs to answer, and short enough to look at in every round: after it, it is silent. */
const SILENT_MS = 250;
/** That it answers at all may take longer on a machine that is busy elsewhere. */
const ANSWER_LIMIT_MS = 5_000;

/** A guess: ten times what a busy machine has been seen to take. */
const RETURN_LIMIT_MS = 10_000;

const NOTHING_COUNTED = { count: 0, bytes: 0 };

type Answer = 'answered' | 'silent' | 'refused';

export class NodeFault implements Fault {
  readonly name: FaultKind;
  readonly means: string;
  readonly #blow: Blow;
  readonly #node: StruckNode;
  /** where it answers; a node that does not run has no place */
  #url = '';
  #struckAt = 0;
  #liftedAt: number | null = null;

  constructor(blow: Blow, node: StruckNode) {
    this.name = blow.kind;
    this.means = `${meansOf(blow)} ${node.name}`;
    this.#blow = blow;
    this.#node = node;
  }

  plan(): readonly string[] {
    const { name } = this.#node;
    const lift = { kill: `start ${name}`, freeze: `thaw ${name}`, restart: 'nothing: it runs again' };
    return [`inject: ${this.means}`, `lift: ${lift[this.#blow.kind]}`];
  }

  async inject(): Promise<Injected> {
    if (this.#node.state !== 'running') {
      throw new FaultError(`${this.#node.name} is ${this.#node.state}: a ${this.name} would prove nothing`);
    }
    this.#url = this.#node.url;
    this.#liftedAt = null;
    this.#struckAt = await this.#strike();
    return { beganAt: this.#struckAt, completeAt: Date.now() };
  }

  async evidence(): Promise<Evidence> {
    const url = this.#node.state === 'stopped' ? this.#url : this.#node.url;
    return evidenceOf(
      this.#checks(await ask(url, this.#blow.kind === 'freeze' ? SILENT_MS : ANSWER_LIMIT_MS)),
      NOTHING_COUNTED,
    );
  }

  async lift(): Promise<number> {
    this.#liftedAt ??= await this.#mend();
    return this.#liftedAt;
  }

  async heal(): Promise<Evidence> {
    await this.lift();
    // Whoever stood still has first to take in all that came meanwhile.
    const answered = await poll(async () => ((await answers(this.#node.url)) ? true : null), {
      everyMs: 50,
      budgetMs: RETURN_LIMIT_MS,
    });
    return evidenceOf(
      [{ claim: `${this.#node.name} answers again`, holds: answered === true }],
      NOTHING_COUNTED,
    );
  }

  async #strike(): Promise<number> {
    const blow = this.#blow;
    switch (blow.kind) {
      case 'kill':
        return this.#node.kill();
      case 'freeze':
        return this.#node.freeze(blow.how);
      case 'restart': {
        const struckAt = Date.now();
        await (blow.how === 'sigkill' ? this.#node.kill() : this.#node.stop());
        this.#liftedAt = (await this.#node.start()).launchedAt;
        return struckAt;
      }
    }
  }

  async #mend(): Promise<number> {
    switch (this.#blow.kind) {
      case 'kill':
      case 'restart':
        return (await this.#node.start()).launchedAt;
      case 'freeze':
        return this.#node.thaw();
    }
  }

  #checks(answer: Answer): readonly Check[] {
    const { name, state } = this.#node;
    switch (this.#blow.kind) {
      case 'kill':
        return [
          { claim: `${name}: its processes are gone`, holds: state === 'stopped' },
          { claim: `${name}: nobody listens at its port (${answer})`, holds: answer === 'refused' },
        ];
      case 'freeze':
        return [
          { claim: `${name}: its processes are stopped`, holds: state === 'frozen' },
          { claim: `${name}: its port accepts and says nothing (${answer})`, holds: answer === 'silent' },
        ];
      case 'restart':
        return [
          {
            claim: `${name}: its process was made after the blow`,
            holds: this.#liftedAt !== null && this.#liftedAt >= this.#struckAt,
          },
          { claim: `${name}: it answers (${answer})`, holds: answer === 'answered' },
        ];
    }
  }
}

function meansOf(blow: Blow): string {
  switch (blow.kind) {
    case 'kill':
      return 'SIGKILL to every process of';
    case 'freeze':
      return blow.how === 'sigstop' ? 'SIGSTOP to every process of' : 'the control group freezer stops';
    case 'restart':
      return `${blow.how === 'sigkill' ? 'SIGKILL' : 'SIGTERM'} and a new start of`;
  }
}

/** @returns whether the node at this address says that it is healthy */
export async function answers(url: string): Promise<boolean> {
  return (await ask(url, ANSWER_LIMIT_MS)) === 'answered';
}

async function ask(url: string, limitMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    let connected = false;
    const request = http.get(`${url}/health`, { agent: false, timeout: limitMs }, (response) => {
      response.resume();
      resolve('answered');
    });
    request.once('socket', (socket) => socket.once('connect', () => (connected = true)));
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(connected ? 'silent' : 'refused'));
  });
}
