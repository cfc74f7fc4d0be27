import type { Check } from './check.ts';
import { leakChecks } from './leak-checks.ts';
import { nsmChecks } from './nsm-checks.ts';
import { relayChecks } from './relay-checks.ts';
import { socketChecks } from './socket-checks.ts';

/** All that is said of the addons. */
export const CHECKS: readonly Check[] = [...socketChecks, ...leakChecks, ...nsmChecks, ...relayChecks];
