import { writeFile } from 'node:fs/promises';
import type { CommandContext } from '../command-context.ts';
import { pathOf, writeJson, writeLines } from '../output.ts';
import { withNsm } from './with-nsm.ts';

/** Options of `nsm attest`. */
export interface AttestFlags {
  readonly publicKey?: Uint8Array;
  readonly userData?: Uint8Array;
  readonly nonce?: Uint8Array;
  readonly output?: string;
  readonly json?: true;
}

/** `nsm attest`: a fresh attestation document, as base64 or in a file. */
export async function attestCommand({ output, json, ...fields }: AttestFlags, context: CommandContext): Promise<void> {
  const { signal } = context;
  const document = await withNsm(context, (nsm) => nsm.attestation({ ...fields, signal }));
  if (output !== undefined) {
    await writeFile(pathOf(context, output), document);
    context.stderr.write(`${document.length} bytes written to ${output}\n`);
  }
  const base64 = Buffer.from(document).toString('base64');
  if (json) writeJson(context, { document: base64 });
  else if (output === undefined) writeLines(context, [base64]);
}
