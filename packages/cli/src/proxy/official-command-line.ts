import type { AllowEntry, ProxyConfig } from '@nitro-enclaves/parent';
import { AllowList, ProxyError, parseServiceConfig } from '@nitro-enclaves/parent';

/** What AWS's `vsock-proxy` takes on its command line. */
export interface OfficialArguments {
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly family: 4 | 6 | undefined;
}

/** AWS's rule: the allow-list is asked at the start, not only when the first enclave connects. */
function expectAllowed(
  { remoteAddress, remotePort }: OfficialArguments,
  allowList: readonly AllowEntry[],
  file: string,
): void {
  if (new AllowList(allowList).lists({ host: remoteAddress, port: remotePort })) return;
  throw new ProxyError(
    'CONFIG_INVALID',
    `expected ${remoteAddress} port ${remotePort} on the allow-list of ${file}, found it not there`,
  );
}

/** The one route of the official command line, with the allow-list of the official file. */
export function officialProxy(args: OfficialArguments, text: string, file: string): ProxyConfig {
  const { allowList } = parseServiceConfig(text, file).proxy;
  expectAllowed(args, allowList, file);
  const { localPort, remoteAddress, remotePort, family } = args;
  const to = { kind: 'tcp', host: remoteAddress, port: remotePort } as const;
  const route = {
    direction: 'egress',
    name: `${remoteAddress}:${remotePort}`,
    vsockPort: localPort,
    to,
    allow: [],
    cids: undefined,
  } as const;
  return { routes: [route], allowList, family };
}
