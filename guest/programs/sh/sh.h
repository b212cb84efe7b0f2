/*
 * The shell: reads commands and runs them.
 *
 *   sh                reads descriptor 0; on a console it prompts, on descriptor 2
 *   sh -s             reads descriptor 0 and never prompts
 *   sh -c COMMANDS    runs its argument
 *   sh FILE           runs the commands in a file
 *
 * The language, from the inside out:
 *
 *   word          bytes up to a blank or operator. '…' keeps all bytes as they are, "…" all but
 *                 `$`, and `\` before one of `$ " \`; `\` keeps the next byte, and a newline after
 *                 it is nothing. `$?` is the last status, `$!` the last job's process in the
 *                 background. There are no other variables, and no wildcards.
 *   redirection   < FILE, > FILE, >> FILE, before it 0, 1 or 2 for another descriptor; 2>&1
 *   command       words and redirections, or ( jobs ) and redirections: those run in a process of
 *                 their own. Programs are looked for in /, in /bin, and from the working directory
 *                 on; with a `/` in the name only where it says. The shell's own commands: cd
 *                 [DIRECTORY], exit [STATUS], wait (for all jobs in the background).
 *   pipeline      command | command …, whose status is the last one's
 *   job           pipeline && pipeline || pipeline …, from the left
 *   jobs          jobs with `;`, `&` or a newline between them. `&` leaves a job to run in the
 *                 background, with nothing to read unless it redirects its input.
 *   # …           a comment, where a word could start
 *
 * Statuses: those of programs; -1 of what was killed; 1 a redirection failed; 2 a syntax error;
 * 126 no program, or no process for it; 127 not found. The shell itself never ends with -1, which
 * is to mean that it was killed: it ends with 255 then. A syntax error ends a shell that does not
 * prompt. One that does gives up the rest of a line when what it waits for is killed, because that
 * is how Ctrl-C shows here; and, while it reads a command, all of it when a line has byte 3, which
 * is what Ctrl-C types.
 *
 * Files, the later ones using the earlier: tokens.c, parse.c (text to jobs), words.c (what words
 * stand for), redirect.c, builtins.c, background.c, run.c, main.c. The stack is one page: buffers
 * are static, which suits processes that fork, and parentheses nest to a limit.
 */
#ifndef SH_H
#define SH_H

#include "tools.h"

#define TEXT_MOST 4096   /* a command with all its lines, and a zero byte */
#define TREE_BYTES 16384 /* what is parsed of it */
#define COMMANDS_MOST 16 /* of a pipeline */

/*
 * The kernel puts a program's arguments into the page that is its stack, each at a multiple of 16
 * bytes. So many leave a third of it for the program, and as many words as the kernel takes.
 */
#define WORDS_MOST 31
#define ARGUMENT_BYTES 2048

/* A level of parentheses takes 192 bytes of the stack, what is around them 1300, and -c its argument. */
#define NESTING_MOST 6
#define COMMAND_ARGUMENT_MOST 1400

#define KILLED (-1)
#define REDIRECTION_FAILED 1
#define WRONG_USAGE 2
#define CANNOT_RUN 126
#define NOT_FOUND 127

/* ---- Tokens (tokens.c) ---- */

enum token_kind {
  END,
  NEWLINE,
  WORD,
  SEMICOLON,
  AMPERSAND,
  AND,
  OR,
  BAR,
  OPEN,
  CLOSE,
  REDIRECTION,
};

enum redirection_kind { FROM_FILE, TO_FILE, APPEND_TO_FILE, COPY };

struct token {
  enum token_kind kind;
  const char *text; /* in the text that is parsed */
  int length;
  enum redirection_kind redirection;
  int fd;   /* that is redirected */
  int from; /* COPY: the descriptor that it is to be a copy of */
};

/* What is wrong with the text: `subject` and `problem` are one sentence. No problem: null. */
struct syntax_error {
  const char *at;
  const char *subject;
  const char *problem;
  int more; /* more lines could make it right */
};

extern struct syntax_error syntax_error;
extern struct token token;

/* Makes the first token of a text `token`. */
void start_tokens(const char *text);

/* Makes the next one `token`. After an error it is END, so that whoever parses comes to an end. */
void next_token(void);

/* Notes an error, unless there has been one before. */
void set_syntax_error(const char *at, const char *subject, const char *problem, int more);

/* As messages name the present token. */
const char *token_name(void);

/* ---- Commands (parse.c) ---- */

/* A part of the text, quotes and all. */
struct word {
  const char *text;
  int length;
  struct word *next;
};

struct redirection {
  enum redirection_kind kind;
  int fd, from;
  struct word path;
  struct redirection *next;
};

struct command {
  struct job *inside; /* of parentheses; null for a simple command */
  struct word *words;
  struct redirection *redirections;
  struct command *next; /* that reads what this one writes */
};

enum condition { ALWAYS, IF_GOOD, IF_BAD };

struct pipeline {
  enum condition condition; /* on the status before */
  struct command *commands;
  struct pipeline *next;
};

struct job {
  struct pipeline *pipelines;
  int in_background;
  struct job *next;
};

/*
 * Parses a text, which must stay while the jobs are used. Gives null where there are none, and
 * where there is an error, in `syntax_error`. The next call reuses the memory.
 */
struct job *parse(const char *text);

/* ---- Words (words.c) ---- */

/* Puts what a word stands for, and a zero byte, to `to`; gives what follows it, null if `end` does not leave room. */
char *expand(const struct word *word, char *to, const char *end);

/* What a simple command's words stand for: the arguments of what is to be run, and a null. */
extern char *arguments[WORDS_MOST + 1];
extern int argument_count;

/* Fills in `arguments`; 0, or -1 when that has been said not to go. */
int expand_arguments(const struct command *command);

/* ---- Running (redirect.c, builtins.c, background.c, run.c) ---- */

/* The status of what ran last, and the last job put into the background, 0 if none. */
extern int last_status, last_background;

/* Whether this process prompts. */
extern int interactive;

/* The descriptor that commands are read from, -1 if that is 0 or none; commands do not get it. */
extern int script;

/* Makes descriptor `to` what `from` is, and closes `from`; 0 or -1. All descriptors up to `to` must be open. */
int move_descriptor(int from, int to);

/* Makes redirections in this process; 0, or -1 when one failed and that has been said. */
int redirect(const struct redirection *redirection);

/* Does the same, with descriptors 0, 1 and 2 kept in `saved`; put_back() has them back. */
int redirect_for_now(const struct redirection *redirection, int saved[3]);
void put_back(int saved[3]);

/* Whether `arguments` are one of the shell's own commands, and runs it; gives its status. */
int is_builtin(void);
int run_builtin(void);

/* Leaves a job to init, which this process does not wait for; gives the status. */
int start_in_background(const struct job *job);

/* Waits until no job is left in the background; gives the status. */
int wait_for_background(void);

/* What a child has to do that is not to know of its parent's jobs. */
void forget_background(void);

/* fork() for commands: the child is no shell that prompts. */
int fork_command(void);

/* Waits for these children of this process; gives the status of the last. */
int wait_for(int *pids, int count);

/* Runs jobs, or what one is made of, one after another; `last_status` says how that went. */
enum ending { COMES_BACK, ENDS_HERE }; /* ENDS_HERE: this process may become the last command, and exits. */
void run_jobs(const struct job *job, enum ending ending);
void run_pipelines(const struct pipeline *pipeline, enum ending ending);

#endif
