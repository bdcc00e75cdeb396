/** `npm run sim`: runs seeds in virtual time, says which fail and how to see it again. */
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HELP, parseCommand, type Command } from './cli.ts';
import { draw } from './draw.ts';
import { run, type RunReport, type Verdict } from './run.ts';
import { describeStep, type Schedule } from './schedule.ts';
import { readSchedule, writeSchedule } from './schedule-file.ts';
import { scale } from './scale.ts';
import { shrink } from './shrink.ts';
import { swarm, type SeedResult } from './swarm.ts';

const EXIT: Readonly<Record<Verdict, number>> = { pass: 0, liveness: 1, safety: 2, broken: 4 };
const USAGE = 3;
const INTERRUPTED = 130;
const PROGRESS_EVERY_MS = 5_000;

async function main(): Promise<number> {
  const [name, ...rest] = process.argv.slice(2);
  if (name === 'scale') return scale(rest);
  const command = parseCommand(process.argv.slice(2));
  if (typeof command === 'string') return usage(command);
  switch (command.do) {
    case 'help':
      console.log(HELP);
      return 0;
    case 'run':
      return runOne(command);
    case 'shrink':
      return shrinkOne(command);
    case 'swarm':
      return runMany(command);
  }
}

/** Smaller worlds take seconds. */
const TOLD_FROM_NODES = 100;

function runOne(command: Command & { readonly do: 'run' }): number {
  const schedule = scheduleOf(command);
  if (typeof schedule === 'string') return usage(schedule);
  if (command.save !== null && !save(command.save, schedule)) return USAGE;
  if (command.print) printSchedule(schedule);
  const { nodes, faultsMs } = schedule.options;
  const seconds = (ms: number): number => Math.round(ms / 1_000);
  const tell = (doneMs: number): void =>
    console.error(`… ${seconds(doneMs)} of ${seconds(faultsMs)} virtual seconds`);
  const report = run(schedule, nodes >= TOLD_FROM_NODES ? { onProgress: tell } : {});
  if (command.json) console.log(JSON.stringify(report, null, 2));
  else printReport(report, schedule);
  if (report.verdict !== 'pass' && !command.json) {
    const what =
      command.schedule === null
        ? `--seed ${schedule.seed}${command.again}`
        : `--schedule ${command.schedule}`;
    console.log(`  replay: npm run sim -- ${what}`);
    const which =
      command.schedule === null ? `${schedule.seed}${command.again}` : `--schedule ${command.schedule}`;
    console.log(`  shrink: npm run sim -- shrink ${which}`);
  }
  return EXIT[report.verdict];
}

function shrinkOne(command: Command & { readonly do: 'shrink' }): number {
  const schedule = scheduleOf(command);
  if (typeof schedule === 'string') return usage(schedule);
  let saidAt = performance.now();
  const shrunk = shrink(schedule, run, command, (smallest, runs) => {
    if (performance.now() - saidAt < PROGRESS_EVERY_MS) return;
    saidAt = performance.now();
    console.log(`${runs} runs, ${smallest.steps.length} steps and ${smallest.options.nodes} nodes left`);
  });
  if (shrunk === null) {
    console.log(`seed ${schedule.seed} passes: there is nothing to shrink`);
    return 0;
  }
  const file = command.save ?? join(tmpdir(), `sim-${schedule.seed}.json`);
  if (!save(file, shrunk.schedule)) return USAGE;
  printSchedule(shrunk.schedule);
  printReport(shrunk.report, shrunk.schedule);
  console.log(
    `  from ${schedule.steps.length} to ${shrunk.schedule.steps.length} steps in ${shrunk.runs} runs`,
  );
  console.log(`  replay: npm run sim -- --schedule ${file}`);
  return EXIT[shrunk.report.verdict];
}

async function runMany(command: Command & { readonly do: 'swarm' }): Promise<number> {
  const startedAt = performance.now();
  let saidAt = startedAt;
  let failed = 0;
  let ran = 0;
  // A single run blocks this thread, and Ctrl-C ends it as it ends any process; here there is something to say first.
  process.once('SIGINT', () => {
    console.log(`interrupted: ${ran} of ${command.seeds} seeds, ${failed} failed`);
    process.exit(INTERRUPTED);
  });
  const {
    tookS,
    results,
    failed: failures,
  } = await swarm(command, (result, done) => {
    ran = done;
    if (result.verdict !== 'pass') {
      failed += 1;
      printFailure(result, command.again);
    }
    const now = performance.now();
    if (now - saidAt < PROGRESS_EVERY_MS) return;
    saidAt = now;
    const perMinute = Math.round((done * 60_000) / (now - startedAt));
    console.log(`${done}/${command.seeds} seeds, ${failed} failed, ${perMinute} seeds/min`);
  });
  const { user, system } = process.cpuUsage();
  const cpuS = (user + system) / 1e6;
  const passed = results.length - failures.length;
  const perMinute = Math.round((results.length * 60) / tookS);
  const events = results.reduce((sum, one) => sum + one.events, 0);
  console.log(
    `${passed} passed, ${failures.length} failed; ${tookS.toFixed(1)} s, ${perMinute} seeds/min, ${cpuS.toFixed(1)} s of CPU, ` +
      `${Math.round(events / 1_000)} thousand events, ${command.jobs} threads`,
  );
  return Math.max(0, ...failures.map(({ verdict }) => EXIT[verdict]));
}

function scheduleOf(command: Command & { readonly do: 'run' | 'shrink' }): Schedule | string {
  if (command.schedule === null) return draw(command.seed, command.wishes);
  let text: string;
  try {
    text = readFileSync(command.schedule, 'utf8');
  } catch (error) {
    return `${command.schedule} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  const schedule = readSchedule(text);
  return typeof schedule === 'string' ? `${command.schedule} is no schedule: ${schedule}` : schedule;
}

function save(file: string, schedule: Schedule): boolean {
  try {
    writeFileSync(file, writeSchedule(schedule));
    return true;
  } catch (error) {
    usage(`${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

function printSchedule({ seed, options, steps }: Schedule): void {
  const { nodes, faultsMs, core, others, quality, degree, wire, knobs } = options;
  console.log(`schedule of seed ${seed}: ${nodes} nodes, ${faultsMs / 1_000} s, ${steps.length} steps`);
  console.log(`  core ${core.join(' ')}, others ${others}, wire ${wire}, degree ${JSON.stringify(degree)}`);
  console.log(`  quality ${JSON.stringify(quality)} knobs ${JSON.stringify(knobs)}`);
  for (const step of steps) console.log(describeStep(step));
}

function printReport(report: RunReport, { options, steps }: Schedule): void {
  const { stats } = report;
  console.log(`seed ${report.seed}: ${report.verdict === 'pass' ? 'pass' : `FAIL (${report.verdict})`}`);
  for (const { promise, at, text } of report.violations)
    console.log(`  ${promise ?? 'broken'} at ${Math.round(at)} ms: ${text}`);
  console.log(
    `  ${options.nodes} nodes, ${Math.round(report.tookMs / 1_000)} virtual s, ${steps.length} steps, ` +
      `${stats.writes} writes, ${report.acknowledged} facts acknowledged`,
  );
  const core = report.coreConvergedMs === null ? 'never' : `${report.coreConvergedMs} ms`;
  const all = report.convergedMs === null ? 'never' : `${report.convergedMs} ms`;
  console.log(
    `  converged after the heal: the core ${core}, all ${all} (${stats.healSessions} sessions, ${stats.healBytes} bytes)`,
  );
  console.log(
    `  gossip: ${stats.batches} batches, ${stats.messagesPerWrite.toFixed(1)} messages per write, last hop p50 ${stats.lastHop.p50} ` +
      `p99 ${stats.lastHop.p99} max ${stats.lastHop.max}, last delivery p50 ${stats.lastDeliveryMs.p50.toFixed(1)} p99 ${stats.lastDeliveryMs.p99.toFixed(1)} ms`,
  );
  console.log(`  anti-entropy: ${stats.sessions} sessions, ${stats.roundTrips} round trips`);
  const kinds = Object.entries(stats.messages).map(
    ([kind, { messages, bytes }]) => `${kind} ${messages} (${bytes} B)`,
  );
  console.log(`  carried: ${kinds.join(', ')}`);
  console.log(`  ${report.events} events, trace ${report.traceHash}`);
}

function printFailure({ seed, verdict, promise, text }: SeedResult, again: string): void {
  console.log(
    `seed ${seed}: FAIL (${verdict}) ${promise ?? ''} ${(text ?? '').split('\n').slice(0, 3).join(' | ')}`,
  );
  console.log(`  replay: npm run sim -- --seed ${seed}${again}`);
}

function usage(problem: string): number {
  console.error(`sim: ${problem}`);
  return USAGE;
}

process.exitCode = await main();
