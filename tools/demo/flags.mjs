import { parseArgs } from 'node:util';

const USAGE = `flags: --verbose    show what goes over the wire
       --json       one JSON document, for scripts
       --megabytes  how long the input is`;

/** The flags of both demos, as the command line has them; `megabytes`: how long the input is by default. Ends the process at others. */
export function demoFlags({ megabytes }) {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        megabytes: { type: 'string', default: megabytes },
      },
    });
    if (!/^[1-9]\d{0,4}$/.test(values.megabytes)) throw new Error(`expected a number, found ${values.megabytes}`);
    return values;
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
    return process.exit(2);
  }
}
