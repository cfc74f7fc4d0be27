import type { Agent } from 'node:http';
import { Socket } from 'node:net';

/** What `maxTotalSockets` is held against. Node has no type for it, and counts what is in `sockets`. */
function countInTotal(agent: Agent, change: 1 | -1): void {
  const count: unknown = Reflect.get(agent, 'totalSocketCount');
  if (typeof count === 'number') Reflect.set(agent, 'totalSocketCount', count + change);
}

/**
 * Counts a connection with the agent's others while it is being made, so that `maxSockets` and `maxTotalSockets` hold: Node
 * counts connections once they are there, and these come about asynchronously. Gives the function that ends the count.
 */
export function takeSlot(agent: Agent, name: string): () => void {
  const sockets = agent.sockets as NodeJS.Dict<Socket[]>;
  const placeholder = new Socket();
  sockets[name] = [...(sockets[name] ?? []), placeholder];
  countInTotal(agent, 1);
  return () => {
    countInTotal(agent, -1);
    const others = (sockets[name] ?? []).filter((socket) => socket !== placeholder);
    if (others.length > 0) sockets[name] = others;
    else delete sockets[name];
  };
}

/**
 * Takes whatever is written and never says that it was. A `Socket`, since requests set time-outs and more on what their
 * agent gives them, whatever that is.
 */
class BrokenConnection extends Socket {
  override _read(): void {}
  override _write(): void {}
  override _writev(): void {}
}

/**
 * Fails as a connection that broke does. Node's agent takes the next request out of its queue when a connection ends, not
 * when one never came about: those behind it would wait for ever.
 */
export function brokenConnection(error: Error): Socket {
  const connection = new BrokenConnection();
  setImmediate(() => connection.destroy(error));
  return connection;
}
