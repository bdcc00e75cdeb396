/** The demo's command line: pure, so that every mistake in it can be tested. */
import { parseArgs } from 'node:util';
import { languageOf } from '../../dashboard/words.ts';
import type { Language } from '../../dashboard/words.ts';

const CLUSTERS = ['processes', 'containers', 'compose'] as const;
type DemoCluster = (typeof CLUSTERS)[number];

export type DemoArgs =
  | {
      readonly kind: 'run';
      /** the control room on a page, or the story in the terminal; `once`: which ends after the verdict */
      readonly show: 'page' | 'terminal' | 'once';
      /** whose nodes: processes and containers are started here, those of docker compose are there already */
      readonly cluster: DemoCluster;
      readonly nodes: number;
      /** of the page; null: the usual one, or the next one that is free */
      readonly port: number | null;
      readonly language: Language;
    }
  | { readonly kind: 'help'; readonly language: Language }
  | { readonly kind: 'mistake'; readonly language: Language; readonly message: string };

/** One node loses a lung, another its life, and a third must be left to talk to. */
const NODES_MIN = 3;
/** A node takes about 120 MB and a share of two cores. */
const NODES_MAX = 10;
const NODES_DEFAULT = 5;
const PORT_MAX = 65_535;

export function parseDemoArgs(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): DemoArgs {
  const spoken = languageOf(
    [env['LC_ALL'], env['LC_MESSAGES'], env['LANG']].find((name) => name !== undefined && name !== ''),
  );
  const mistake = (message: string, language = spoken): DemoArgs => ({ kind: 'mistake', language, message });
  let values: {
    once?: boolean;
    terminal?: boolean;
    help?: boolean;
    nodes?: string;
    port?: string;
    cluster?: string;
    lang?: string;
  };
  try {
    ({ values } = parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }));
  } catch (error) {
    return mistake(error instanceof Error ? error.message : String(error));
  }
  const { lang, nodes = String(NODES_DEFAULT) } = values;
  if (lang !== undefined && lang !== 'en' && lang !== 'pt') return mistake(`--lang ${lang}: en | pt`);
  const language = lang ?? spoken;
  if (values.help === true) return { kind: 'help', language };
  const count = /^[0-9]{1,3}$/.test(nodes) ? Number(nodes) : Number.NaN;
  if (!(count >= NODES_MIN && count <= NODES_MAX))
    return mistake(`--nodes ${nodes}: ${NODES_MIN}–${NODES_MAX}`, language);
  const port =
    values.port === undefined ? null : Number(/^[0-9]{1,5}$/.test(values.port) ? values.port : 'NaN');
  if (port !== null && !(port <= PORT_MAX)) return mistake(`--port ${values.port}: 0–${PORT_MAX}`, language);
  const cluster = CLUSTERS.find((name) => name === (values.cluster ?? 'processes'));
  if (cluster === undefined) return mistake(`--cluster ${values.cluster}: ${CLUSTERS.join(' | ')}`, language);
  const show = values.once === true ? 'once' : values.terminal === true ? 'terminal' : 'page';
  return { kind: 'run', show, cluster, nodes: count, port, language };
}

const OPTIONS = {
  once: { type: 'boolean' },
  terminal: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  nodes: { type: 'string' },
  port: { type: 'string' },
  cluster: { type: 'string' },
  lang: { type: 'string' },
} as const;
