import type { Principal } from '../principal.ts';
import type { ConditionOutcome } from './condition.ts';
import { evaluateCondition } from './condition.ts';
import type { Matcher, Policy, PrincipalMatcher, Statement } from './document.ts';
import type { ConditionContext } from './pattern.ts';
import { compilePattern, matchesGlob, matchesPattern } from './pattern.ts';

/** What is to be decided: may `principal` do `action` to `resource`, under these circumstances? */
export interface AuthorizationRequest {
  readonly principal: Principal;
  /** Such as `kms:Decrypt`. */
  readonly action: string;
  /** ARN of the key or alias, or `*` for operations that have none. */
  readonly resource: string;
  readonly context: ConditionContext;
}

/** Which policy a statement belongs to. */
export type PolicySource =
  | { readonly policy: 'key' }
  | { readonly policy: 'identity'; readonly identityPolicy: number };

/** The first element of a statement that kept it from applying. */
export type Mismatch =
  | { readonly element: 'Principal' | 'Action' | 'Resource' }
  | { readonly element: 'Condition'; readonly condition: ConditionOutcome };

/** How one statement came out for a request. */
export type StatementOutcome = PolicySource & {
  /** Its place in the policy, from 0. */
  readonly statement: number;
  readonly sid: string | null;
  readonly effect: 'Allow' | 'Deny';
  readonly applies: boolean;
  /** Why it does not apply; `null` when it does. */
  readonly mismatch: Mismatch | null;
  /**
   * Whom it names: the caller itself (or everybody), or only the caller's account, which leaves the decision to the
   * caller's identity policies.
   */
  readonly grantee: 'caller' | 'account';
  /** Its conditions, all of them evaluated. */
  readonly conditions: readonly ConditionOutcome[];
};

/** `explicitDeny`: a Deny statement applied. `implicitDeny`: no Allow statement did. */
export type DecisionKind = 'allowed' | 'explicitDeny' | 'implicitDeny';

/** What was decided, and by what. */
export interface Decision {
  readonly decision: DecisionKind;
  /** The statement that decided; for an implicit deny the Allow that came closest, if any names this caller and
   * this action. */
  readonly decidedBy: StatementOutcome | null;
  /** Every statement of every policy that was asked. */
  readonly statements: readonly StatementOutcome[];
}

function matchesAny({ isNegated, values }: Matcher, matches: (value: string) => boolean): boolean {
  return values.some(matches) !== isNegated;
}

function matchesAction(matcher: Matcher, action: string): boolean {
  return matchesAny(matcher, (pattern) => matchesGlob(action.toLowerCase(), pattern.toLowerCase()));
}

function matchesResource(
  matcher: Matcher,
  { resource }: AuthorizationRequest,
  variables: ConditionContext | null,
): boolean {
  return matchesAny(matcher, (text) => {
    const pattern = compilePattern(text, variables);
    return pattern !== null && matchesPattern(pattern, resource);
  });
}

/** The names under which a policy may know the caller, apart from its account. */
function ownNames({ arn, principalArn }: Principal): readonly string[] {
  return arn === principalArn ? [arn] : [arn, principalArn];
}

/** Whom a matcher names: the caller, only its account, or neither. */
function nameOf({ values }: PrincipalMatcher, principal: Principal): 'caller' | 'account' | null {
  const named = values.filter(({ kind }) => kind === 'AWS').map(({ value }) => value);
  if (named.includes('*') || ownNames(principal).some((name) => named.includes(name))) return 'caller';
  return named.includes(principal.accountId) || named.includes(principal.accountArn) ? 'account' : null;
}

/**
 * NotPrincipal leaves out only whom it names by every name: account, role and session (IAM, NotPrincipal). Where in doubt
 * a Deny applies and an Allow does not.
 */
function isLeftOut(matcher: PrincipalMatcher, principal: Principal, effect: 'Allow' | 'Deny'): boolean {
  const named = new Set(matcher.values.filter(({ kind }) => kind === 'AWS').map(({ value }) => value));
  if (named.has('*')) return true;
  const account = named.has(principal.accountId) || named.has(principal.accountArn);
  const own = ownNames(principal).map((name) => named.has(name));
  return effect === 'Deny' ? [account, ...own].every(Boolean) : [account, ...own].some(Boolean);
}

function granteeOf({ principal: matcher, effect }: Statement, principal: Principal): 'caller' | 'account' | null {
  if (matcher === null) return 'caller';
  if (!matcher.isNegated) return nameOf(matcher, principal);
  return isLeftOut(matcher, principal, effect) ? null : 'caller';
}

function firstMismatch(
  statement: Statement,
  request: AuthorizationRequest,
  found: { grantee: unknown; conditions: readonly ConditionOutcome[]; variables: ConditionContext | null },
): Mismatch | null {
  if (found.grantee === null) return { element: 'Principal' };
  if (!matchesAction(statement.action, request.action)) return { element: 'Action' };
  if (!matchesResource(statement.resource, request, found.variables)) return { element: 'Resource' };
  const condition = found.conditions.find(({ isMet }) => !isMet);
  return condition === undefined ? null : { element: 'Condition', condition };
}

function explainStatement(
  statement: Statement,
  request: AuthorizationRequest,
  { policy, source }: { policy: Policy; source: PolicySource },
): StatementOutcome {
  const variables = policy.hasVariables ? request.context : null;
  const grantee = granteeOf(statement, request.principal);
  const conditions = statement.conditions.map((one) => evaluateCondition(one, request.context, variables));
  const mismatch = firstMismatch(statement, request, { grantee, conditions, variables });
  const { index, sid, effect } = statement;
  return {
    ...source,
    statement: index,
    sid,
    effect,
    applies: mismatch === null,
    mismatch,
    grantee: grantee ?? 'caller',
    conditions,
  };
}

function explainPolicy(policy: Policy, request: AuthorizationRequest, source: PolicySource): StatementOutcome[] {
  return policy.statements.map((statement) => explainStatement(statement, request, { policy, source }));
}

const NEARNESS = { Principal: 0, Action: 1, Resource: 2, Condition: 3 } as const;

/** The Allow that needed the least to apply: first by how far it came, then by how many of its conditions are met. */
function closestAllow(statements: readonly StatementOutcome[]): StatementOutcome | null {
  const rank = ({ mismatch, conditions }: StatementOutcome) =>
    (mismatch ? NEARNESS[mismatch.element] : 0) * 1000 - conditions.filter(({ isMet }) => !isMet).length;
  const candidates = statements.filter(
    ({ effect, mismatch }) =>
      effect === 'Allow' && mismatch !== null && NEARNESS[mismatch.element] >= NEARNESS.Resource,
  );
  return candidates.reduce<StatementOutcome | null>(
    (best, one) => (best === null || rank(one) > rank(best) ? one : best),
    null,
  );
}

/** What stood closest to an Allow, where the key policy or the caller's policies were not enough. */
function closestOf(
  key: readonly StatementOutcome[] | null,
  identity: readonly StatementOutcome[],
): StatementOutcome | null {
  const delegated = key === null ? undefined : appliedAllow(key);
  if (key !== null && delegated === undefined) return closestAllow(key);
  return closestAllow(identity) ?? delegated ?? null;
}

/** The policies that are asked about one request. */
export interface ApplicablePolicies {
  /** The key's policy; `null` for operations without a key. */
  readonly keyPolicy: Policy | null;
  /** Account of the key, or of the resource. */
  readonly accountId: string;
  /** The caller's own policies. */
  readonly identityPolicies: readonly Policy[];
}

function appliedAllow(
  statements: readonly StatementOutcome[],
  grantee?: 'caller' | 'account',
): StatementOutcome | undefined {
  return statements.find(
    (one) => one.effect === 'Allow' && one.applies && (grantee === undefined || one.grantee === grantee),
  );
}

/**
 * The Allow that suffices. Within the key's account the key policy alone is enough when it names the caller; when it names
 * the account, an identity policy has to allow it too. From another account both are needed, always.
 */
function sufficientAllow(
  key: readonly StatementOutcome[] | null,
  identity: readonly StatementOutcome[],
  isSameAccount: boolean,
): StatementOutcome | undefined {
  const byIdentity = appliedAllow(identity);
  if (key === null) return byIdentity;
  if (isSameAccount) {
    const direct = appliedAllow(key, 'caller');
    if (direct !== undefined) return direct;
  }
  const delegated = appliedAllow(key);
  return delegated !== undefined && byIdentity !== undefined ? delegated : undefined;
}

/** Decides a request (AWS KMS Developer Guide, "Determining access"; IAM, policy evaluation logic). An explicit deny wins. */
export function decide(
  request: AuthorizationRequest,
  { keyPolicy, accountId, identityPolicies }: ApplicablePolicies,
): Decision {
  const key = keyPolicy && explainPolicy(keyPolicy, request, { policy: 'key' });
  const identity = identityPolicies.flatMap((policy, index) =>
    explainPolicy(policy, request, { policy: 'identity', identityPolicy: index }),
  );
  const statements = [...(key ?? []), ...identity];
  const deny = statements.find(({ effect, applies }) => effect === 'Deny' && applies);
  if (deny !== undefined) return { decision: 'explicitDeny', decidedBy: deny, statements };
  const allow = sufficientAllow(key, identity, request.principal.accountId === accountId);
  if (allow !== undefined) return { decision: 'allowed', decidedBy: allow, statements };
  return { decision: 'implicitDeny', decidedBy: closestOf(key, identity), statements };
}
