/**
 * A sorted map whose clone costs the same whatever it holds: sorted-btree's B+ tree, which shares nodes and copies them
 * on write (docs/decisions/0014). The package is CommonJS: Node imports all of its module, a bundler may give its
 * default export alone.
 */
import sortedBtree from 'sorted-btree';

type SortedBtree = (typeof sortedBtree)['default'];

const BTree = ('default' in sortedBtree ? sortedBtree.default : sortedBtree) as SortedBtree;

export type SortedMap<Value> = InstanceType<typeof sortedBtree.default<number, Value>>;

export const newSortedMap = <Value>(): SortedMap<Value> =>
  new BTree<number, Value>(undefined, (one, other) => one - other);
