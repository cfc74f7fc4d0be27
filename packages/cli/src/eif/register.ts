import type { RegisterCommands } from '../program.ts';
import { addBuild } from './build.ts';
import { addDescribe } from './describe.ts';
import { addDiff } from './diff.ts';
import { addExtract } from './extract.ts';
import { addLint } from './lint.ts';
import { addLs } from './ls.ts';
import { addMeasure } from './measure.ts';
import { addSign } from './sign.ts';
import { addVerify } from './verify.ts';

/** Adds `eif` and its commands. */
export const registerEif: RegisterCommands = (program, context) => {
  const eif = program.command('eif').description('read, measure, build, sign and compare enclave images');
  for (const add of [addBuild, addDescribe, addMeasure, addSign, addVerify, addDiff, addLs, addExtract, addLint]) {
    add(eif, context);
  }
};
