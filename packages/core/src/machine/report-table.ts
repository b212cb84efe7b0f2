/** Reports as text: a title, and below it rows of a label and a value, whose numbers end in one column. */

/** The value is a number and, after a space, its unit or what else there is to say. */
export type Row = readonly [label: string, value: string];

export const formatTable = (title: string, rows: readonly Row[]): string => {
  const labelWidth = Math.max(...rows.map(([label]) => label.length));
  const numberWidth = Math.max(...rows.map(([, value]) => value.split(' ', 1)[0]!.length));
  const lines = rows.map(([label, value]) => {
    const [number, ...unit] = value.split(' ');
    return `  ${label.padEnd(labelWidth)}  ${number!.padStart(numberWidth)} ${unit.join(' ')}`.trimEnd();
  });
  return [title, ...lines].join('\n');
};

export const count = (value: number): string => value.toLocaleString('en-US');
