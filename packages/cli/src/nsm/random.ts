import type { CommandContext } from '../command-context.ts';
import { writeLines } from '../output.ts';
import { withNsm } from './with-nsm.ts';

/** How random bytes can be printed. */
export const RANDOM_ENCODINGS = ['hex', 'base64', 'raw'] as const;

/** Options of `nsm random`. */
export interface RandomFlags {
  readonly encoding: (typeof RANDOM_ENCODINGS)[number];
}

/** `nsm random`: random bytes of the module. */
export async function randomCommand(length: number, { encoding }: RandomFlags, context: CommandContext): Promise<void> {
  const random = await withNsm(context, (nsm) => nsm.getRandom(length, { signal: context.signal }));
  if (encoding === 'raw') context.stdout.write(random);
  else writeLines(context, [Buffer.from(random).toString(encoding)]);
}
