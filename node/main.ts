/**
 * The process: environment → config → listen → load and compose → start; signals → drain → stop; exit codes by kind of failure.
 * It listens before it loads, so that whoever asks hears at once that it lives and serves nothing yet.
 *
 *   0 stopped as asked   1 crashed   2 configuration, or too few file descriptors   3 store or identity   4 HTTP port   130 stopped by a second signal
 */
import { handleSignals } from './signals.ts';
import './quick-ticks.ts';
import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { parseArgs } from 'node:util';
import { connectionsFor, shortOfDescriptors } from './descriptors.ts';
import { endProcess } from './end-process.ts';
import type { Config } from './config.ts';
import { inTurn, loadCompose } from './load.ts';
import { planReload } from './reload.ts';

enableCompileCache();

const EXIT = { ok: 0, crash: 1, config: 2, store: 3, listen: 4, interrupted: 130 } as const;

const HELP = `Usage: node node/main.ts [command]

  (none)               start a node, configured by AETHEL_… in the environment and the .env file
  keygen --out FILE    write a random cluster key into FILE; does nothing when FILE has a key already
  config check         say what a node would start with here, secrets by their size only, and what is wrong or
                       doubtful; --json for programs; 0: it would start, 2: it would not
  --help

Exit: 0 stopped as asked, 1 crashed, 2 configuration, 3 store or identity, 4 HTTP port taken.
The settings are in docs/OPERATIONS.md.`;

async function main(): Promise<void> {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments();
  } catch (error) {
    return fail(EXIT.config, messageOf(error));
  }
  if (given.values.help === true) return console.log(HELP);
  const [command, ...rest] = given.positionals;
  const isCheck = command === 'config' && rest.length === 1 && rest[0] === 'check';
  if (given.values.json === true && !isCheck)
    return fail(EXIT.config, '--json is for config check, see --help');
  if (isCheck) return configCheck(given.values.json === true);
  if (command === 'config') return fail(EXIT.config, 'config is followed by check, see --help');
  if (rest.length > 0) return fail(EXIT.config, `unexpected argument ${rest[0]}, see --help`);
  switch (command) {
    case undefined:
      return runNode();
    case 'keygen':
      return keygen(given.values.out);
    default:
      return fail(EXIT.config, `unknown command ${command}, see --help`);
  }
}

function readArguments() {
  const options = { help: { type: 'boolean' }, out: { type: 'string' }, json: { type: 'boolean' } } as const;
  return parseArgs({ allowPositionals: true, options });
}

async function keygen(out: string | undefined): Promise<void> {
  if (out === undefined || out === '') return fail(EXIT.config, 'keygen needs --out FILE');
  const { makeKeyFile } = await import('./keygen.ts');
  try {
    const outcome = makeKeyFile(out);
    console.log(
      outcome === 'made' ? `wrote a new cluster key to ${out}` : `${out} exists and stays as it is`,
    );
  } catch (error) {
    fail(EXIT.store, messageOf(error));
  }
}

async function configCheck(isJson: boolean): Promise<void> {
  const { inspectConfig } = await import('./config.ts');
  const { checkConfig } = await import('./config/check.ts');
  const report = checkConfig(
    inspectConfig(process.env, (path) => readFileSync(path)),
    isJson,
  );
  console.log(report.text);
  process.exitCode = report.isFine ? EXIT.ok : EXIT.config;
}

async function runNode(): Promise<void> {
  const short = shortOfDescriptors();
  if (short !== null) return fail(EXIT.config, short);
  const { ConfigError, lineOf, loadConfig } = await import('./config.ts');
  const readConfig = (): Config => loadConfig(process.env, (path) => readFileSync(path));
  let config: Config;
  try {
    config = readConfig();
  } catch (error) {
    if (error instanceof ConfigError) return fail(EXIT.config, error.message);
    throw error;
  }
  const { file } = config.log;
  const { prepareLogFile } = await import('./config/log-file.ts');
  const logProblem = file === null ? null : prepareLogFile(file);
  if (logProblem !== null) return fail(EXIT.config, `AETHEL_LOG_FILE: ${logProblem}`);
  // A parent that started us with a channel (the lab, the demo) may die; whoever listens for that keeps the process.
  const endEarly = (): void => endProcess(EXIT.ok);
  process.on('disconnect', endEarly);

  const { HttpServer } = await import('./http/server.ts');
  const server = new HttpServer({ ...config.http, connectionsMax: connectionsFor() });
  const refusal = await server.listen().then(() => null, messageOf);

  const { createLogger } = await inTurn(() => import('./observe/logger.ts'));
  const { guardOutput } = await import('./observe/guard-output.ts');
  const logger = createLogger({ ...config.log, node: config.nodeName });
  process.on('exit', () => logger.flush());
  guardOutput(logger);
  server.onRefused = (error, connections) =>
    logger.warn('Connections cannot be accepted', { tag: 'STARTUP', error: error.message, connections });
  logger.info('Aethel Lattice node', { tag: 'STARTUP', node: config.nodeName, env_file: config.envFile });
  const warn = (): void => {
    for (const warning of config.warnings) logger.warn(lineOf(warning), { tag: 'STARTUP' });
  };
  warn();

  if (refusal !== null) {
    const { host, port } = config.http;
    return failLater(EXIT.listen, `cannot listen for HTTP on ${host}:${port}: ${refusal}`);
  }

  const { composeNode } = await loadCompose();
  let node: Awaited<ReturnType<typeof composeNode>>;
  try {
    node = await composeNode(config, logger, server, () => config.api.token);
  } catch (error) {
    return failLater(EXIT.store, messageOf(error));
  }

  let isStopping = false;
  const stop = async (code: number, why: string): Promise<void> => {
    if (isStopping) end(EXIT.interrupted);
    isStopping = true;
    logger.info(`Shutdown: ${why}`, { tag: 'STARTUP' });
    const lateness = setTimeout(() => end(EXIT.crash), STOP_MAX_MS);
    lateness.unref();
    await node.stop();
    await logger.close();
    end(code);
  };
  const crash = (error: unknown): void => {
    logger.error('crashed', { tag: 'STARTUP', error: error instanceof Error ? error.stack : String(error) });
    // Whatever state we are in, only what is durable counts: go down at once, as after SIGKILL.
    setTimeout(() => end(EXIT.crash), FLUSH_MS);
  };
  const reload = (): void => {
    try {
      const { config: next, changed, needRestart } = planReload(config, readConfig());
      config = next;
      logger.reload(config.log);
      logger.info('Reloaded', { tag: 'STARTUP', changed });
      warn();
      if (needRestart.length > 0)
        logger.warn('Settings that were changed need a restart', { tag: 'STARTUP', settings: needRestart });
    } catch (error) {
      logger.reload(config.log);
      logger.error('Reload failed, the old settings stay', { tag: 'STARTUP', reason: messageOf(error) });
    }
  };
  process.off('disconnect', endEarly);
  handleSignals({
    stop: (signal) => void stop(EXIT.ok, signal),
    reload,
    ignored: (signal) => logger.info(`${signal} is ignored`, { tag: 'STARTUP' }),
  });
  process.on('disconnect', () => void stop(EXIT.ok, 'the parent is gone'));
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);

  await node.start();

  async function failLater(code: number, message: string): Promise<void> {
    logger.error(message, { tag: 'STARTUP' });
    await logger.close();
    end(code);
  }

  function end(code: number): never {
    logger.flush();
    return endProcess(code);
  }
}

/** The contract is five seconds from SIGTERM. */
const STOP_MAX_MS = 4_800;
const FLUSH_MS = 50;

function fail(code: number, message: string): void {
  console.error(`aethel: ${message}`);
  process.exitCode = code;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

await main();
