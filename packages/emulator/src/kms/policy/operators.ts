import { BlockList, isIP } from 'node:net';
import type { ConditionContext } from './pattern.ts';
import { compilePattern, matchesPattern, splitPattern, substitute } from './pattern.ts';

/** Compares one value of the policy with one of the request. `variables` is null for policies too old to have them. */
export type Comparison = (expected: string, found: string, variables: ConditionContext | null) => boolean;

/** A condition operator without its qualifier and suffix. */
export interface Operator {
  readonly compare: Comparison;
  /** Whether it holds when nothing compares equal: `StringNotEquals` and its kind. */
  readonly isNegated: boolean;
  /** Whether a value of the policy can be compared at all. */
  readonly accepts: (expected: string) => boolean;
}

function anyText(): boolean {
  return true;
}

function stringEquals(expected: string, found: string, variables: ConditionContext | null): boolean {
  return substitute(expected, variables) === found;
}

function stringEqualsIgnoreCase(expected: string, found: string, variables: ConditionContext | null): boolean {
  return substitute(expected, variables)?.toLowerCase() === found.toLowerCase();
}

function stringLike(expected: string, found: string, variables: ConditionContext | null): boolean {
  const pattern = compilePattern(expected, variables);
  return pattern !== null && matchesPattern(pattern, found);
}

const ARN_PARTS = 6;

function arnParts(text: string): string[] {
  const parts = text.split(':');
  return [...parts.slice(0, ARN_PARTS - 1), parts.slice(ARN_PARTS - 1).join(':')];
}

/**
 * Each of the six parts is matched alone: a `*` does not reach over a colon, but in the resource. The colons of variables'
 * names are none of the ARN.
 */
function arnLike(expected: string, found: string, variables: ConditionContext | null): boolean {
  const pattern = compilePattern(expected, variables);
  const parts = arnParts(found);
  if (pattern === null || parts.length < ARN_PARTS || parts[0] !== 'arn') return false;
  const patterns = splitPattern(pattern, ':', ARN_PARTS);
  return patterns.length === ARN_PARTS && patterns.every((one, index) => matchesPattern(one, parts[index] ?? ''));
}

function isArnPattern(expected: string): boolean {
  return (
    expected === '*' ||
    (expected.startsWith('arn:') && expected.split(':').length >= ARN_PARTS) ||
    expected.includes('${')
  );
}

const NUMBER = /^[+-]?\d+(?:\.\d+)?$/;

function isNumber(text: string): boolean {
  return NUMBER.test(text);
}

/** ms since the epoch of an ISO 8601 date (W3C profile) or of seconds since the epoch; NaN for anything else. */
function parseTime(text: string): number {
  if (isNumber(text)) return Number(text) * 1000;
  return /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?)?)?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
}

function isTime(text: string): boolean {
  return !Number.isNaN(parseTime(text));
}

type Order = (found: number, expected: number) => boolean;

function ordered(read: (text: string) => number, order: Order): Comparison {
  return (expected, found) => order(read(found), read(expected));
}

function readNumber(text: string): number {
  return isNumber(text) ? Number(text) : Number.NaN;
}

const ORDERS: Readonly<Record<string, Order>> = {
  Equals: (found, expected) => found === expected,
  LessThan: (found, expected) => found < expected,
  LessThanEquals: (found, expected) => found <= expected,
  GreaterThan: (found, expected) => found > expected,
  GreaterThanEquals: (found, expected) => found >= expected,
};

function isBool(text: string): boolean {
  return /^(?:true|false)$/i.test(text);
}

function boolEquals(expected: string, found: string): boolean {
  return expected.toLowerCase() === found.toLowerCase();
}

function binaryEquals(expected: string, found: string): boolean {
  return Buffer.from(expected, 'base64').equals(Buffer.from(found, 'base64'));
}

interface AddressRange {
  readonly network: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

const ADDRESS_BITS = { ipv4: 32, ipv6: 128 } as const;

/** `203.0.113.0/24`, or an address alone. */
function parseRange(text: string): AddressRange | null {
  const [network = '', prefix, ...rest] = text.split('/');
  const version = isIP(network);
  if (version === 0 || rest.length > 0) return null;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const bits = prefix === undefined ? ADDRESS_BITS[family] : Number(prefix);
  const isWhole = prefix === undefined || /^\d{1,3}$/.test(prefix);
  return isWhole && bits <= ADDRESS_BITS[family] ? { network, prefix: bits, family } : null;
}

function isRange(text: string): boolean {
  return parseRange(text) !== null;
}

function addressWithin(expected: string, found: string): boolean {
  const range = parseRange(expected);
  const version = isIP(found);
  if (range === null || version === 0) return false;
  const list = new BlockList();
  list.addSubnet(range.network, range.prefix, range.family);
  return list.check(found, version === 4 ? 'ipv4' : 'ipv6');
}

function pair(
  name: string,
  negatedName: string,
  compare: Comparison,
  accepts: Operator['accepts'],
): [string, Operator][] {
  return [
    [name, { compare, isNegated: false, accepts }],
    [negatedName, { compare, isNegated: true, accepts }],
  ];
}

function comparisons(
  prefix: string,
  read: (text: string) => number,
  accepts: Operator['accepts'],
): [string, Operator][] {
  const operators = Object.entries(ORDERS).map(([name, order]): [string, Operator] => {
    return [`${prefix}${name}`, { compare: ordered(read, order), isNegated: false, accepts }];
  });
  const equals = ordered(read, (found, expected) => found === expected);
  return [...operators, [`${prefix}NotEquals`, { compare: equals, isNegated: true, accepts }]];
}

/** Every condition operator but `Null`, which asks for presence and compares nothing (IAM, condition operators). */
export const OPERATORS: ReadonlyMap<string, Operator> = new Map([
  ...pair('StringEquals', 'StringNotEquals', stringEquals, anyText),
  ...pair('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', stringEqualsIgnoreCase, anyText),
  ...pair('StringLike', 'StringNotLike', stringLike, anyText),
  ...pair('ArnEquals', 'ArnNotEquals', arnLike, isArnPattern),
  ...pair('ArnLike', 'ArnNotLike', arnLike, isArnPattern),
  ...pair('IpAddress', 'NotIpAddress', addressWithin, isRange),
  ...comparisons('Numeric', readNumber, isNumber),
  ...comparisons('Date', parseTime, isTime),
  ['Bool', { compare: boolEquals, isNegated: false, accepts: isBool }],
  ['BinaryEquals', { compare: binaryEquals, isNegated: false, accepts: anyText }],
]);
