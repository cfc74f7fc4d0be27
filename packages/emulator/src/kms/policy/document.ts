import { parseArn } from '../arn.ts';
import { KeyPolicyError } from '../error.ts';
import type { Condition } from './condition.ts';
import { acceptsValue, parseOperator } from './condition.ts';

/** Values of an element that may be negated: `Action` or `NotAction`. */
export interface Matcher {
  /** Whether it is the `Not…` form. */
  readonly isNegated: boolean;
  readonly values: readonly string[];
}

/** `Principal` or `NotPrincipal`. */
export interface PrincipalMatcher {
  readonly isNegated: boolean;
  /** Principals by kind, such as `AWS`; `"*"` alone is `AWS: ["*"]`. */
  readonly values: readonly { readonly kind: PrincipalKind; readonly value: string }[];
}

/** Kinds of principals. Only `AWS` ever matches a request to this KMS. */
export type PrincipalKind = 'AWS' | 'Service' | 'Federated' | 'CanonicalUser';

/** A statement of a policy. */
export interface Statement {
  /** Its place in the policy, from 0. */
  readonly index: number;
  readonly sid: string | null;
  readonly effect: 'Allow' | 'Deny';
  /** `null` in identity policies: they are about whoever has them. */
  readonly principal: PrincipalMatcher | null;
  readonly action: Matcher;
  readonly resource: Matcher;
  readonly conditions: readonly Condition[];
}

/** A policy whose form is right. */
export interface Policy {
  /** Whether `Version` is 2012-10-17, without which `${…}` is plain text. */
  readonly hasVariables: boolean;
  readonly statements: readonly Statement[];
}

/** `resource`: a key policy, which names principals; `identity`: a policy of a user or role, which does not. */
export type PolicyKind = 'resource' | 'identity';

/** A policy as JSON text, or as the object of it. */
export type PolicyInput = string | Readonly<Record<string, unknown>>;

const POLICY_ELEMENTS: ReadonlySet<string> = new Set(['Version', 'Id', 'Statement']);
const STATEMENT_ELEMENTS: ReadonlySet<string> = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]);
const PRINCIPAL_KINDS: readonly PrincipalKind[] = ['AWS', 'Service', 'Federated', 'CanonicalUser'];

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function expectKnown(value: JsonObject, known: ReadonlySet<string>, path: string): void {
  const unknown = Object.keys(value).find((name) => !known.has(name));
  if (unknown === undefined) return;
  throw new KeyPolicyError(
    'POLICY_ELEMENT',
    `expected no element ${JSON.stringify(unknown.slice(0, 64))} in ${path}, found one`,
    { path },
  );
}

function expectStrings(
  value: unknown,
  path: string,
  code: 'POLICY_ACTION' | 'POLICY_RESOURCE' | 'POLICY_PRINCIPAL',
): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  const isText = (one: unknown): one is string => typeof one === 'string' && one !== '';
  if (values.length > 0 && values.every(isText)) return values;
  throw new KeyPolicyError(code, `expected ${path} to be text or a list of texts`, { path });
}

/** Exactly one of an element and its negated form. */
function onlyOneOf(
  statement: JsonObject,
  name: string,
  path: string,
): { isNegated: boolean; value: unknown; path: string } {
  const negatedName = `Not${name}`;
  const isNegated = negatedName in statement;
  if (name in statement === isNegated) {
    const found = isNegated ? 'both' : 'neither';
    throw new KeyPolicyError('POLICY_ELEMENT', `expected ${name} or ${negatedName} in ${path}, found ${found}`, {
      path,
    });
  }
  const used = isNegated ? negatedName : name;
  return { isNegated, value: statement[used], path: `${path}.${used}` };
}

function readActions(statement: JsonObject, path: string): Matcher {
  const { isNegated, value, path: at } = onlyOneOf(statement, 'Action', path);
  const values = expectStrings(value, at, 'POLICY_ACTION');
  const wrong = values.find((action) => action !== '*' && !/^[a-z0-9-]+:[a-zA-Z0-9*?]+$/i.test(action));
  if (wrong === undefined) return { isNegated, values };
  throw new KeyPolicyError(
    'POLICY_ACTION',
    `expected ${at} to be * or such as kms:Decrypt, found ${JSON.stringify(wrong.slice(0, 64))}`,
    { path: at },
  );
}

function readResources(statement: JsonObject, path: string): Matcher {
  const { isNegated, value, path: at } = onlyOneOf(statement, 'Resource', path);
  const values = expectStrings(value, at, 'POLICY_RESOURCE');
  const wrong = values.find(
    (resource) => resource !== '*' && !resource.startsWith('arn:') && !resource.startsWith('${'),
  );
  if (wrong === undefined) return { isNegated, values };
  throw new KeyPolicyError(
    'POLICY_RESOURCE',
    `expected ${at} to be * or an ARN, found ${JSON.stringify(wrong.slice(0, 64))}`,
    { path: at },
  );
}

/** IAM takes no wildcards inside of a principal: `arn:aws:iam::*:root` is a mistake, not everybody's account. */
function isAwsPrincipal(value: string): boolean {
  if (value === '*' || /^\d{12}$/.test(value)) return true;
  const arn = parseArn(value);
  if (arn === null || /[*?]/.test(value)) return false;
  return (arn.service === 'iam' || arn.service === 'sts') && /^\d{12}$/.test(arn.accountId);
}

function readPrincipals(statement: JsonObject, path: string): PrincipalMatcher {
  const { isNegated, value, path: at } = onlyOneOf(statement, 'Principal', path);
  if (value === '*') return { isNegated, values: [{ kind: 'AWS', value }] };
  if (!isObject(value) || Object.keys(value).length === 0) {
    throw new KeyPolicyError('POLICY_PRINCIPAL', `expected ${at} to be "*" or an object such as {"AWS": …}`, {
      path: at,
    });
  }
  expectKnown(value, new Set<string>(PRINCIPAL_KINDS), at);
  const values = PRINCIPAL_KINDS.filter((kind) => kind in value).flatMap((kind) =>
    expectStrings(value[kind], `${at}.${kind}`, 'POLICY_PRINCIPAL').map((one) => ({ kind, value: one })),
  );
  const wrong = values.find((one) => one.kind === 'AWS' && !isAwsPrincipal(one.value));
  if (wrong === undefined) return { isNegated, values };
  throw new KeyPolicyError(
    'POLICY_PRINCIPAL',
    `expected ${at}.AWS to be *, an account or the ARN of a principal, found ${JSON.stringify(wrong.value.slice(0, 128))}`,
    { path: at },
  );
}

/** JSON numbers and booleans are taken for their text, as IAM does. */
function readConditionValues(value: unknown, path: string): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.map((one) => {
    if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') return String(one);
    throw new KeyPolicyError('POLICY_CONDITION_VALUE', `expected ${path} to be text or a list of texts`, { path });
  });
}

function readCondition(operator: string, key: string, value: unknown, path: string): Condition {
  const at = `${path}.${operator}.${key}`;
  const parsed = parseOperator(operator);
  if (parsed === null) {
    throw new KeyPolicyError(
      'POLICY_CONDITION_OPERATOR',
      `expected a condition operator of IAM, found ${JSON.stringify(operator.slice(0, 64))}`,
      { path },
    );
  }
  const expected = readConditionValues(value, at);
  const wrong = expected.find((one) => !acceptsValue(parsed, one));
  if (wrong === undefined) return { operator, key, expected };
  throw new KeyPolicyError(
    'POLICY_CONDITION_VALUE',
    `expected ${at} to be a value for ${operator}, found ${JSON.stringify(wrong.slice(0, 64))}`,
    { path: at },
  );
}

function readConditions(value: unknown, path: string): Condition[] {
  if (value === undefined) return [];
  if (!isObject(value)) throw new KeyPolicyError('POLICY_ELEMENT', `expected ${path} to be an object`, { path });
  return Object.entries(value).flatMap(([operator, keys]) => {
    if (!isObject(keys))
      throw new KeyPolicyError('POLICY_ELEMENT', `expected ${path}.${operator} to be an object`, { path });
    return Object.entries(keys).map(([key, values]) => readCondition(operator, key, values, path));
  });
}

function readStatement(statement: unknown, index: number, kind: PolicyKind): Statement {
  const path = `$.Statement[${index}]`;
  if (!isObject(statement)) throw new KeyPolicyError('POLICY_STATEMENT', `expected ${path} to be an object`, { path });
  expectKnown(statement, STATEMENT_ELEMENTS, path);
  const { Sid: sid = null, Effect: effect } = statement;
  if (sid !== null && typeof sid !== 'string')
    throw new KeyPolicyError('POLICY_STATEMENT', `expected ${path}.Sid to be text`, { path });
  if (effect !== 'Allow' && effect !== 'Deny') {
    throw new KeyPolicyError('POLICY_STATEMENT', `expected ${path}.Effect to be Allow or Deny`, { path });
  }
  if (kind === 'identity' && ('Principal' in statement || 'NotPrincipal' in statement)) {
    throw new KeyPolicyError(
      'POLICY_ELEMENT',
      `expected no principal in ${path}: an identity policy is about whoever has it`,
      { path },
    );
  }
  return {
    index,
    sid,
    effect,
    principal: kind === 'identity' ? null : readPrincipals(statement, path),
    action: readActions(statement, path),
    resource: readResources(statement, path),
    conditions: readConditions(statement['Condition'], `${path}.Condition`),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KeyPolicyError('POLICY_NOT_JSON', 'expected a policy in JSON, found text that is none', {
      cause,
      path: '$',
    });
  }
}

function expectDistinctSids(statements: readonly Statement[]): void {
  const sids = statements.map(({ sid }) => sid).filter((sid) => sid !== null);
  const repeated = sids.find((sid, index) => sids.indexOf(sid) !== index);
  if (repeated === undefined) return;
  throw new KeyPolicyError(
    'POLICY_STATEMENT',
    `expected every Sid once, found ${JSON.stringify(repeated.slice(0, 64))} twice`,
    { path: '$.Statement' },
  );
}

/**
 * Reads a policy document (IAM, JSON policy reference). Strict: an element or operator that IAM does not know is an error,
 * since a misspelt condition that is skipped is an open door.
 * @throws {KeyPolicyError}
 */
export function parsePolicy(input: PolicyInput, kind: PolicyKind = 'resource'): Policy {
  const policy = typeof input === 'string' ? parseJson(input) : input;
  if (!isObject(policy))
    throw new KeyPolicyError('POLICY_ELEMENT', 'expected a policy to be a JSON object', { path: '$' });
  expectKnown(policy, POLICY_ELEMENTS, '$');
  const { Version: version = '2008-10-17', Statement: list } = policy;
  if (version !== '2012-10-17' && version !== '2008-10-17') {
    throw new KeyPolicyError('POLICY_ELEMENT', 'expected $.Version to be 2012-10-17 or 2008-10-17', {
      path: '$.Version',
    });
  }
  const items: unknown[] = Array.isArray(list) ? list : [list];
  if (list === undefined || items.length === 0) {
    throw new KeyPolicyError('POLICY_STATEMENT', 'expected $.Statement to hold a statement, found none', {
      path: '$.Statement',
    });
  }
  const statements = items.map((statement, index) => readStatement(statement, index, kind));
  expectDistinctSids(statements);
  return { hasVariables: version === '2012-10-17', statements };
}
