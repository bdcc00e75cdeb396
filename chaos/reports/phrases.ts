/**
 * What scenarios, checkers and faults say, in Portuguese. They speak English; `{}` stands for whatever a run puts there. What
 * is not here is shown as it is.
 */

const PHRASES: readonly (readonly [en: string, pt: string])[] = [
  // claims
  ['no acknowledged write is lost', 'nenhuma escrita confirmada se perde'],
  [
    'equal roots everywhere, containing a write made after the heal',
    'raízes iguais em todos os nós, contendo uma escrita feita após a recuperação',
  ],
  ['sync_mode says what carries data', 'sync_mode diz o que de fato transporta os dados'],
  [
    'writes on both sides reach all while P2P is cut',
    'escritas dos dois lados chegam a todos enquanto o P2P está cortado',
  ],
  ['everything happens within its hard limit', 'tudo acontece dentro de seu limite máximo'],
  // scenarios
  [
    'drops the libp2p port of one node: HTTP takes over, data flows both ways, P2P comes back, nothing is lost',
    'bloqueia a porta libp2p de um nó: o HTTP assume, os dados fluem nos dois sentidos, o P2P volta, nada se perde',
  ],
  [
    'kills one node with SIGKILL while it writes: the others go on, it comes back and catches up, nothing is lost',
    'mata um nó com SIGKILL durante suas escritas: os outros continuam, ele volta e se atualiza, nada se perde',
  ],
  // measurements
  ['P2P dropped → sync_mode HTTP', 'P2P bloqueado → sync_mode HTTP'],
  ['first write carried by HTTP, outward', 'primeira escrita levada por HTTP, saindo do nó'],
  ['first write carried by HTTP, inward', 'primeira escrita levada por HTTP, entrando no nó'],
  ['longest a fresh write stayed unseen', 'maior tempo que uma escrita nova ficou invisível'],
  ['lifted → back to P2P', 'bloqueio desfeito → de volta ao P2P'],
  ['lifted → equal roots with a fresh write', 'bloqueio desfeito → raízes iguais com uma escrita nova'],
  ['killed → noticed by all others', 'morto → percebido por todos os outros'],
  ['started → answers', 'iniciado → responde'],
  ['started → equal roots with a fresh write', 'iniciado → raízes iguais com uma escrita nova'],
  // what was seen
  ['{} acknowledged, looked for on {} nodes', '{} confirmadas, procuradas em {} nós'],
  ['root {} on {} nodes, {} fresh writes in it', 'raiz {} em {} nós, com {} escritas novas'],
  ['{} changes of status, {} cut', '{} mudanças de estado, {} corte'],
  ['{} changes of status, {} cuts', '{} mudanças de estado, {} cortes'],
  ['{} arrivals from the cut node, {} at it', '{} chegadas do nó cortado, {} nele'],
  ['{} was acknowledged and is not on {}', '{} foi confirmada e não está em {}'],
  ['no wait was in vain', 'nenhuma espera foi em vão'],
  ['a steady state was never reached', 'o estado estável nunca foi alcançado'],
  ['{} against it; {}', '{} contra; {}'],
  // evidence
  ['round {}: the cut bites', 'rodada {}: o corte ocorre'],
  ['round {}: the cut is gone', 'rodada {}: o corte foi desfeito'],
  ['every such link of the node is silent', 'todo enlace desse tipo do nó está mudo'],
  ['traffic was kept back', 'tráfego foi retido'],
  ['no other link is touched', 'nenhum outro enlace foi afetado'],
  ['new connections pass again', 'novas conexões voltam a passar'],
  // faults and marks
  ['P2P cut', 'corte do P2P'],
  ['killed', 'morto'],
  ['steady', 'estável'],
  // a claim and what was seen; last, since it fits much
  ['{}: {}', '{}: {}'],
];

interface Pattern {
  readonly expression: RegExp;
  readonly pt: string;
}

const EXACT = new Map(PHRASES.filter(([en]) => !en.includes('{}')));
const PATTERNS: readonly Pattern[] = PHRASES.filter(([en]) => en.includes('{}')).map(([en, pt]) => ({
  expression: new RegExp(`^${en.split('{}').map(literally).join('(.+?)')}$`, 's'),
  pt,
}));

/** @returns null where nobody has put it in Portuguese */
export function inPortuguese(text: string): string | null {
  const exact = EXACT.get(text);
  if (exact !== undefined) return exact;
  for (const { expression, pt } of PATTERNS) {
    const found = expression.exec(text);
    if (found === null) continue;
    let i = 0;
    return pt.replaceAll('{}', () => {
      i += 1;
      const part = found[i] ?? '';
      return inPortuguese(part) ?? part;
    });
  }
  return null;
}

function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
