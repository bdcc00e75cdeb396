/**
 * What scenarios, checkers and faults say, in Portuguese. They speak English; `{}` stands for whatever a run puts there. What
 * is not here is shown as it is.
 */

// oxfmt-ignore
const PHRASES: readonly (readonly [en: string, pt: string])[] = [
  // claims
  ['no acknowledged write is lost', 'nenhuma escrita confirmada se perde'],
  ['equal roots everywhere, containing a write made after the heal', 'raízes iguais em todos os nós, contendo uma escrita feita após a recuperação'],
  ['the root of a node is the root of its entries', 'a raiz de um nó é a raiz de suas entradas'],
  ['sync_mode says what carries data', 'sync_mode diz o que de fato transporta os dados'],
  ['writes cross on the lung that is left', 'as escritas passam pelo pulmão que resta'],
  ['every budget is met', 'todas as metas são cumpridas'],
  ['no node ends by itself', 'nenhum nó termina por si só'],
  ['nodes ended only when they were made to', 'os nós só terminaram quando foram levados a isso'],
  ['{} ended by itself with exit code {}: {}', '{} terminou por si só com código {}: {}'],
  ['{} ended by itself by a signal: {}', '{} terminou por si só por um sinal: {}'],
  ['everything happens within its hard limit', 'tudo acontece dentro de seu limite máximo'],
  ['no node takes back what it has shown or acknowledged', 'nenhum nó volta atrás no que mostrou ou confirmou'],
  ['every node that runs takes reads and writes', 'todo nó em execução aceita leituras e escritas'],
  ['writes that did not know of each other are both kept, with one winner, and told', 'escritas que não sabiam uma da outra são ambas guardadas, com uma vencedora, e informadas'],
  ['who is no member is turned away', 'quem não é membro é recusado'],
  ['the sum of all accounts is the same at every read on every node', 'a soma de todas as contas é a mesma em cada leitura em cada nó'],
  // scenarios
  ['drops the libp2p port of one node: HTTP takes over, data flows both ways, P2P comes back, nothing is lost', 'bloqueia a porta libp2p de um nó: o HTTP assume, os dados fluem nos dois sentidos, o P2P volta, nada se perde'],
  ['drops both ports of one node: it says NONE, takes writes alone, and every conflict that comes of it is told', 'bloqueia as duas portas de um nó: ele diz NONE, aceita escritas sozinho, e todo conflito resultante é informado'],
  ['drops the HTTP port of one node between the nodes: P2P carries on, and nobody changes the mode', 'bloqueia a porta HTTP de um nó entre os nós: o P2P continua, e ninguém muda de modo'],
  ['drops what one node is sent over P2P, not what it sends: HTTP takes over, both ways', 'bloqueia o que um nó recebe por P2P, não o que envia: o HTTP assume, nos dois sentidos'],
  ['splits the nodes into two halves, both lungs: both take writes, and every conflict that comes of it is told', 'divide os nós em duas metades, nos dois pulmões: ambas aceitam escritas, e todo conflito resultante é informado'],
  ['lets every node hear a majority, and no two the same one: writes get round', 'deixa cada nó ouvir uma maioria, nunca a mesma: as escritas chegam a todos'],
  ['resets every P2P connection of one node, and every new one: HTTP takes over', 'derruba toda conexão P2P de um nó, e cada nova: o HTTP assume'],
  ['cuts one node off on P2P and lets it back, seven times: nothing is lost, and it comes to rest', 'corta um nó do P2P e o deixa voltar, sete vezes: nada se perde, e o cluster se estabiliza'],
  ['kills one node with SIGKILL while it writes: the others go on, it comes back and catches up, nothing is lost', 'mata um nó com SIGKILL durante suas escritas: os outros continuam, ele volta e se atualiza, nada se perde'],
  ['kills all nodes but one at once: it says NONE and takes writes; the others start again on what they had', 'mata todos os nós menos um de uma vez: ele diz NONE e aceita escritas; os outros recomeçam com o que tinham'],
  ['cuts one node off on both lungs and kills it: what it acknowledged alone is nowhere else, and is there again', 'isola um nó nos dois pulmões e o mata: o que ele confirmou sozinho não está em nenhum outro lugar, e reaparece'],
  ['stops one node without a word for longer than its peers wait, and lets it go on: it catches up', 'congela um nó por mais tempo do que seus pares esperam e o deixa continuar: ele se atualiza'],
  ['cuts one node off on P2P, and kills it meanwhile: it comes back over HTTP, and then to P2P', 'corta um nó do P2P e o mata nesse meio tempo: ele volta por HTTP e depois ao P2P'],
  ['forces two nodes to HTTP and one to P2P under writes, and gives them the choice back', 'força dois nós ao HTTP e um ao P2P sob escritas, e lhes devolve a escolha'],
  ['fills the disk of one node: it refuses writes or takes them, loses none that it took, and recovers', 'enche o disco de um nó: ele recusa ou aceita escritas, não perde nenhuma que aceitou, e se recupera'],
  ['asks every node, without the key of the cluster, for what is the members’: it is turned away', 'pede a cada nó, sem a chave do cluster, o que é dos membros: é recusado'],
  ['splits the nodes into two halves with one node between them that hears both: writes get across', 'divide os nós em duas metades com um nó entre elas que ouve ambas: as escritas atravessam'],
  ['lets the clock of one node jump two minutes ahead: it owns no key for it, and loses no write', 'adianta o relógio de um nó em dois minutos: ele não se apossa de nenhuma chave e não perde nenhuma escrita'],
  ['takes the name service from one node: what is connected stays connected', 'tira o serviço de nomes de um nó: o que está conectado continua conectado'],
  ['loses a fifth of all packets of two nodes: everything still arrives', 'perde um quinto dos pacotes de dois nós: tudo ainda chega'],
  ['strikes at random, by the seed, for as long as --duration says, under every workload at once', 'ataca ao acaso, pela semente, por quanto --duration disser, sob todas as cargas ao mesmo tempo'],
  // measurements
  ['P2P dropped → sync_mode HTTP', 'P2P bloqueado → sync_mode HTTP'],
  ['{} cut off → sync_mode {}', '{} isolado → sync_mode {}'],
  ['first write carried by HTTP, outward', 'primeira escrita levada por HTTP, saindo do nó'],
  ['first write carried by HTTP, inward', 'primeira escrita levada por HTTP, entrando no nó'],
  ['longest a fresh write stayed unseen', 'maior tempo que uma escrita nova ficou invisível'],
  ['lifted → back to P2P', 'bloqueio desfeito → de volta ao P2P'],
  ['lifted → equal roots with a fresh write', 'bloqueio desfeito → raízes iguais com uma escrita nova'],
  ['healed → P2P everywhere, equal roots with fresh writes', 'falha desfeita → P2P em todos, raízes iguais com escritas novas'],
  ['killed → noticed by all others', 'morto → percebido por todos os outros'],
  ['started → serves', 'iniciado → atende'],
  ['started → equal roots with a fresh write', 'iniciado → raízes iguais com uma escrita nova'],
  // what was seen
  ['{} acknowledged, looked for on {} nodes', '{} confirmadas, procuradas em {} nós'],
  ['root {} on {} nodes, {} fresh writes in it', 'raiz {} em {} nós, com {} escritas novas'],
  ['{} keys, computed again for {} nodes', '{} chaves, recalculadas para {} nós'],
  ['{} changes of status, {} times judged, {} of them not P2P', '{} mudanças de estado, {} vezes julgadas, {} delas fora do P2P'],
  ['{} arrivals across', '{} chegadas através do corte'],
  ['{} of {} met', '{} de {} cumpridas'],
  ['{}; {} too late, on a machine too busy to judge: timers up to {} ms late, the disk held up for up to {} ms', '{}; {} tarde demais, numa máquina ocupada demais para julgar: relógios atrasados em até {} ms, o disco retido por até {} ms'],
  ['longest without reads {} ms, without writes {} ms, on nodes that run', 'maior tempo sem leituras {} ms, sem escritas {} ms, em nós em execução'],
  ['{} conflicts provably made and told, {} resolved for good', '{} conflitos comprovadamente criados e informados, {} resolvidos de vez'],
  ['no two writes to one key were provably apart', 'nenhum par de escritas numa chave era comprovadamente independente'],
  ['{} in all accounts at {} reads, of up to {} transfers', '{} em todas as contas em {} leituras, de até {} transferências'],
  ['{} reads, values up to {}', '{} leituras, valores até {}'],
  ['{} tries', '{} tentativas'],
  ['{} tries, all turned away', '{} tentativas, todas recusadas'],
  ['no wait was in vain', 'nenhuma espera foi em vão'],
  ['the scenario ended there', 'o cenário terminou ali'],
  ['{} at {} ms said {}, though {} carried', '{} aos {} ms disse {}, embora {} transportasse'],
  ['a steady state was never reached', 'o estado estável nunca foi alcançado'],
  ['nothing was healed', 'nada foi desfeito'],
  ['no final read of {}', 'sem leitura final de {}'],
  ['no write was acknowledged', 'nenhuma escrita foi confirmada'],
  ['{} was acknowledged and is not on {}', '{} foi confirmada e não está em {}'],
  ['one of the reads at {} was answered after {} ms, while others were sooner', 'uma das leituras em {} foi respondida após {} ms, enquanto outras foram mais rápidas'],
  ['one of the writes at {} was answered after {} ms, while others were sooner', 'uma das escritas em {} foi respondida após {} ms, enquanto outras foram mais rápidas'],
  ['no reads at {} for {} ms', 'sem leituras em {} por {} ms'],
  ['no writes at {} for {} ms', 'sem escritas em {} por {} ms'],
  ['{} said {} where {} carried for {} ms', '{} disse {} onde {} transportou por {} ms'],
  ['{} lacks {}, written after the heal', '{} não tem {}, escrita após a recuperação'],
  ['{} did not happen within {} s; {}', '{} não aconteceu em {} s; {}'],
  ['unsupported: {}', 'sem suporte aqui: {}'],
  ['{} against it; {}', '{} contra; {}'],
  // evidence
  ['round {}: the cut bites', 'rodada {}: o corte ocorre'],
  ['round {}: the cut is gone', 'rodada {}: o corte foi desfeito'],
  ['every such packet is dropped', 'todo pacote desses é descartado'],
  ['packets were dropped', 'pacotes foram descartados'],
  ['packets pass again', 'os pacotes voltam a passar'],
  ['{} bites', '{} ocorre'],
  ['#{} partition', 'falha {}: partição'],
  ['#{} kill', 'falha {}: morte'],
  ['#{} freeze', 'falha {}: congelamento'],
  ['#{} restart', 'falha {}: reinício'],
  ['#{} disk-full', 'falha {}: disco cheio'],
  ['#{} loss', 'falha {}: perda de pacotes'],
  ['#{} dns', 'falha {}: sem nomes'],
  ['#{} clock', 'falha {}: relógio'],
  ['{} is gone', '{} foi desfeita'],
  ['{}, of the lab\'s probes alone', '{}, só das sondas do laboratório'],
  ['{}: {} chunks came later than they were sent', '{}: {} blocos chegaram mais tarde do que foram enviados'],
  ['{} → {}: first byte after {} ms ({} at least)', '{} → {}: primeiro byte após {} ms (pelo menos {})'],
  ['traffic was kept back ({} chunks, {} dials)', 'tráfego foi retido ({} blocos, {} conexões)'],
  ['{} connections were reset', '{} conexões foram derrubadas'],
  ['the condition stands on {} links and no others', 'a condição vale em {} enlaces e em nenhum outro'],
  ['the condition is gone from every link', 'a condição saiu de todos os enlaces'],
  ['its table is gone from every namespace', 'sua tabela saiu de todos os namespaces'],
  ['{}: the rules are in force as rendered', '{}: as regras vigoram como escritas'],
  ['{}: {} packets were too much', '{}: {} pacotes foram demais'],
  [
    '{}: {} of {} packets lost ({} % wanted, at least {} to tell)',
    '{}: {} de {} pacotes perdidos (desejados {} %, pelo menos {} para dizer)',
  ],
  ['{} and {}: packets stopped ({} + {})', '{} e {}: pacotes barrados ({} + {})'],
  ['before: {}', 'antes: {}'],
  ['during: {}', 'durante: {}'],
  ['after: {}', 'depois: {}'],
  ['all {} probes (every ordered pair, every port) found what they should', 'todas as {} sondas (cada par ordenado, cada porta) acharam o que deviam'],
  ['all {} probes (every ordered pair, every lung) found what they should', 'todas as {} sondas (cada par ordenado, cada pulmão) acharam o que deviam'],
  ['{}: its processes are gone', '{}: seus processos sumiram'],
  ['{}: nobody listens at its port ({})', '{}: ninguém escuta em sua porta ({})'],
  ['{}: its processes are stopped', '{}: seus processos estão parados'],
  ['{}: its port accepts and says nothing ({})', '{}: sua porta aceita e nada diz ({})'],
  ['{} answers again', '{} responde de novo'],
  // faults and marks
  ['p2p cut', 'corte do P2P'],
  ['http cut', 'corte do HTTP'],
  ['both cut', 'corte dos dois'],
  ['kill', 'morto'],
  ['freeze', 'congelado'],
  ['steady', 'estável'],
  ['healed', 'desfeito'],
  ['recovered', 'recuperado'],
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
