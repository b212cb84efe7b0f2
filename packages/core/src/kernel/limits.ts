/** What running processes may use at most. The defaults are xv6's: its programs expect to meet them. */
export interface KernelLimits {
  /** Processes at a time, zombies included. */
  readonly processes: number;
  /** Descriptors of a process. */
  readonly filesPerProcess: number;
  /** Open files in all: ends of pipes, and openings of the console. */
  readonly openFiles: number;
  /** Arguments of exec, the null pointer that ends them included. */
  readonly arguments: number;
  /** Bytes of a path, its zero byte included. */
  readonly pathBytes: number;
  /** Bytes that a pipe holds. */
  readonly pipeBytes: number;
  /** Bytes of output that the console holds before a writer waits, and of input before the host does. */
  readonly consoleBytes: number;
}

export const XV6_LIMITS: KernelLimits = {
  processes: 64,
  filesPerProcess: 16,
  openFiles: 100,
  arguments: 32,
  pathBytes: 128,
  pipeBytes: 512,
  consoleBytes: 65_536,
};
