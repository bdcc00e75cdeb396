/**
 * What the page may ask of the lab. The server checks every request against these schemas; the page takes only the types.
 */
import { z } from 'zod';
import { Key } from '../../node/http/schemas.ts';

const node = z.string().min(1).max(64);
const lung = z.enum(['p2p', 'http', 'both']);
const nodes = z.array(node).min(1).max(100);

export const Command = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('cut'), nodes, lung }),
  z.strictObject({ do: z.literal('partition'), groups: z.tuple([nodes, nodes]), lung }),
  z.strictObject({ do: z.literal('kill'), node }),
  z.strictObject({ do: z.literal('freeze'), node }),
  /** a killed node is started, a frozen one thawed, a running one killed and started */
  z.strictObject({ do: z.literal('restart'), node }),
  z.strictObject({ do: z.literal('heal'), fault: z.number().int().positive() }),
  z.strictObject({ do: z.literal('heal-all') }),
  z.strictObject({ do: z.literal('write'), node, key: Key, value: z.string().max(1000) }),
  z.strictObject({ do: z.literal('conflict') }),
  /** one more write that knows both siblings and replaces them */
  z.strictObject({ do: z.literal('settle') }),
  z.strictObject({ do: z.literal('tour') }),
  z.strictObject({ do: z.literal('stop-tour') }),
]);
export type Command = z.infer<typeof Command>;

/** In every request that changes something: a page of another site can neither read it nor send it. */
export const TOKEN_HEADER = 'x-aethel-room-token';
