import type { CommandContext } from '../command-context.ts';
import { writeJson, writeLines } from '../output.ts';
import { withNsm } from './with-nsm.ts';

/** `nsm describe`: what the module says about itself. */
export async function describeCommand({ json }: { json?: true }, context: CommandContext): Promise<void> {
  const description = await withNsm(context, (nsm) => nsm.describeNsm({ signal: context.signal }));
  if (json) return writeJson(context, description);
  const { version, moduleId, maxPcrs, lockedPcrs, digest } = description;
  writeLines(context, [
    `module id    ${moduleId}`,
    `version      ${version.major}.${version.minor}.${version.patch}`,
    `PCRs         ${maxPcrs}, ${digest}`,
    `locked PCRs  ${lockedPcrs.join(' ')}`,
  ]);
}
