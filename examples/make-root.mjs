// Makes the root folder of an example's image: `node examples/make-root.mjs hello root`. What it holds is one bundled file,
// this machine's Node and its libraries, and the addon of AF_VSOCK and the NSM. `nitro-enclaves eif build` makes the image of it.
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { makeRoot } from '../tools/demo/bundle.mjs';

const [example, folder] = process.argv.slice(2);
const entry = fileURLToPath(new URL(`${example}/dist/main.js`, import.meta.url));
if (folder === undefined || !existsSync(entry)) {
  console.error('usage: node examples/make-root.mjs <example> <folder>, after the build of this repository');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
await makeRoot(folder, { entry });
