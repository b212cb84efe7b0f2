/** What a machine needs of whoever runs it: a clock, and a way to let others run. */
export interface Host {
  /** Milliseconds from any fixed point, as `performance.now()` gives them. */
  now(): number;
  /** Settles when the host's event loop has had a turn. */
  pause(): Promise<void>;
}

/** The host's globals, the same in browsers and in Node. A message is the soonest turn that both have. */
export const globalHost: Host = {
  now: () => performance.now(),
  pause: () =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener('message', () => {
        port1.close();
        resolve();
      });
      port1.start();
      port2.postMessage(undefined);
    }),
};
