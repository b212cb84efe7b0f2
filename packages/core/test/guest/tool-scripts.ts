/** What the programs beside the shell are to do: scripts for it, as those in shell-scripts.ts. */
import type { Script } from './shell-scripts.js';

const NAME_TOO_LONG = 'p/'.repeat(64);

const echo: readonly Script[] = [
  {
    name: 'echo prints its arguments, and no newline with -n',
    script: `
echo a  b 'c  d' ''
echo
echo -n e; echo -n; echo -n f g; echo
echo a -n
`,
    output: 'a b c  d \n\nef g\na -n\n',
  },
];

const cat: readonly Script[] = [
  {
    name: 'cat prints files one after another, and descriptor 0',
    script: `
echo a > a; echo -n b > b
cat a b a
echo c | cat
echo d | cat a - b; echo
cat - < a
cat -- a
`,
    output: 'a\nba\nc\na\nd\nb\na\na\n',
  },
  {
    name: 'cat says what it cannot read, goes on, and ends with 1',
    script: `
mkdir d; echo a > a
cat none a d; echo $?
cat -x a; echo $?
cat ${NAME_TOO_LONG}; echo $?
`,
    output: `cat: none: no such file or directory
a
cat: d: it is a directory
1
there is no option -x; usage: cat [FILE...]
2
cat: ${NAME_TOO_LONG}: the path is longer than 127 bytes
1
`,
  },
];

const wc: readonly Script[] = [
  {
    name: 'wc counts lines, words and bytes, of each file and in all',
    script: `
echo 'one  two
	three ' > a; echo -n 'four' > b; > c
wc a
wc a b c
wc -l a b; wc -w a; wc -c < a; wc -lc a; wc -l -w b
wc < a
echo x | wc - b
`,
    output: `      2       3      17 a
      2       3      17 a
      0       1       4 b
      0       0       0 c
      2       4      21 total
      2 a
      0 b
      2 total
      3 a
     17
      2      17 a
      0       1 b
      2       3      17
      1       1       2 -
      0       1       4 b
      1       2       6 total
`,
  },
  {
    name: 'wc says what it cannot read',
    script: `
mkdir d; echo a > a
wc -l none d a; echo $?
wc -z
`,
    output: `wc: none: no such file or directory
wc: d: it is a directory
      1 a
      1 total
1
there is no option -z; usage: wc [-lwc] [FILE...]
`,
    status: 2,
  },
];

/** A test of a pattern: which of some lines it finds. */
const finds = (pattern: string, lines: readonly string[], found: readonly string[]): Script => ({
  name: `grep finds ${pattern} where it is`,
  script: `echo '${lines.join('\n')}' | grep '${pattern}'\n`,
  output: found.map((line) => `${line}\n`).join(''),
  status: found.length > 0 ? 0 : 1,
});

const grep: readonly Script[] = [
  finds('b', ['abc', 'ac', 'b', ''], ['abc', 'b']),
  finds('', ['a', '', 'b'], ['a', '', 'b']),
  finds('a.c', ['abc', 'ac', 'a.c', 'abbc', 'xaccx'], ['abc', 'a.c', 'xaccx']),
  finds('ab*c', ['ac', 'abc', 'abbbbc', 'adc', 'abdc'], ['ac', 'abc', 'abbbbc']),
  finds('a.*b', ['ab', 'a--b--', 'ba', 'xaxbx'], ['ab', 'a--b--', 'xaxbx']),
  finds('^ab', ['ab', 'xab', 'abx'], ['ab', 'abx']),
  finds('ab$', ['ab', 'xab', 'abx'], ['ab', 'xab']),
  finds('^ab$', ['ab', 'xab', 'abx', ''], ['ab']),
  finds('^$', ['', 'a', ' '], ['']),
  finds('^', ['', 'a'], ['', 'a']),
  finds('$', ['', 'a'], ['', 'a']),
  finds('^*', ['*a', 'a*'], ['*a']),
  finds('*a', ['*a', 'a'], ['*a']),
  finds('a^b$c', ['a^b$c', 'abc'], ['a^b$c']),
  finds('x*', ['', 'a', 'xx'], ['', 'a', 'xx']),
  finds('^x*$', ['', 'a', 'xx', 'xax'], ['', 'xx']),
  finds('x**y', ['y', 'xxy', 'x'], ['y', 'xxy']),
  finds('[bd]', ['a', 'b', 'c', 'd'], ['b', 'd']),
  finds('[b-d]', ['a', 'b', 'c', 'd', 'e', '-'], ['b', 'c', 'd']),
  finds('^[^b-d]*$', ['a', 'b', 'ea', 'ed', ''], ['a', 'ea', '']),
  finds('[]]', ['a', ']', '['], [']']),
  finds('[^]]', [']', ']a'], [']a']),
  finds('[-a]', ['-', 'a', 'b'], ['-', 'a']),
  finds('[a-]', ['-', 'a', 'b'], ['-', 'a']),
  finds('[z-a]', ['a', 'z', '-'], []),
  finds('[a-c][0-9]*x$', ['a12x', 'bx', 'c1', 'dx', 'a1bx'], ['a12x', 'bx', 'a1bx']),
  finds('[.*]', ['.', '*', 'a'], ['.', '*']),
  finds('[\\]', ['\\', 'a'], ['\\']),
  finds('\\.', ['.', 'a'], ['.']),
  finds('a\\*', ['a*', 'aa'], ['a*']),
  finds('\\^a\\$', ['^a$', 'a'], ['^a$']),
  finds('a\\$', ['a$', 'a'], ['a$']),
  finds('\\[a\\]', ['[a]', 'a'], ['[a]']),
  finds('\\\\', ['\\', 'a'], ['\\']),
  finds(']', [']', 'a'], [']']),
  finds('é', ['é', 'e'], ['é']),
  finds('a*a*a*a*a*a*a*a*a*a*b', ['a'.repeat(200), `${'a'.repeat(200)}b`], [`${'a'.repeat(200)}b`]),
  finds('a'.repeat(63), ['a'.repeat(62), 'a'.repeat(63)], ['a'.repeat(63)]),
  {
    name: 'grep has options for the lines that it does not find, numbers, counts, case, and no output',
    script: `
echo 'one
two
One
three' > a
grep -v o a
grep -n o a
grep -i ONE a
grep -i '[n-p]ne' a
grep -c e a
grep -vc e a
grep -cn e a
grep -vin ONE a
grep -q three a; echo $?
grep -q four a; echo $?
grep -- -v a; echo $?
`,
    output: `One
three
1:one
2:two
one
One
one
One
3
1
3
2:two
4:three
0
1
1
`,
  },
  {
    name: 'grep names the files where it looks into several, and ends with 2 when something is wrong',
    script: `
echo a > a; echo b > b; echo -n 'no newline' > c; mkdir d
grep . a b c
grep -c b a b
grep -n a a -  < b
grep b a none b; echo $?
grep b a d; echo $?
grep -q a a none; echo $?
grep; echo $?
grep -z a; echo $?
`,
    output: `a:a
b:b
c:no newline
a:0
b:1
a:1:a
grep: none: no such file or directory
b:b
2
grep: d: it is a directory
2
0
usage: grep [-vinqc] PATTERN [FILE...]
2
there is no option -z; usage: grep [-vinqc] PATTERN [FILE...]
2
`,
  },
  {
    name: 'grep says what is wrong with a pattern',
    script: `
echo a > a
grep '[a' a; echo $?
grep '[]' a; echo $?
grep '[a-' a; echo $?
grep 'a\\' a; echo $?
grep ${'a'.repeat(64)} a; echo $?
`,
    output: `grep: [a: its [ is not closed
2
grep: []: its [ is not closed
2
grep: [a-: its [ is not closed
2
grep: a\\: nothing follows its last backslash
2
grep: ${'a'.repeat(64)}: it has more than 63 items
2
`,
  },
  {
    name: 'grep passes over lines that are too long for it, and says so',
    script: `
echo ${'x'.repeat(1000)} > x; echo -n ${'x'.repeat(1000)} > y
cat y y y y > long; echo ${'x'.repeat(95)} >> long; echo x >> long
grep -c x long; echo $?
cat y y y y > long; echo ${'x'.repeat(96)} >> long; echo x >> long
grep -c x long; echo $?
`,
    output: `2
0
grep: long: line 1 is longer than 4095 bytes, and passed over
1
2
`,
  },
];

const mkdir: readonly Script[] = [
  {
    name: 'mkdir makes directories, with -p those on the way too',
    script: `
mkdir a b a/c
mkdir -p a/d/e/f a//g/ ./h/./i a a/d
ls a b a/d a/d/e h
`,
    output: 'a:\nc\nd\ng\nb:\na/d:\ne\na/d/e:\nf\nh:\ni\n',
  },
  {
    name: 'mkdir says what it cannot make, and makes the rest',
    script: `
echo x > f
mkdir a a f f/b none/c "" d; echo $?
mkdir -p f/g; echo $?
mkdir -p f; echo $?
mkdir ${NAME_TOO_LONG}; echo $?
mkdir -p ${NAME_TOO_LONG}; echo $?
mkdir; echo $?
ls
`,
    output: `mkdir: a: it is there already
mkdir: f: it is there already
mkdir: f/b: no such directory to make it in
mkdir: none/c: no such directory to make it in
mkdir: : the path is empty
1
mkdir: f: it is there already
1
mkdir: f: it is there already
1
mkdir: ${NAME_TOO_LONG}: the path is longer than 127 bytes
1
mkdir: ${NAME_TOO_LONG}: the path is longer than 127 bytes
1
usage: mkdir [-p] DIRECTORY...
2
a
d
f
`,
  },
];

const rm: readonly Script[] = [
  {
    name: 'rm removes names, and with -r all that is in a directory, whatever its depth',
    script: `
mkdir d e e/f; echo a > a; echo b > b; echo c > e/f/c; ln b e/b
rm a d; ls
rm -r e; ls
cat b
mkdir -p w/a w/b/c w/d/e/f; echo x > w/b/y; echo x > w/d/e/z
(cd w/d/e/f; mkdir -p ${'deeper/'.repeat(12)}; cd ${'deeper/'.repeat(12)}; mkdir -p ${'deeper/'.repeat(12)}x)
rm -r w b; ls
`,
    output: 'b\ne\nb\nb\n',
  },
  {
    name: 'rm says what it does not remove',
    script: `
mkdir -p d/e
rm none; echo $?
rm d; echo $?
rm -f none; echo $?
rm -r none; echo $?
rm -rf none; echo $?
rm -r . ; echo $?
rm -r d/.. d/e/. / //; echo $?
rm ""; echo $?
rm; echo $?
rm -f; echo $?
rm -x d; echo $?
rm -r -f d; ls
`,
    output: `rm: none: no such file or directory
1
rm: d: the directory is not empty
1
0
rm: none: no such file or directory
1
0
rm: .: the root, \`.\` and \`..\` stay
1
rm: d/..: the root, \`.\` and \`..\` stay
rm: d/e/.: the root, \`.\` and \`..\` stay
rm: /: the root, \`.\` and \`..\` stay
rm: //: the root, \`.\` and \`..\` stay
1
rm: : the path is empty
1
usage: rm [-rf] NAME...
2
0
there is no option -x; usage: rm [-rf] NAME...
2
`,
  },
];

const ln: readonly Script[] = [
  {
    name: 'ln gives a file another name',
    script: `
echo a > a; mkdir d
ln a d/b
echo c >> d/b; cat a
rm a; cat d/b
`,
    output: 'a\nc\na\nc\n',
  },
  {
    name: 'ln says why it cannot',
    script: `
echo a > a; echo b > b; mkdir d
ln none c; echo $?
ln d e; echo $?
ln a b; echo $?
ln a d; echo $?
ln a none/c; echo $?
ln a; echo $?
ln a b c; echo $?
cat b; ls
`,
    output: `ln: none: no such file or directory
1
ln: d: it is a directory, which has one name only
1
ln: b: it is there already
1
ln: d: it is there already
1
ln: none/c: no such directory to make it in
1
usage: ln FILE NEW-NAME
2
usage: ln FILE NEW-NAME
2
b
a
b
d
`,
  },
];

const ls: readonly Script[] = [
  {
    name: 'ls lists names in their order, of the working directory or of those named',
    script: `
mkdir d e; echo x > b; > a; > .hidden; > d/z; > d/y; ln a 12345678901234567890
ls
ls d e b
ls d
ls -a d
ls -a | grep hidden
`,
    output: `12345678901234
a
b
d
e
d:
y
z
e:
b
y
z
.
..
y
z
.hidden
`,
  },
  {
    name: 'ls -l tells type, inode, number of names and size',
    script: `
mkdir d; echo abc > a; ln a b; cat a a > c
ls -l | grep -c '^file  *[1-9][0-9]*   2       4 [ab]$'
ls -l c | grep -c '^file  *[1-9][0-9]*   1       8 c$'
ls -l | grep -c '^dir   *[1-9][0-9]*  *[1-9] .* d$'
ls -l /console | grep -c '^dev   *[1-9][0-9]*   1       0 /console$'
ls -la d | grep -c '^dir .* [.][.]*$'
`,
    output: '2\n1\n1\n1\n2\n',
  },
  {
    name: 'ls lists a large directory, past what was removed from it',
    script: `
mkdir d; cd d
${Array.from({ length: 21 }, (_, i) => (i === 0 ? '> a0' : `ln a0 a${i}`)).join('; ')}
rm a3 a17
> A; ls; cd ..; ls d | wc -l
`,
    output: `A\n${Array.from({ length: 21 }, (_, i) => `a${i}`)
      .filter((name) => name !== 'a3' && name !== 'a17')
      .toSorted()
      .join('\n')}\n     20\n`,
  },
  {
    name: 'ls says what it cannot list',
    script: `
mkdir d; > d/a
ls none d; echo $?
ls -q; echo $?
`,
    output: `ls: none: no such file or directory
d:
a
1
there is no option -q; usage: ls [-la] [PATH...]
2
`,
  },
];

const processes: readonly Script[] = [
  {
    name: 'kill ends processes, or says which there are not',
    script: `
sleep 1000000 & sleep 1
kill $!; echo $?
wait
kill 999999 x 99999999999 2> e; echo $?; cat e
kill; echo $?
kill -9 1; echo $?
`,
    output: `0
1
kill: 999999: no such process
kill: x: it is no number
kill: 99999999999: no such process
usage: kill PROCESS...
2
there is no option -9; usage: kill PROCESS...
2
`,
  },
  {
    name: 'sleep takes a number of ticks',
    script: `
sleep 0; echo $?
sleep 1; echo $?
sleep -- -1; echo $?
sleep x; echo $?
sleep 2147483648; echo $?
sleep; echo $?
`,
    output: `0
0
sleep: -1: it is no number of ticks from 0 to 2147483647
2
sleep: x: it is no number of ticks from 0 to 2147483647
2
sleep: 2147483648: it is no number of ticks from 0 to 2147483647
2
usage: sleep TICKS
2
`,
  },
  {
    name: 'ps, pmap and frames are used as they say',
    script: `
ps x; echo $?
frames -x; echo $?
pmap; echo $?
pmap x; echo $?
pmap 1 2; echo $?
`,
    output: `usage: ps
2
there is no option -x; usage: frames
2
usage: pmap PROCESS
2
pmap: x: it is no process number
2
usage: pmap PROCESS
2
`,
  },
];

export const toolScripts: Readonly<Record<string, readonly Script[]>> = {
  echo,
  cat,
  wc,
  grep,
  mkdir,
  rm,
  ln,
  ls,
  processes,
};
