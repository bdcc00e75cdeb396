/** The demo's command line: pure, so that every mistake in it can be tested. */
import { parseArgs } from 'node:util';
import { languageOf } from '../../dashboard/words.ts';
import type { Language } from '../../dashboard/words.ts';

export type DemoArgs =
  | { readonly kind: 'run'; readonly once: boolean; readonly nodes: number; readonly language: Language }
  | { readonly kind: 'help'; readonly language: Language }
  | { readonly kind: 'mistake'; readonly language: Language; readonly message: string };

/** One node loses a lung, another its life, and a third must be left to talk to. */
const NODES_MIN = 3;
/** A node takes about 120 MB and a share of two cores. */
const NODES_MAX = 10;
const NODES_DEFAULT = 5;

export function parseDemoArgs(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): DemoArgs {
  const spoken = languageOf(
    [env['LC_ALL'], env['LC_MESSAGES'], env['LANG']].find((name) => name !== undefined && name !== ''),
  );
  const mistake = (message: string, language = spoken): DemoArgs => ({ kind: 'mistake', language, message });
  let values: { once?: boolean; help?: boolean; nodes?: string; lang?: string };
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
  return { kind: 'run', once: values.once === true, nodes: count, language };
}

const OPTIONS = {
  once: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  nodes: { type: 'string' },
  lang: { type: 'string' },
} as const;
