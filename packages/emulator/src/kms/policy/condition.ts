import type { Operator } from './operators.ts';
import { OPERATORS } from './operators.ts';
import type { ConditionContext } from './pattern.ts';

/** One line of a Condition element: an operator, a key, and the values of the policy for it. */
export interface Condition {
  /** As written, such as `ForAnyValue:StringEqualsIfExists`. */
  readonly operator: string;
  /** As written, such as `kms:RecipientAttestation:ImageSha384`. */
  readonly key: string;
  readonly expected: readonly string[];
}

/** How a condition came out, and on what. */
export interface ConditionOutcome extends Condition {
  readonly isMet: boolean;
  /** The request's values of the key; `null` when it has none. */
  readonly found: readonly string[] | null;
}

/** An operator's name taken apart. */
export interface OperatorName {
  readonly qualifier: 'ForAllValues' | 'ForAnyValue' | null;
  readonly name: string;
  readonly ifExists: boolean;
}

const OPERATOR_NAME = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/;

/** Parts of an operator's name; `null` when IAM has none such. `Null` takes no suffix: it asks for existence itself. */
export function parseOperator(text: string): OperatorName | null {
  const [, qualifier, name = '', ifExists] = text.match(OPERATOR_NAME) ?? [];
  if (!OPERATORS.has(name) && (name !== 'Null' || ifExists !== undefined)) return null;
  return {
    qualifier: qualifier === 'ForAllValues' || qualifier === 'ForAnyValue' ? qualifier : null,
    name,
    ifExists: ifExists !== undefined,
  };
}

/** Whether `operator` can compare with `expected`. */
export function acceptsValue({ name }: OperatorName, expected: string): boolean {
  if (name === 'Null') return /^(?:true|false)$/i.test(expected);
  return OPERATORS.get(name)?.accepts(expected) ?? false;
}

/** A key without a value: what holds of nothing. `IfExists` means "if it is there at all". */
function holdsWithoutValue({ qualifier, ifExists }: OperatorName, { isNegated }: Operator): boolean {
  if (qualifier === 'ForAllValues' || ifExists) return true;
  return qualifier === 'ForAnyValue' ? false : isNegated;
}

/** Without a qualifier, a negated operator must hold for every value of the key: one bad one must not hide behind another. */
function holdsForValues(
  { qualifier }: OperatorName,
  { isNegated }: Operator,
  equals: (found: string) => boolean,
  found: readonly string[],
): boolean {
  const holds = (value: string) => equals(value) !== isNegated;
  const isForAll = qualifier === 'ForAllValues' || (qualifier === null && isNegated);
  return isForAll ? found.every(holds) : found.some(holds);
}

function isMet(
  { operator, expected }: Condition,
  found: readonly string[] | undefined,
  variables: ConditionContext | null,
): boolean {
  const parsed = parseOperator(operator);
  if (parsed === null) return false;
  if (parsed.name === 'Null')
    return expected.some((value) => (value.toLowerCase() === 'true') === (found === undefined));
  const definition = OPERATORS.get(parsed.name);
  if (definition === undefined) return false;
  if (found === undefined) return holdsWithoutValue(parsed, definition);
  const equals = (value: string) => expected.some((one) => definition.compare(one, value, variables));
  return holdsForValues(parsed, definition, equals, found);
}

/**
 * Evaluates one condition (IAM, "Conditions with multiple context keys or values").
 * @param variables the context that policy variables read; `null` for policies before 2012-10-17, which have none.
 */
export function evaluateCondition(
  condition: Condition,
  context: ConditionContext,
  variables: ConditionContext | null,
): ConditionOutcome {
  const found = context.get(condition.key.toLowerCase());
  return { ...condition, isMet: isMet(condition, found, variables), found: found ?? null };
}
