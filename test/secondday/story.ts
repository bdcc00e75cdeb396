/**
 * The second day of a cluster, step by step, under writes: what an operator does to it, and what must still be there after each
 * step. Only a claim that held counts as passed.
 */
import { poll } from '../../chaos/cluster/poll.ts';
import { audit } from './audit.ts';
import type { Checkout, Replica } from './checkout.ts';
import { docker, linesOf, run } from './docker.ts';
import type { Tally } from './tally.ts';
import { Writer } from './writer.ts';

export interface Story {
  readonly first: Checkout;
  /** in a directory of another name, with ports of its own */
  readonly second: Checkout;
  /** starts with the compose file of before the slots */
  readonly old: Checkout;
  /** path of the current compose file */
  readonly composeFile: string;
  /** script that takes anonymous volumes over */
  readonly takeOver: string;
  /** another name of the same image */
  readonly otherTag: string;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

const REPLICAS = 5;
const WRITES_BUDGET_MS = 60_000;
const FRESH_WRITES = 10;

export async function play(story: Story): Promise<void> {
  const { first, second, tally, signal, otherTag } = story;
  const writers = [new Writer(first.urls, '1'), new Writer(first.urls, 'majority')];
  const acknowledged = (): ReadonlyMap<string, string> =>
    new Map(writers.flatMap((writer) => [...writer.acknowledged]));
  let identities: readonly string[] = [];

  /** Ends a step: the cluster stands, takes writes with every quorum again, and lacks nothing. */
  const whole = async (what: string): Promise<void> => {
    const replicas = await first.replicas(REPLICAS, signal);
    tally.claim(`${what}: slots 0 to ${REPLICAS - 1} are taken`, notSlots(replicas, REPLICAS));
    const ids = idsOf(replicas);
    if (identities.length === 0) identities = ids;
    else tally.claim(`${what}: the same identities`, unlike(ids, identities));
    for (const writer of writers) writer.start();
    tally.claim(`${what}: writes are acknowledged by one and by most`, await freshWrites(writers, signal));
    for (const writer of writers) await writer.pause();
    const known = acknowledged();
    tally.claim(
      `${what}: all ${known.size} acknowledged writes are on every replica, under one root`,
      await audit(
        replicas.map(({ url }) => url),
        known,
        signal,
      ),
    );
    for (const writer of writers) writer.start();
  };
  const scaled = (count: number): Promise<string> => first.up('--scale', `node=${count}`);

  try {
    tally.step('up --scale node=5');
    await scaled(REPLICAS);
    await whole('up');

    tally.step('down, up');
    await first.compose('down');
    await scaled(REPLICAS);
    await whole('down, up');

    for (const time of ['once', 'twice']) {
      tally.step(`5 → 2 → 5, ${time}`);
      await scaled(2);
      const two = await first.replicas(2, signal);
      tally.claim(`5 → 2, ${time}: slots 0 and 1 stay`, notSlots(two, 2));
      await scaled(REPLICAS);
      await whole(`5 → 2 → 5, ${time}`);
    }

    tally.step('up without --scale; alone through down and up');
    await first.up();
    const [alone] = await first.replicas(1, signal);
    const before = acknowledged();
    tally.claim(
      'up without --scale: the one that stays takes writes',
      await moreThan(before.size, acknowledged, signal),
    );
    for (const writer of writers) await writer.pause();
    await first.compose('down');
    await first.up();
    const [again] = await first.replicas(1, signal);
    tally.claim(
      'alone, down, up: it is the same replica again',
      alone?.status.peer_id === again?.status.peer_id
        ? null
        : `slot ${alone?.status.slot}, then ${again?.status.slot}`,
    );
    // What others acknowledged before they left may be on their way still.
    const written = new Map([...acknowledged()].filter(([key]) => !before.has(key)));
    const aloneHas = await audit([again?.url ?? ''], written, signal);
    tally.claim(`alone, down, up: all ${written.size} writes of that time are there`, aloneHas);
    for (const writer of writers) writer.start();
    await scaled(REPLICAS);
    await whole('back to 5');

    tally.step('re-create with another image');
    first.tag = otherTag;
    await scaled(REPLICAS);
    const images = new Set(
      await linesOf(['inspect', '-f', '{{.Config.Image}}', ...(await first.containers())]),
    );
    const isOther = images.size === 1 && [...images].every((image) => image.endsWith(`:${otherTag}`));
    tally.claim('another image: all replicas run it', isOther ? null : [...images].join(', '));
    await whole('another image');

    tally.step('kill -9 of all');
    const holders = await linesOf(['inspect', '-f', '{{.State.Pid}}', ...(await first.containers())]);
    const starts = await startsOf(first);
    for (const pid of holders) process.kill(Number(pid), 'SIGKILL');
    const restarted = await poll(
      async () => {
        const now = await startsOf(first);
        return now.length === REPLICAS && now.every((at) => !starts.includes(at)) ? true : null;
      },
      { everyMs: 200, budgetMs: 30_000, signal },
    );
    tally.claim('kill -9 of all: the engine starts them again', restarted === null ? 'it did not' : null);
    await whole('kill -9 of all');

    tally.step('docker kill of all, up');
    await docker(['kill', ...(await first.containers())]);
    await scaled(REPLICAS);
    await whole('docker kill of all');

    tally.step("a second checkout's down -v");
    const mine = [await first.containers(), await first.volumes()].map((ids) => ids.toSorted());
    await second.up('--scale', 'node=1');
    const [stranger] = await second.replicas(1, signal);
    tally.claim(
      'second checkout: it is another cluster, and empty',
      stranger?.status.state_size === 0 ? null : `it has ${stranger?.status.state_size} keys`,
    );
    await second.compose('down', '-v');
    const left = [await first.containers(), await first.volumes()].map((ids) => ids.toSorted());
    tally.claim(
      'second checkout: the first keeps its containers and volumes',
      unlike(left.flat(), mine.flat()),
    );
    await whole('second checkout');

    tally.step('down -v');
    for (const writer of writers) await writer.pause();
    await first.compose('down', '-v');
    const volumes = await first.volumes();
    tally.claim('down -v deletes the volumes', volumes.length === 0 ? null : volumes.join(', '));
  } finally {
    for (const writer of writers) await writer.pause();
  }
  await takeOver(story);
}

/** State in anonymous volumes comes into slots. */
async function takeOver({ old, composeFile, takeOver: script, tally, signal }: Story): Promise<void> {
  const count = 3;
  tally.step('anonymous volumes of the earlier compose file are taken over');
  await old.up('--scale', `node=${count}`);
  const before = await old.replicas(count, signal);
  const writer = new Writer(old.urls, 'majority');
  writer.start();
  await freshWrites([writer], signal);
  await writer.pause();
  const mounts = '{{range .Mounts}}{{if eq .Destination "/var/lib/aethel"}}{{.Name}}{{end}}{{end}}';
  const volumes = await linesOf(['inspect', '-f', mounts, ...(await old.containers())]);
  try {
    await old.compose('down');
    old.use(composeFile);
    await run(script, ['--project', old.project, ...volumes], { env: old.environment });
    const twice = await run(script, ['--project', old.project, ...volumes], { env: old.environment });
    const again = twice.split('\n').filter((line) => line.includes('already')).length;
    tally.claim('taken over: once is enough', again === count ? null : twice);
    await old.up('--scale', `node=${count}`);
    const after = await old.replicas(count, signal);
    tally.claim('taken over: each has a slot', notSlots(after, count));
    tally.claim('taken over: the same identities', unlike(idsOf(after), idsOf(before)));
    const urls = after.map(({ url }) => url);
    tally.claim(
      `taken over: all ${writer.acknowledged.size} writes are there`,
      await audit(urls, writer.acknowledged, signal),
    );
  } finally {
    await writer.pause();
    await old.compose('down', '-v');
    await docker(['volume', 'rm', '-f', ...volumes]);
  }
}

async function freshWrites(writers: readonly Writer[], signal: AbortSignal): Promise<string | null> {
  const before = writers.map(({ acknowledged }) => acknowledged.size);
  const come = await poll(
    async () => {
      const isEach = writers.every(
        ({ acknowledged }, i) => acknowledged.size >= (before[i] ?? 0) + FRESH_WRITES,
      );
      return isEach ? true : null;
    },
    { everyMs: 50, budgetMs: WRITES_BUDGET_MS, signal },
  );
  const told = writers.map(({ acknowledged }, i) => acknowledged.size - (before[i] ?? 0));
  return come === null ? `${told.join(' and ')} in ${WRITES_BUDGET_MS / 1000} s` : null;
}

async function moreThan(
  count: number,
  acknowledged: () => ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<string | null> {
  const more = await poll(async () => (acknowledged().size >= count + FRESH_WRITES ? true : null), {
    everyMs: 50,
    budgetMs: WRITES_BUDGET_MS,
    signal,
  });
  return more === null ? 'none was acknowledged' : null;
}

async function startsOf(checkout: Checkout): Promise<readonly string[]> {
  const containers = await checkout.containers();
  return containers.length === 0 ? [] : linesOf(['inspect', '-f', '{{.State.StartedAt}}', ...containers]);
}

function idsOf(replicas: readonly Replica[]): readonly string[] {
  return replicas.map(({ status }) => status.peer_id).toSorted();
}

function notSlots(replicas: readonly Replica[], count: number): string | null {
  const slots = replicas.map(({ status }) => status.slot ?? -1).toSorted((a, b) => a - b);
  return unlike(slots, [...Array(count).keys()]);
}

function unlike(got: readonly unknown[], wanted: readonly unknown[]): string | null {
  return got.join() === wanted.join() ? null : `${got.join(', ')} instead of ${wanted.join(', ')}`;
}
