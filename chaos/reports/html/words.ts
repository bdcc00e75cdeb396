/** The fixed words of a report in both languages. Both are in the file; the page shows one. */
import { inPortuguese } from '../phrases.ts';
import { html } from './markup.ts';
import type { Markup } from './markup.ts';

/** Markup in one language, and the same in the other one. Inside an SVG, `svgBoth`. */
export function both(en: string | Markup, pt: string | Markup): Markup {
  return html`<span lang="en">${en}</span><span lang="pt-BR">${pt}</span>`;
}

export function svgBoth(en: string, pt: string): Markup {
  return html`<tspan lang="en">${en}</tspan><tspan lang="pt-BR">${pt}</tspan>`;
}

/** What a run says: in the reader's language where we can, as it was said otherwise. */
export function said(text: string): Markup {
  const pt = inPortuguese(text);
  return pt === null ? html`${text}` : both(text, pt);
}

export function svgSaid(text: string): Markup {
  const pt = inPortuguese(text);
  return pt === null ? html`${text}` : svgBoth(text, pt);
}

export const VERDICT_WORDS = {
  pass: both('Pass', 'Aprovado'),
  fail: both('Fail', 'Reprovado'),
  inconclusive: both('Inconclusive', 'Inconclusivo'),
  unsupported: both('Not supported here', 'Sem suporte aqui'),
  error: both('Lab error', 'Erro do laboratório'),
  interrupted: both('Interrupted', 'Interrompido'),
} as const;

export const VERDICT_SENTENCES = {
  pass: both(
    'Every claim held, and every fault is proven to have bitten and to have healed.',
    'Todas as afirmações se sustentaram, e cada falha comprovadamente ocorreu e foi desfeita.',
  ),
  fail: both('At least one claim did not hold.', 'Pelo menos uma afirmação não se sustentou.'),
  inconclusive: both(
    'A fault is not proven to have bitten, or too little was seen. This is not a pass.',
    'Não há prova de que uma falha ocorreu, ou foi visto muito pouco. Isto não é uma aprovação.',
  ),
  unsupported: both(
    'This machine or this world cannot play the scenario; the run proves nothing.',
    'Esta máquina ou este mundo não pode executar o cenário; a execução nada prova.',
  ),
  error: both(
    'The lab itself failed; the run says nothing about the nodes.',
    'O próprio laboratório falhou; a execução nada diz sobre os nós.',
  ),
  interrupted: both('The run was interrupted.', 'A execução foi interrompida.'),
} as const;

export const WORLD_WORDS = {
  containers: both('containers', 'contêineres'),
  processes: both('processes', 'processos'),
  simulated: both('simulated nodes', 'nós simulados'),
} as const;

export const CHECK_WORDS = {
  pass: both('held', 'sustentou-se'),
  fail: both('broken', 'violada'),
  unknown: both('unknown', 'desconhecido'),
} as const;

export function milliseconds(ms: number | null): string {
  return ms === null ? '–' : `${Math.round(ms)} ms`;
}
