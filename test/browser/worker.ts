import type { Scenario } from './scenario.ts';
import { play } from './scenario.ts';

addEventListener('message', (event: MessageEvent<Scenario>) => {
  play(event.data).then(
    (outcomes) => postMessage({ outcomes }),
    (error: unknown) => postMessage({ failure: String(error) }),
  );
});
