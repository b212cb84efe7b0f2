/** @holstein/core: copy-on-write virtual memory, whole. Each layer is also a subpath of its own. */
export * from './frame/index.js';
export * from './hart/index.js';
export * from './kernel/index.js';
export * from './machine/index.js';
export * from './paging/index.js';
export * from './space/index.js';
export * from './vmo/index.js';
