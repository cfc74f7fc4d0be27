import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
/** Has V8 collect now what nobody holds: when it does so by itself depends on the machine and on Node's version. */
export const collectGarbage: () => void = runInNewContext('gc');
