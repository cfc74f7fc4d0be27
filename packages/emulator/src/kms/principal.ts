import { parseArn } from './arn.ts';
import { EmulatedKmsError } from './error.ts';

/** Who makes a request, as policies see it. */
export interface Principal {
  readonly type: 'Account' | 'User' | 'AssumedRole' | 'FederatedUser';
  /** What `userIdentity.arn` of an audit record shows: the session's ARN for an assumed role. */
  readonly arn: string;
  /** What `aws:PrincipalArn` holds: the role's ARN for a session. */
  readonly principalArn: string;
  readonly accountId: string;
  /** `arn:aws:iam::111122223333:root` of its account. */
  readonly accountArn: string;
  /** Name of the user, or of the role's session; `null` for an account. */
  readonly name: string | null;
}

function refuse(arn: string): never {
  throw new EmulatedKmsError(
    'KMS_PRINCIPAL',
    `expected the ARN of an account (root), user, role, assumed role or federated user, found ${JSON.stringify(arn.slice(0, 128))}`,
  );
}

/** A role named without a session gets one, since nobody acts as a role but through one. */
const DEFAULT_SESSION = 'emulator';

/**
 * The principal of an ARN: `…:root`, `…:user/…`, `…:role/…` (through a session named `emulator`),
 * `…:assumed-role/ROLE/SESSION` or `…:federated-user/…`.
 * @param roleArn the role of an assumed-role session, where its path is not `/`: the session's ARN does not tell.
 * @throws {EmulatedKmsError} `KMS_PRINCIPAL`
 */
export function principalOf(arn: string, roleArn?: string): Principal {
  const parts = parseArn(arn);
  if (parts === null || !/^\d{12}$/.test(parts.accountId)) return refuse(arn);
  const { partition, accountId, service, resource } = parts;
  const base = { accountId, accountArn: `arn:${partition}:iam::${accountId}:root` };
  const [kind, ...path] = resource.split('/');
  const name = path.at(-1) ?? null;
  const isUnderIam = service === 'iam';
  if (isUnderIam && resource === 'root') return { ...base, type: 'Account', arn, principalArn: arn, name };
  if (!name) return refuse(arn);
  if (isUnderIam && kind === 'user') return { ...base, type: 'User', arn, principalArn: arn, name };
  if (isUnderIam && kind === 'role') {
    const session = `arn:${partition}:sts::${accountId}:assumed-role/${name}/${DEFAULT_SESSION}`;
    return { ...base, type: 'AssumedRole', arn: session, principalArn: arn, name: DEFAULT_SESSION };
  }
  if (service !== 'sts') return refuse(arn);
  if (kind === 'federated-user') return { ...base, type: 'FederatedUser', arn, principalArn: arn, name };
  if (kind !== 'assumed-role' || path.length !== 2) return refuse(arn);
  const principalArn = roleArn ?? `arn:${partition}:iam::${accountId}:role/${path[0]}`;
  return { ...base, type: 'AssumedRole', arn, principalArn, name };
}
