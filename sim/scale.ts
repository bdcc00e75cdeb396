/**
 * `npm run sim -- scale`: what a lattice costs at 10, 100, 1,000 and 10,000 nodes, measured in virtual time, with the formula on paper
 * beside every number. It prints the tables of docs/SCALE.md; with `--docs` it also puts them there, and draws docs/scale.svg.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { POLICY_DEFAULTS } from '../node/protocol/mode/policy.ts';
import { renderChart, type Line } from './scale-chart.ts';
import { measure, type Findings, type Trial } from './scale-measure.ts';
import { beatsPerSecond, copiesOfBatch, leastRounds, memberBytes, pollsPerSecond } from './scale-paper.ts';

const HELP = `Usage: npm run sim -- scale [options]

Measures a lattice of 10, 100, 1,000 and 10,000 nodes in virtual time: rounds, messages and bytes per write, and traffic when idle.

  --most N   sizes up to N only (default 10000)
  --docs     puts the tables into docs/SCALE.md and draws docs/scale.svg
  --help

Exit: 0 done, 2 a write was lost or the roots were unlike, 3 bad arguments.`;

const SIZES = [10, 100, 1_000, 10_000] as const;
/** Links of a node in a mesh, the upper end of what gossipsub aims for. */
const DEGREE = 8;
const SEED = 1;
const WRITES = 20;
/** Long enough to see two slow polls of a member; shorter where a virtual second takes long: 10,000 nodes beat 320,000 times in one. */
function idleMs(nodes: number): number {
  return nodes >= 10_000 ? 1_000 : 20_000;
}
/** Until it rests; the largest is measured before, for the same reason. */
function warmUpMs(nodes: number): number {
  return nodes >= 10_000 ? 1_500 : 7_500;
}
const BUSY_MS = 2_000;
/** A shorter window sees no slow poll. */
const POLL_SEEN_MS = 20_000;
/** Everyone linked with everyone: 1,000 nodes would be a million links. */
const ALL_SIZES = [10, 30, 100, 300] as const;
const STRANGERS_MOST = 1_000;

const LOST = 2;
const USAGE = 3;

/** @returns the exit code */
export function scale(args: readonly string[]): number {
  const options = parse(args);
  if (options === null) return USAGE;
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const sizes = SIZES.filter((nodes) => nodes <= options.most);
  const meshes = sizes.map((nodes) => measure(trialOf('mesh', nodes)));
  const alls = ALL_SIZES.filter((nodes) => nodes <= options.most).map((nodes) =>
    measure(trialOf('all', nodes)),
  );
  const strangers = sizes
    .filter((nodes) => nodes <= STRANGERS_MOST)
    .map((nodes) => measure(trialOf('strangers', nodes)));
  const tables = renderTables(meshes, alls, strangers);
  console.log(tables);
  const findings = [...meshes, ...alls, ...strangers];
  console.log(`took ${Math.round(findings.reduce((sum, { tookMs }) => sum + tookMs, 0) / 1_000)} s`);
  if (options.docs) {
    putTables(tables);
    writeFileSync(new URL('../docs/scale.svg', import.meta.url), chartOf(meshes, alls));
  }
  const lost = findings.filter(({ isEverywhere }) => !isEverywhere);
  for (const { trial } of lost)
    console.error(`${trial.nodes} nodes, ${trial.shape}: not every write is everywhere`);
  return lost.length === 0 ? 0 : LOST;
}

// ── what is printed ───────────────────────────────────────────────────────────────────────────────────────────────────

function trialOf(shape: Trial['shape'], nodes: number): Trial {
  return {
    shape,
    nodes,
    degree: DEGREE,
    seed: SEED,
    warmUpMs: warmUpMs(nodes),
    idleMs: idleMs(nodes),
    busyMs: BUSY_MS,
    writes: WRITES,
  };
}

function renderTables(
  meshes: readonly Findings[],
  alls: readonly Findings[],
  strangers: readonly Findings[],
): string {
  return [
    `One write of ${WRITES}, in a mesh in which everyone knows ${DEGREE} others (measured / on paper):`,
    '',
    table(
      ['nodes', 'rounds', 'last node after', 'messages', 'messages per node', 'bytes', 'bytes per node'],
      meshes.map((found) => [
        whole(found.trial.nodes),
        `${one(found.rounds.mean)}, at most ${found.rounds.most} / ≥ ${leastRounds(found.trial.nodes, found.links)}`,
        `${one(found.lastMs)} ms`,
        `${whole(found.write.batches)} / ${whole(copiesOfBatch(found.trial.nodes, found.links))}`,
        one(found.write.batches / found.trial.nodes),
        whole(found.write.bytes),
        whole(found.write.bytes / found.trial.nodes),
      ]),
    ),
    '',
    'Nothing to do, per node and second (measured / on paper):',
    '',
    table(
      ['who knows whom', 'nodes', 'links', 'known over HTTP only', 'heartbeats', 'polls', 'bytes'],
      [...meshes, ...strangers, ...alls].map((found) => [
        SHAPES[found.trial.shape],
        whole(found.trial.nodes),
        one(found.links),
        one(found.strangers),
        `${one(found.idle.beats)} / ${one(beatsPerSecond(found.links, warmUpMs(found.trial.nodes) > POLICY_DEFAULTS.restAfterMs))}`,
        `${found.trial.idleMs < POLL_SEEN_MS ? '–' : one(found.idle.polls)} / ${one(pollsPerSecond(found.links, found.strangers))}`,
        whole(found.idle.bytes),
      ]),
    ),
    '',
    'One write with `w=majority` (what it takes, and what a majority of all is):',
    '',
    table(
      ['who knows whom', 'nodes', 'members asked', 'acks it takes', 'a majority'],
      [...meshes, ...alls].map(({ trial, majority }) => [
        SHAPES[trial.shape],
        whole(trial.nodes),
        whole(majority.asked),
        whole(majority.acks),
        whole(Math.floor(trial.nodes / 2) + 1),
      ]),
    ),
    '',
    'What grows with the members, in bytes of real encodings, when every member has written:',
    '',
    table(
      ['members', 'version vector in a message', 'stored with every commit'],
      SIZES.map((members) => [
        whole(members),
        whole(memberBytes(members).vector),
        whole(memberBytes(members).knowledge),
      ]),
    ),
  ].join('\n');
}

const SHAPES: Readonly<Record<Trial['shape'], string>> = {
  mesh: `${DEGREE} others`,
  strangers: `${DEGREE} others, ${DEGREE} more over HTTP`,
  all: 'everyone',
};

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---:')), ...rows.map(line)].join('\n');
}

function chartOf(meshes: readonly Findings[], alls: readonly Findings[]): string {
  const line = (
    name: string,
    of: readonly Findings[],
    y: (found: Findings) => number,
    isPaper = false,
  ): Line => ({ name, isPaper, points: of.map((found) => ({ x: found.trial.nodes, y: y(found) })) });
  const members: Line = {
    name: 'KB per commit',
    isPaper: true,
    points: SIZES.map((nodes) => ({ x: nodes, y: memberBytes(nodes).knowledge / 1_000 })),
  };
  return renderChart({
    title: 'What a lattice costs as it grows',
    description:
      'Over the number of nodes, both axes logarithmic: rounds grow slowly, messages per node and write and heartbeats are flat, in a mesh and ' +
      'where all are linked; the bytes stored with every commit grow with the members.',
    xName: 'nodes',
    yName: 'measured (dots) and on paper (dashes)',
    lines: [
      line('rounds of a write', meshes, ({ rounds }) => rounds.mean),
      line('', meshes, ({ trial, links }) => leastRounds(trial.nodes, links), true),
      line('messages per node, write', meshes, ({ write, trial }) => write.batches / trial.nodes),
      line('heartbeats/s, mesh', meshes, ({ idle }) => idle.beats),
      line('heartbeats/s, all linked', alls, ({ idle }) => idle.beats),
      members,
    ],
  });
}

/** Between these two lines of docs/SCALE.md. */
const FROM = '<!-- measured: npm run sim -- scale --docs -->';
const TO = '<!-- end of what was measured -->';

function putTables(tables: string): void {
  const file = new URL('../docs/SCALE.md', import.meta.url);
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(FROM);
  const to = text.indexOf(TO);
  if (from < 0 || to < from) throw new Error(`docs/SCALE.md has no place between ${FROM} and ${TO}`);
  writeFileSync(file, `${text.slice(0, from + FROM.length)}\n\n${tables}\n\n${text.slice(to)}`);
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function one(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 });
}

// ── arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function parse(
  args: readonly string[],
): { readonly most: number; readonly docs: boolean; readonly help: boolean } | null {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        most: { type: 'string', default: String(SIZES.at(-1)) },
        docs: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const most = /^\d{1,6}$/.test(values.most) ? Number(values.most) : 0;
    if (most < SIZES[0]) throw new RangeError(`--most is ${SIZES[0]} or more`);
    return { most, docs: values.docs, help: values.help };
  } catch (error) {
    console.error(`sim scale: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}
