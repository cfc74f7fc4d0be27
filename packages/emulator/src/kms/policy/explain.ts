import type { ConditionOutcome } from './condition.ts';
import type { Decision, StatementOutcome } from './evaluate.ts';

function nameOf({ policy, statement, sid, ...rest }: StatementOutcome): string {
  const owner =
    policy === 'key' ? 'the key policy' : `identity policy ${'identityPolicy' in rest ? rest.identityPolicy : 0}`;
  return `statement ${statement}${sid === null ? '' : ` (${sid})`} of ${owner}`;
}

function listOf(values: readonly string[]): string {
  return values.length === 1 ? (values[0] ?? '') : `one of ${values.join(', ')}`;
}

function describeCondition({ operator, key, expected, found }: ConditionOutcome): string {
  return `${operator} ${key}: expected ${listOf(expected)}, found ${found === null ? 'none' : found.join(', ')}`;
}

function explainApplied(outcome: StatementOutcome): string[] {
  const conditions = outcome.conditions.map((one) => `  met: ${describeCondition(one)}`);
  return conditions.length === 0 ? ['  it has no conditions'] : conditions;
}

function explainMismatch({ mismatch, conditions }: StatementOutcome): string[] {
  if (mismatch === null) return ['  it leaves the decision to the policies of the caller, which do not allow it'];
  if (mismatch.element !== 'Condition') return [`  its ${mismatch.element} does not match`];
  return conditions.filter(({ isMet }) => !isMet).map((one) => `  not met: ${describeCondition(one)}`);
}

/** Says in a few lines which statement and which conditions decided. */
export function explainDecision({ decision, decidedBy, statements }: Decision): string {
  if (decision === 'explicitDeny' && decidedBy !== null) {
    return [`Denied by ${nameOf(decidedBy)}:`, ...explainApplied(decidedBy)].join('\n');
  }
  if (decision === 'allowed' && decidedBy !== null) {
    return [`Allowed by ${nameOf(decidedBy)}:`, ...explainApplied(decidedBy)].join('\n');
  }
  if (decidedBy === null) return `Denied: none of ${statements.length} statements allows this action to this caller.`;
  return [`Denied: no statement allows it. Closest is ${nameOf(decidedBy)}:`, ...explainMismatch(decidedBy)].join('\n');
}
