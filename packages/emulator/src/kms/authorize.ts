import type { Caller } from './caller.ts';
import type { Policy } from './policy/document.ts';
import type { Decision } from './policy/evaluate.ts';
import { decide } from './policy/evaluate.ts';
import type { ConditionContext } from './policy/pattern.ts';
import { KmsServiceError } from './service-error.ts';

/** What a request wants to do, and to what. */
export interface AccessRequest {
  /** Such as `kms:Decrypt`. */
  readonly action: string;
  /** ARN of the key or alias; `*` for operations that have neither. */
  readonly resource: string;
  /** The key's policy; `null` where there is no key. */
  readonly keyPolicy: Policy | null;
  /** Account of the resource. */
  readonly accountId: string;
  readonly context: ConditionContext;
}

/** Why, in the words that AWS has used since 2021 (IAM, "Troubleshoot access denied error messages"). */
function reasonOf({ decision, decidedBy }: Decision, { keyPolicy, action }: AccessRequest): string {
  if (decision === 'explicitDeny') {
    return `with an explicit deny in ${decidedBy?.policy === 'identity' ? 'an identity-based policy' : 'a resource-based policy'}`;
  }
  const source = keyPolicy === null ? 'identity-based' : 'resource-based';
  return `because no ${source} policy allows the ${action} action`;
}

/** Decides whether a request may go on. */
export function judgeAccess({ principal, identityPolicies }: Caller, request: AccessRequest): Decision {
  const { action, resource, keyPolicy, accountId, context } = request;
  return decide({ principal, action, resource, context }, { keyPolicy, accountId, identityPolicies });
}

/** The answer to a request that may not. */
export function accessDenied({ principal }: Caller, request: AccessRequest, decision: Decision): KmsServiceError {
  const { action, resource } = request;
  return new KmsServiceError(
    'AccessDeniedException',
    `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} ${reasonOf(decision, request)}`,
  );
}
