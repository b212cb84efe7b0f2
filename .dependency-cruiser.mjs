/**
 * The layer check: in packages/core a folder imports only from folders above it in LAYERS, and through
 * their index.ts; the core imports no Node module, and from npm a sorted map alone.
 */
const LAYERS = ['frame', 'paging', 'vmo', 'space', 'hart', 'kernel', 'machine'];
const source = (/** @type {string} */ layer) => `^packages/core/src/${layer}/`;

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-cycles-between-files',
      comment:
        'Two files that import each other are one file, or hide a third. Types may refer to each other.',
      severity: 'error',
      from: { path: '^packages/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    ...LAYERS.map((layer, index) => ({
      name: `${layer}-imports-only-upwards`,
      comment: `${layer}/ may import ${LAYERS.slice(0, index).join(', ') || 'nothing of the core'}`,
      severity: /** @type {const} */ ('error'),
      from: { path: source(layer) },
      to: {
        path: '^packages/core/src/',
        pathNot: [
          ...LAYERS.slice(0, index).map((above) => `^packages/core/src/${above}/index\\.ts$`),
          source(layer),
        ],
      },
    })),
    {
      name: 'core-stands-alone',
      comment: 'The core runs in browsers, and depends on one sorted map (docs/decisions/0014).',
      severity: 'error',
      from: { path: '^packages/core/src/' },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'],
        pathNot: '^node_modules/sorted-btree/',
      },
    },
    {
      name: 'cli-uses-the-public-core',
      comment: 'The command uses @holstein/core as any user would.',
      severity: 'error',
      from: { path: '^packages/cli/src/' },
      to: { path: '^packages/core/(src|dist/.+/)' },
    },
    {
      name: 'nothing-unresolved',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: '\\.d\\.ts$' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'default'] },
  },
};
