import type { CommandContext } from '../command-context.ts';
import { writeJson, writeLines } from '../output.ts';
import { withNsm } from './with-nsm.ts';

/** How random bytes can be printed. */
export const RANDOM_ENCODINGS = ['hex', 'base64', 'raw'] as const;

/** Options of `nsm random`. */
export interface RandomFlags {
  readonly encoding: (typeof RANDOM_ENCODINGS)[number];
  readonly json?: true;
}

/** `nsm random`: random bytes of the module. JSON has them in hexadecimal unless base64 is asked for. */
export async function randomCommand(length: number, flags: RandomFlags, context: CommandContext): Promise<void> {
  const { encoding, json } = flags;
  const random = await withNsm(context, (nsm) => nsm.getRandom(length, { signal: context.signal }));
  if (encoding === 'raw' && !json) {
    context.stdout.write(random);
    return;
  }
  const text = Buffer.from(random).toString(encoding === 'base64' ? 'base64' : 'hex');
  if (json) writeJson(context, { random: text });
  else writeLines(context, [text]);
}
