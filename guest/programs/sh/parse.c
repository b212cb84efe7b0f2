/* From tokens to jobs, by recursive descent. Nothing runs before all of a text has been parsed. */
#include "sh.h"

static struct job *parse_jobs(int depth);

/* ---- Memory ---- */

static _Alignas(8) char tree[TREE_BYTES];
static size_t tree_used;

/* Zeroed memory for a part of the tree; null, with an error noted, when that is full. */
static void *allocate(size_t size) {
  size = (size + 7) / 8 * 8;
  if (sizeof tree - tree_used < size) {
    set_syntax_error(token.text, "", "the command has too many parts", 0);
    return 0;
  }
  void *part = tree + tree_used;
  tree_used += size;
  return memset(part, 0, size);
}

/* ---- Parts ---- */

static void skip_newlines(void) {
  while (token.kind == NEWLINE) next_token();
}

/* More lines help where what is missing could be in them. */
static void unexpected(const char *problem) {
  set_syntax_error(token.text, token_name(), problem, token.kind == END);
}

/* Each of these adds to the end of a list and gives the new end, null when there is an error. */

static struct word **parse_word(struct word **end) {
  struct word *word = *end = allocate(sizeof *word);
  if (word == 0) return 0;
  word->text = token.text;
  word->length = token.length;
  next_token();
  return &word->next;
}

static struct redirection **parse_redirection(struct redirection **end) {
  struct redirection *redirection = *end = allocate(sizeof *redirection);
  if (redirection == 0) return 0;
  redirection->kind = token.redirection;
  redirection->fd = token.fd;
  redirection->from = token.from;
  next_token();
  if (redirection->kind == COPY) return &redirection->next;
  if (token.kind != WORD) {
    /* A name on the next line would be taken for a command by whoever reads this. */
    set_syntax_error(token.text, token_name(), " where a file's name should be", 0);
    return 0;
  }
  redirection->path.text = token.text;
  redirection->path.length = token.length;
  next_token();
  return &redirection->next;
}

static void parse_simple(struct command *command) {
  struct word **word = &command->words;
  struct redirection **redirection = &command->redirections;
  int words = 0;
  while (word != 0 && redirection != 0) {
    if (token.kind == REDIRECTION) {
      redirection = parse_redirection(redirection);
    } else if (token.kind == WORD) {
      if (++words > WORDS_MOST) set_syntax_error(token.text, "", "the command has more than 31 words", 0);
      else word = parse_word(word);
    } else {
      return;
    }
  }
}

static void parse_parentheses(struct command *command, int depth) {
  const char *open = token.text;
  if (depth == NESTING_MOST) set_syntax_error(open, "", "parentheses are nested more than 6 deep", 0);
  next_token();
  command->inside = parse_jobs(depth + 1);
  if (token.kind != CLOSE) set_syntax_error(open, "`(`", " is not closed", 1);
  if (command->inside == 0) set_syntax_error(open, "", "nothing is between the parentheses", 0);
  next_token();
  struct redirection **redirection = &command->redirections;
  while (redirection != 0 && token.kind == REDIRECTION) redirection = parse_redirection(redirection);
}

static void parse_command(struct command *command, int depth) {
  if (token.kind == OPEN) parse_parentheses(command, depth);
  else if (token.kind == WORD || token.kind == REDIRECTION) parse_simple(command);
  else unexpected(" where a command should be");
}

static struct command *parse_commands(int depth) {
  struct command *first = 0, **end = &first;
  for (int count = 1;; count++) {
    struct command *command = *end = allocate(sizeof *command);
    if (command == 0) return 0;
    parse_command(command, depth);
    if (token.kind != BAR) return first;
    if (count == COMMANDS_MOST) set_syntax_error(token.text, "", "the pipeline has more than 16 commands", 0);
    end = &command->next;
    next_token();
    skip_newlines();
  }
}

static struct pipeline *parse_pipelines(int depth) {
  struct pipeline *first = 0, **end = &first;
  enum condition condition = ALWAYS;
  for (;;) {
    struct pipeline *pipeline = *end = allocate(sizeof *pipeline);
    if (pipeline == 0) return 0;
    pipeline->condition = condition;
    pipeline->commands = parse_commands(depth);
    if (token.kind != AND && token.kind != OR) return first;
    condition = token.kind == AND ? IF_GOOD : IF_BAD;
    end = &pipeline->next;
    next_token();
    skip_newlines();
  }
}

/* Parses jobs up to a `)` or the end. */
static struct job *parse_jobs(int depth) {
  struct job *first = 0, **end = &first;
  for (;;) {
    skip_newlines();
    if (token.kind == END || token.kind == CLOSE) return first;
    struct job *job = *end = allocate(sizeof *job);
    if (job == 0) return 0;
    job->pipelines = parse_pipelines(depth);
    end = &job->next;
    if (token.kind == AMPERSAND || token.kind == SEMICOLON || token.kind == NEWLINE) {
      job->in_background = token.kind == AMPERSAND;
      next_token();
    } else if (token.kind != END && token.kind != CLOSE) {
      unexpected(" where a command should have ended");
    }
  }
}

struct job *parse(const char *text) {
  tree_used = 0;
  start_tokens(text);
  struct job *jobs = parse_jobs(0);
  if (token.kind == CLOSE) set_syntax_error(token.text, "`)`", " without a `(` before it", 0);
  return syntax_error.problem == 0 ? jobs : 0;
}
