/** `npm run test:secondday`: what is entrusted to a cluster of compose stays. See `--help`. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connectEngine } from '../../chaos/cluster/engine.ts';
import { ensureNodeImage, NODE_IMAGE } from '../../chaos/cluster/image.ts';
import { listenForInterrupts } from '../../chaos/demo/interrupt.ts';
import { Checkout, type CheckoutOptions } from './checkout.ts';
import { docker, linesOf } from './docker.ts';
import { play } from './story.ts';
import { Tally } from './tally.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, harness: 3 } as const;
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PORTS = 8;

const HELP = `usage: npm run test:secondday -- [--compose-file FILE] [--port N]

Starts five replicas by docker compose in a directory of its own and does to them, under writes, what a second day brings: down
and up, 5 → 2 → 5 twice, up without --scale, another image, kill -9, docker kill, a second checkout's down -v; and takes over the
anonymous volumes of the earlier compose file. After each step every acknowledged write must be on every replica.

  --compose-file FILE   instead of docker-compose.yml: test/secondday/before-slots.yml must fail
  --port N              first of ${3 * PORTS} ports on 127.0.0.1 (default 8440)
  AETHEL_TAG            tag of aethel/node, built where it is not that of this source

Needs a Docker engine with compose on this machine, and root for kill -9. All that it makes is removed, also after Ctrl-C.
Exit: 0 all claims held · 1 one did not · 2 wrong usage · 3 it could not be tried · 128 + signal.`;

process.exit(await main());

async function main(): Promise<number> {
  const args = readArguments();
  if (typeof args === 'string') {
    console.error(`${args}\n\n${HELP}`);
    return EXIT.usage;
  }
  if (args.help) {
    console.log(HELP);
    return EXIT.ok;
  }
  const interrupt = listenForInterrupts();
  const tally = new Tally((line) => console.log(line));
  const parent = mkdtempSync(path.join(tmpdir(), 'aethel-secondday-'));
  const id = randomBytes(3).toString('hex');
  const otherTag = `secondday-${id}`;
  const [name, tag = ''] = NODE_IMAGE.split(':');
  const composeFile = path.join(ROOT, 'docker-compose.yml');
  const checkout = (role: string, place: number, file: string): Checkout => {
    const options: CheckoutOptions = {
      directory: path.join(parent, `secondday-${id}-${role}`),
      repository: ROOT,
      composeFile: file,
      firstPort: args.port + place * PORTS,
      ports: PORTS,
      tag,
    };
    return new Checkout(options);
  };
  const first = checkout('first', 0, args.composeFile ?? composeFile);
  const second = checkout('second', 1, args.composeFile ?? composeFile);
  const old = checkout('old', 2, path.join(ROOT, 'test', 'secondday', 'before-slots.yml'));
  const checkouts = [first, second, old];
  let code: number = EXIT.harness;
  try {
    await ensureNodeImage(await connectEngine(), (line) => console.log(line), interrupt.signal);
    await docker(['tag', NODE_IMAGE, `${name}:${otherTag}`]);
    for (const each of checkouts) await assertOwn(each);
    const takeOver = path.join(ROOT, 'scripts', 'take-over-volumes.sh');
    await play({ first, second, old, composeFile, takeOver, otherTag, tally, signal: interrupt.signal });
    code = tally.failed === 0 ? EXIT.ok : EXIT.failed;
  } catch (error) {
    if (!interrupt.signal.aborted) {
      // A cluster that never stood again is a claim that did not hold, and all further ones with it.
      tally.claim('the story goes on', error instanceof Error ? error.message : String(error));
      code = tally.passed === 0 ? EXIT.harness : EXIT.failed;
    }
  }
  if (interrupt.signal.aborted) code = interrupt.exitCode();
  for (const each of checkouts) await cleanUp(each);
  await docker(['rmi', `${name}:${otherTag}`]).catch(() => undefined);
  rmSync(parent, { recursive: true, force: true });
  console.log(`\n${tally.summary}`);
  return code;
}

/** Nothing is ever done to a project that is not ours, whatever name a compose file gives itself. */
async function assertOwn(checkout: Checkout): Promise<void> {
  const { name } = JSON.parse(await checkout.compose('config', '--format', 'json')) as {
    readonly name: string;
  };
  if (name !== checkout.project)
    throw new Error(`the compose file names its project ${name}, so two checkouts are one`);
}

async function cleanUp(checkout: Checkout): Promise<void> {
  const ours = `label=com.docker.compose.project=${checkout.project}`;
  try {
    const containers = await linesOf(['ps', '-aq', '--filter', ours]);
    if (containers.length > 0) await docker(['rm', '-f', '-v', ...containers]);
    for (const kind of ['network', 'volume']) {
      const left = await linesOf([kind, 'ls', '-q', '--filter', ours]);
      if (left.length > 0) await docker([kind, 'rm', ...left]);
    }
  } catch (error) {
    console.error(`left behind: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Arguments {
  readonly help: boolean;
  readonly composeFile: string | null;
  readonly port: number;
}

/** @returns what is wrong with them, as text */
function readArguments(): Arguments | string {
  try {
    const options = {
      help: { type: 'boolean' },
      'compose-file': { type: 'string' },
      port: { type: 'string' },
    } as const;
    const { values } = parseArgs({ options });
    const port = Number(values.port ?? 8440);
    if (!Number.isInteger(port) || port < 1024 || port > 65_000) return `--port ${values.port} is no port`;
    const file = values['compose-file'];
    return { help: values.help === true, composeFile: file === undefined ? null : path.resolve(file), port };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
