/**
 * What the shell is to do: scripts, and what they print on descriptors 1 and 2. They use nothing but names in
 * the working directory and programs in the root, so that they run on any kernel with xv6's system calls.
 * `crash` is a program that faults.
 */

export interface Script {
  readonly name: string;
  readonly script: string;
  readonly output: string;
  /** What the shell ends with; 0 where nothing is said. */
  readonly status?: number;
}

const words: readonly Script[] = [
  {
    name: 'words are cut at blanks, and quotes keep them together',
    script: String.raw`
hello  one	two   "three  words" 'four "quoted" words' a"b  "'  c'd "" '' | grep argv
`,
    output: `  argv[1] = one
  argv[2] = two
  argv[3] = three  words
  argv[4] = four "quoted" words
  argv[5] = ab    cd
  argv[6] = 
  argv[7] = 
`,
  },
  {
    name: 'a backslash keeps the next byte, but in double quotes only $, " and itself',
    script: String.raw`
echo a\ b \; \| \# \' \" \\ \a \$?
echo "a\ b" "\"" "\\" "\$?" "\a" "'"
echo 'a\ b' '\\' '"' '$?'
`,
    output: String.raw`a b ; | # ' " \ a $?
a\ b " \ $? \a '
a\ b \\ " $?
`,
  },
  {
    name: 'a backslash at the end of a line joins it to the next',
    script: `
echo one\\
two three \\
   four "five\\
six" 'seven\\
eight'
`,
    output: `onetwo three four fivesix seven\\
eight
`,
  },
  {
    name: 'quotes and parentheses go on over lines',
    script: `
echo 'one
two' "three

four"
(echo five

# a comment
echo six) | cat
`,
    output: 'one\ntwo three\n\nfour\nfive\nsix\n',
  },
  {
    name: 'a # begins a comment where a word could begin, and nowhere else',
    script: `
# echo nothing
echo a#b "#" \\# c # echo d ; ( '
echo e;#f
#`,
    output: 'a#b # # c\ne\n',
  },
  {
    name: '$? and $! have values, in double quotes too',
    script: `
echo $? "<$?>" '$?' x$?y "[$!]" $
(exit 41)
echo $? $?
echo "$?$?"
`,
    output: '0 <0> $? x0y [] $\n41 41\n00\n',
  },
  {
    name: 'operators need no blanks around them',
    script: `
(echo a;echo b)|cat>f&&cat<f;echo c||echo d&wait;echo e
`,
    output: 'a\nb\nc\ne\n',
  },
  {
    name: 'a last line without a newline is a line, and no line at all is nothing to do',
    script: '\n\n   \n\t\n;'.slice(0, -1) + 'echo last',
    output: 'last\n',
  },
];

const lists: readonly Script[] = [
  {
    name: 'commands follow each other, with ; and on lines',
    script: 'echo a; echo b\n\necho c ;\n',
    output: 'a\nb\nc\n',
  },
  {
    name: '&& and || go by the status before, from the left',
    script: `
(exit 0) && echo 1
(exit 1) && echo 2
(exit 0) || echo 3
(exit 1) || echo 4
(exit 1) && echo 5 || echo 6
(exit 0) || echo 7 && echo 8
(exit 1) || (exit 1) || echo 9
(exit 0) && (exit 1) && echo 10
echo $?
(exit 1) ||
  # over lines

  echo 11 &&
  echo 12
`,
    output: '1\n4\n6\n8\n9\n1\n11\n12\n',
  },
  {
    name: 'the status of a shell is that of what ran last',
    script: 'echo a\n(exit 7)\n',
    output: 'a\n',
    status: 7,
  },
  {
    name: 'a whole int is a status, and what is killed has -1, which the shell itself never ends with',
    script: `
(exit 300); echo $?
(exit -7); echo $?
(exit 2147483647); echo $?
(exit -2147483648); echo $?
(exit -1); echo $?
crash; echo $?
(crash); echo $?
crash || echo failed
sh -c crash; echo $?
crash
`,
    output: '300\n-7\n2147483647\n-2147483648\n255\n-1\n-1\nfailed\n255\n',
    status: 255,
  },
];

const pipes: readonly Script[] = [
  {
    name: 'a pipeline joins output to input, and its status is the last one’s',
    script: `
echo abc | cat
(echo b; echo a; echo c) | grep -v a | wc -l
(exit 3) | (exit 4)
echo $?
(exit 4) | (exit 0) && echo good
echo over |
  # and over
  cat
`,
    output: 'abc\n      2\n4\ngood\nover\n',
  },
  {
    name: 'sixteen commands make a pipeline, and every one runs',
    script:
      'echo deep | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat\n',
    output: 'deep\n',
  },
  {
    name: 'more goes through a pipe than it holds',
    script: `
echo 0123456789012345678901234567890123456789012345678901234567890123456789 > a
cat a a a a a a a a a a > b
cat b b b b b b b b b b > c
cat c c c c c | cat | wc -c
`,
    output: '  35500\n',
  },
  {
    name: 'who writes into a pipe that nobody reads ends without a word',
    script: `
echo 0123456789012345678901234567890123456789012345678901234567890123456789 > a
cat a a a a a a a a a a a a a a a a a a a a | grep -q 5
echo $?
cat a a a a a a a a a a a a a a a a a a a a | (exit 6)
echo $?
`,
    output: '0\n6\n',
  },
  {
    name: 'the shell’s own commands in a pipeline change nothing of the shell',
    script: `
mkdir d
cd d | cat
exit 5 | cat
ls
`,
    output: 'd\n',
  },
];

const redirections: readonly Script[] = [
  {
    name: '> writes a new file, >> adds to its end, < reads it',
    script: `
echo one > f
echo two >> f
echo three>>f
cat < f
echo four > f
cat f
echo five >> g
cat <g
> f
wc -c f
`,
    output: 'one\ntwo\nthree\nfour\nfive\n      0 f\n',
  },
  {
    name: 'redirections may stand anywhere, and the last of several holds',
    script: `
> f echo a b
< f cat
echo c >f1 >f2
cat f1 f2
echo d > "f 3"
cat 'f 3'
`,
    output: 'a b\nc\nd\n',
  },
  {
    name: 'errors are redirected by their descriptor, and descriptors copied, from the left',
    script: `
cat nothing 2> errors
cat errors
cat nothing 2>> errors
wc -l errors
(echo out; echo err >&2) > both 2>&1
cat both
(echo out; echo err >&2) 2>&1 > half | grep -v out
cat half
echo to the console >&1 1>&1
`,
    output: `cat: nothing: no such file or directory
      2 errors
out
err
err
out
to the console
`,
  },
  {
    name: 'redirections of parentheses hold for all in them',
    script: `
(echo a; (echo b); echo c | cat) > f
(cat; cat) < f
`,
    output: 'a\nb\nc\n',
  },
  {
    name: 'redirections of the shell’s own commands are undone after them',
    script: `
cd nowhere 2> e
cat e
wait > w < e 2>&1
echo still here
cat w
`,
    output: 'sh: cd: nowhere: no such file or directory\nstill here\n',
  },
  {
    name: 'a redirection that fails is told, and the command does not run',
    script: `
echo a > d/f; echo $?
mkdir d
echo b > d; echo $?
echo c < none; echo $?
echo e > ""; echo $?
(echo f) < none; echo $?
cd d < none; echo $?
> d; echo $?
echo g 2> none/e | cat
echo 0123456789 > f 01234567890123456789 < f; echo $?
echo h > 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
echo $?
`,
    output: `sh: d/f: no such directory to make it in
1
sh: d: it is a directory
1
sh: none: no such file or directory
1
sh: : the path is empty
1
sh: none: no such file or directory
1
sh: none: no such file or directory
1
sh: d: it is a directory
1
sh: none/e: no such directory to make it in
0
sh: the name of a file is longer than 127 bytes
1
`,
  },
  {
    name: 'what is appended to the console just goes there',
    script: 'echo shown >> /console\n',
    output: 'shown\n',
  },
];

const background: readonly Script[] = [
  {
    name: 'a job in the background is not waited for, but wait waits for all',
    script: `
(sleep 3; echo slow) & (sleep 1; echo quick) &
echo at once $?
wait
echo $?
wait
`,
    output: 'at once 0\nquick\nslow\n0\n',
  },
  {
    name: 'a list in the background is one job',
    script: `
sleep 2 && echo a || echo b &
(exit 1) && echo c || echo d | cat &
wait
`,
    output: 'd\na\n',
  },
  {
    name: '$! is the process of the last job, which can be killed',
    script: `
spin &
kill $! && wait; echo $?
kill $! 2> e || echo gone
sleep 1000000 &
echo again > f
(sleep 1; cat f; kill $!) & wait
`,
    output: '0\ngone\nagain\n',
  },
  {
    name: 'a job in the background has nothing to read, unless it says what',
    script: `
echo abc > f
cat &
wait
cat < f &
wait
(cat; echo end) &
wait
`,
    output: 'abc\nend\n',
  },
  {
    name: 'what is in parentheses has jobs of its own',
    script: `
sleep 4 &
((sleep 2; echo inner) & wait; echo waited)
(sleep 1; echo left behind) | cat &
wait; echo all
`,
    output: 'inner\nwaited\nleft behind\nall\n',
  },
  {
    name: 'neither processes nor descriptors are lost, however many jobs there are',
    script: `${'echo a | cat > f & wait; cd . 2> e; (exit 9) | cat < f > g\n'.repeat(70)}echo $?\n`,
    output: '0\n',
  },
];

const parentheses: readonly Script[] = [
  {
    name: 'parentheses are a process of their own: a working directory and an exit that stay inside',
    script: `
mkdir d
(cd d; echo x > f; exit 3; echo never)
echo $?
cat d/f
((echo a; (echo b)); (exit 2)) | cat
(echo c; cat) < d/f
`,
    output: '3\nx\na\nb\nc\nx\n',
  },
  {
    name: 'they nest six deep, also in pipes, with room on the stack for what goes wrong there',
    script: `
((((((echo deep))))))
(exit 0) | (cat | (cat | (cat | (cat | (cat | (cat nothing; nosuch; cd nothing | cat))))))
echo $?
`,
    output: `deep
cat: nothing: no such file or directory
sh: nosuch: not found
sh: cd: nothing: no such file or directory
0
`,
  },
];

const builtins: readonly Script[] = [
  {
    name: 'cd goes to a directory, without one to the root, or says why not',
    script: `
mkdir d d/e
echo x > f
cd d; cd e; cd ..; ls; cd ..
cd f; echo $?
cd none; echo $?
cd d d; echo $?
cd d
ls e
cd; ls sh
`,
    output: `e
sh: cd: f: it is no directory
1
sh: cd: none: no such file or directory
1
sh: cd: one directory at most
2
sh
`,
  },
  {
    name: 'exit ends the shell with a status, or with the last one',
    script: '(exit 9)\nexit\necho never\n',
    output: '',
    status: 9,
  },
  {
    name: 'exit takes one number only',
    script: `
(exit abc); echo $?
(exit 1 2); echo $?
(exit 2147483648); echo $?
(exit -); echo $?
exit 99999999999999999999
`,
    output: `sh: exit: one number at most, which an int can hold
2
sh: exit: one number at most, which an int can hold
2
sh: exit: one number at most, which an int can hold
2
sh: exit: one number at most, which an int can hold
2
sh: exit: one number at most, which an int can hold
`,
    status: 2,
  },
  {
    name: 'wait takes nothing',
    script: 'wait 3; echo $?\n',
    output: 'sh: wait: it takes no arguments: it waits for all\n2\n',
  },
];

const programs: readonly Script[] = [
  {
    name: 'what is not found has status 127, what is no program 126',
    script: `
nosuch; echo $?
./nosuch; echo $?
""; echo $?
mkdir d; echo text > t
d; echo $?
t a b; echo $?
./t; echo $?
t/x; echo $?
0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789; echo $?
`,
    output: `sh: nosuch: not found
127
sh: ./nosuch: not found
127
sh: : not found
127
sh: d: cannot run: it is a directory
126
sh: t: cannot run: it is no program, or memory is short
126
sh: ./t: cannot run: it is no program, or memory is short
126
sh: t/x: not found
127
sh: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789: not found
127
`,
  },
  {
    name: 'programs are looked for in /, in /bin, and in the working directory; with a / where it says',
    script: `
mkdir -p /bin
rm -f /bin/in-bin /bin/both
ln /echo here; ln /echo /bin/in-bin; ln /echo both; ln /cat /bin/both
echo a file > echo
here 1; in-bin 2; ./here 3; both echo; echo 4; ./both 5
mkdir d; cd d; ../here 6
rm -f /bin/in-bin /bin/both
`,
    output: '1\n2\n3\na file\n4\n5\n6\n',
  },
  {
    name: 'a command has thirty-one words at most, and 2048 bytes of them',
    script: `
hello 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 | grep 30
echo ${'x'.repeat(500)} ${'y'.repeat(500)} ${'z'.repeat(500)} ${'w'.repeat(539)} > f && wc -c f
echo ${'x'.repeat(500)} ${'y'.repeat(500)} ${'z'.repeat(500)} ${'w'.repeat(540)}; echo $?
(hello ${'x'.repeat(2048)}; echo $?) | cat
cd ${'x'.repeat(2048)}; echo $?
`,
    output: `  argv[30] = 30
   2043 f
sh: the words of a command are longer than 2048 bytes
126
sh: the words of a command are longer than 2048 bytes
126
sh: the words of a command are longer than 2048 bytes
126
`,
  },
];

/** What takes the most of the stack: a job in the background, deep in parentheses, that has an error to tell. */
const DEEPEST =
  '((((((echo a; cat 2>&1 < none/f & wait) | cat) | cat) | cat) | cat) | cat; cd none 2>&1) | cat #';

const shells: readonly Script[] = [
  {
    name: 'sh runs the commands of its argument, of a file, or of descriptor 0',
    script: `
sh -c 'echo a; echo b
echo c "d e"'
echo 'echo f; exit 3' > script
sh script; echo $?
sh < script; echo $?
sh -s < script; echo $?
echo 'echo g' | sh
sh -c ''; echo $?
`,
    output: 'a\nb\nc d e\nf\n3\nf\n3\nf\n3\ng\n0\n',
  },
  {
    name: 'what follows a command on descriptor 0 is there for that command to read',
    script: `
echo 'cat
line one
line two' | sh
echo 'grep -c x
x
y
x' > script
sh < script
`,
    output: 'line one\nline two\n2\n',
  },
  {
    name: 'sh is used as it says, and names what it cannot read',
    script: `
sh -x; echo $?
sh -c; echo $?
sh a b; echo $?
sh none; echo $?
sh /echo; echo $?
mkdir d; sh d; echo $?
sh -c '${'#'.repeat(1400)}'; echo $?
sh -c '${'#'.repeat(1401)}'; echo $?
`,
    output: `usage: sh [-s | -c COMMANDS | FILE]
2
usage: sh [-s | -c COMMANDS | FILE]
2
usage: sh [-s | -c COMMANDS | FILE]
2
sh: none: no such file or directory
127
sh: /echo: line 1: a zero byte: this is no text
2
sh: d: it is a directory
126
0
sh: -c: 1400 bytes at most: put more into a file
2
`,
  },
  {
    name: 'there is room on the stack for the longest argument with the deepest parentheses',
    script: `sh -c '${DEEPEST.padEnd(1400, '#')}'\n`,
    output: 'a\nsh: none/f: no such file or directory\nsh: cd: none: no such file or directory\n',
  },
  {
    name: 'a script has its own descriptor, which its commands do not see',
    script: `
echo 'cat
echo end' > script
echo input | sh script
`,
    output: 'input\nend\n',
  },
];

/** A syntax error of `sh -c`, by the text, the place and what is said. */
const wrong = (text: string, place: string, message: string): Script => ({
  name: `a syntax error: ${JSON.stringify(text)}`,
  script: `sh -c '${text}'\n`,
  output: `sh: ${place}: ${message}\n`,
  status: 2,
});

const errors: readonly Script[] = [
  wrong('echo a; ; echo b', 'line 1, column 9', '`;` where a command should be'),
  wrong('echo a;; echo b', 'line 1, column 8', '`;` where a command should be'),
  wrong('| cat', 'line 1, column 1', '`|` where a command should be'),
  wrong('echo a | | cat', 'line 1, column 10', '`|` where a command should be'),
  wrong('echo a &&', 'line 1, column 10', 'the end where a command should be'),
  wrong('echo a ||\n\n', 'line 3, column 1', 'the end where a command should be'),
  wrong('echo a |& cat', 'line 1, column 9', '`&` where a command should be'),
  wrong('& echo a', 'line 1, column 1', '`&` where a command should be'),
  wrong('echo a )', 'line 1, column 8', '`)` without a `(` before it'),
  wrong('( echo a', 'line 1, column 1', '`(` is not closed'),
  wrong('()', 'line 1, column 1', 'nothing is between the parentheses'),
  wrong('echo (a)', 'line 1, column 6', '`(` where a command should have ended'),
  wrong('(echo a) b', 'line 1, column 10', 'a word where a command should have ended'),
  wrong('(echo a) (echo b)', 'line 1, column 10', '`(` where a command should have ended'),
  wrong('echo "a b', 'line 1, column 6', 'the quote is not closed'),
  wrong('echo \\', 'line 1, column 6', 'something should follow the backslash'),
  wrong('echo a\\\n', 'line 1, column 7', 'something should follow the backslash'),
  wrong('echo a >', 'line 1, column 9', "the end where a file's name should be"),
  wrong('echo a > | cat', 'line 1, column 10', "`|` where a file's name should be"),
  wrong('echo a <\nb', 'line 1, column 9', "the end of a line where a file's name should be"),
  wrong('cat << x', 'line 1, column 6', "a redirection where a file's name should be"),
  wrong('echo a 3> f', 'line 1, column 8', 'only descriptors 0, 1 and 2 can be redirected'),
  wrong('echo a 12> f', 'line 1, column 8', 'only descriptors 0, 1 and 2 can be redirected'),
  wrong('echo a 2>&3', 'line 1, column 8', 'descriptor 0, 1 or 2 should follow `>&`'),
  wrong('echo a 2>&1x', 'line 1, column 8', 'descriptor 0, 1 or 2 should follow `>&`'),
  wrong('echo a$HOME', 'line 1, column 7', 'only $? and $! have a value: write \\$ for the sign itself'),
  wrong('echo "$(ls)"', 'line 1, column 7', 'only $? and $! have a value: write \\$ for the sign itself'),
  wrong('(((((((echo a)))))))', 'line 1, column 7', 'parentheses are nested more than 6 deep'),
  wrong(
    'hello 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31',
    'line 1, column 88',
    'the command has more than 31 words',
  ),
  wrong('a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q', 'line 1, column 32', 'the pipeline has more than 16 commands'),
  {
    name: 'nothing of a line with a syntax error runs, and the shell ends',
    script: 'echo before\necho never; echo never )\necho never\n',
    output: 'before\nsh: line 2, column 24: `)` without a `(` before it\n',
    status: 2,
  },
  {
    name: 'lines are counted from the first, columns from the line of the error',
    script: `sh -c 'echo a
( echo b; (echo c)
'
sh -c '
(echo a
echo b; echo c ) )'
`,
    output: `a
sh: line 2, column 1: \`(\` is not closed
sh: line 3, column 18: \`)\` without a \`(\` before it
`,
    status: 2,
  },
  {
    name: 'a script that ends too early says where it began to miss something',
    script: "echo a\n\n(echo 'b\n\nc",
    output: 'a\nsh: line 3, column 7: the quote is not closed\n',
    status: 2,
  },
  {
    name: 'a command is 4095 bytes long at most, with all its lines',
    script: `
echo '${'x'.repeat(1000)}
${'y'.repeat(1000)}
${'z'.repeat(2000)}' | wc
echo '${'x'.repeat(1000)}
${'y'.repeat(1000)}
${'z'.repeat(2100)}' | wc
`,
    output: `sh: the words of a command are longer than 2048 bytes
      0       0       0
sh: line 5: the command that starts here is longer than 4095 bytes
`,
    status: 2,
  },
  {
    name: 'a line may have so many parts that the shell has no room for them',
    script: `${';x'.repeat(1000).slice(1)}\n`,
    output: 'sh: line 1, column 315: the command has too many parts\n',
    status: 2,
  },
];

export const shellScripts: Readonly<Record<string, readonly Script[]>> = {
  words,
  lists,
  pipes,
  redirections,
  background,
  parentheses,
  builtins,
  programs,
  shells,
  errors,
};
