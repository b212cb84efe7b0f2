/* From text to tokens. Words stay as they are written: words.c says what they stand for. */
#include "sh.h"

struct syntax_error syntax_error;
struct token token;

/* What has not been read of the text. */
static const char *rest;

void set_syntax_error(const char *at, const char *subject, const char *problem, int more) {
  if (syntax_error.problem == 0) {
    syntax_error = (struct syntax_error){.at = at, .subject = subject, .problem = problem, .more = more};
  }
  token.kind = END;
}

const char *token_name(void) {
  static const char *const names[] = {
      [END] = "the end",  [NEWLINE] = "the end of a line", [WORD] = "a word",
      [SEMICOLON] = "`;`", [AMPERSAND] = "`&`",            [AND] = "`&&`",
      [OR] = "`||`",      [BAR] = "`|`",                   [OPEN] = "`(`",
      [CLOSE] = "`)`",    [REDIRECTION] = "a redirection",
  };
  return names[token.kind];
}

static int is_blank(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\r';
}

/* Whether a byte ends a word that it is not quoted in. */
static int ends_word(char byte) {
  return is_blank(byte) || strchr("\n;&|()<>", byte) != 0;
}

/* Passes over blanks, comments and the ends of lines that go on in the next. */
static void skip_blanks(void) {
  for (;;) {
    if (is_blank(*rest)) {
      rest++;
    } else if (rest[0] == '\\' && rest[1] == '\n') {
      rest += 2;
      if (*rest == 0) set_syntax_error(rest - 2, "", "something should follow the backslash", 1);
    } else {
      break;
    }
  }
  if (*rest == '#') {
    while (*rest != 0 && *rest != '\n') rest++;
  }
}

static int is_letter(char byte) {
  return byte == '_' || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static void check_dollar(const char *dollar) {
  char next = dollar[1];
  if (is_letter(next) || (next >= '0' && next <= '9') || (next != 0 && strchr("{(#@*$-", next) != 0)) {
    set_syntax_error(dollar, "", "only $? and $! have a value: write \\$ for the sign itself", 0);
  }
}

/* Passes over what is in quotes; `rest` is at the first of them. */
static void skip_quoted(void) {
  const char *open = rest++;
  while (*rest != *open && *rest != 0) {
    if (*open == '"' && rest[0] == '\\' && rest[1] != 0) rest++;
    else if (*open == '"' && *rest == '$') check_dollar(rest);
    rest++;
  }
  if (*rest == 0) set_syntax_error(open, "", "the quote is not closed", 1);
  else rest++;
}

static void read_word(void) {
  token.kind = WORD;
  while (*rest != 0 && !ends_word(*rest)) {
    if (*rest == '\'' || *rest == '"') {
      skip_quoted();
    } else if (*rest == '\\') {
      if (rest[1] == 0 || (rest[1] == '\n' && rest[2] == 0)) {
        set_syntax_error(rest, "", "something should follow the backslash", 1);
        return;
      }
      rest += 2;
    } else {
      if (*rest == '$') check_dollar(rest);
      rest++;
    }
  }
}

/* How many digits are at `rest`, if nothing is between them and a redirection; else 0. */
static int digits_before_redirection(void) {
  int digits = 0;
  while (rest[digits] >= '0' && rest[digits] <= '9') digits++;
  return rest[digits] == '<' || rest[digits] == '>' ? digits : 0;
}

/* Reads a redirection up to the name of its file, which is another token. */
static void read_redirection(void) {
  int digits = digits_before_redirection();
  int named = digits > 0 ? *rest - '0' : -1;
  rest += digits;
  int output = *rest++ == '>';
  token.kind = REDIRECTION;
  token.redirection = output ? TO_FILE : FROM_FILE;
  token.fd = named >= 0 ? named : output;
  if (token.fd > 2 || digits > 1) {
    set_syntax_error(token.text, "", "only descriptors 0, 1 and 2 can be redirected", 0);
  } else if (output && *rest == '>') {
    token.redirection = APPEND_TO_FILE;
    rest++;
  } else if (output && *rest == '&') {
    token.redirection = COPY;
    rest++;
    if (*rest < '0' || *rest > '2' || (rest[1] != 0 && !ends_word(rest[1]))) {
      set_syntax_error(token.text, "", "descriptor 0, 1 or 2 should follow `>&`", 0);
      return;
    }
    token.from = *rest++ - '0';
  }
}

/* Reads an operator of one byte, or of two that are the same where that is another. */
static void read_operator(enum token_kind once, enum token_kind twice) {
  rest++;
  token.kind = once;
  if (twice == once || *rest != *token.text) return;
  token.kind = twice;
  rest++;
}

void start_tokens(const char *text) {
  rest = text;
  syntax_error.problem = 0;
  next_token();
}

void next_token(void) {
  if (syntax_error.problem != 0) return;
  skip_blanks();
  token.text = rest;
  token.kind = END;
  switch (*rest) {
    case 0:
      break;
    case '\n':
      read_operator(NEWLINE, NEWLINE);
      break;
    case ';':
      read_operator(SEMICOLON, SEMICOLON);
      break;
    case '&':
      read_operator(AMPERSAND, AND);
      break;
    case '|':
      read_operator(BAR, OR);
      break;
    case '(':
      read_operator(OPEN, OPEN);
      break;
    case ')':
      read_operator(CLOSE, CLOSE);
      break;
    case '<':
    case '>':
      read_redirection();
      break;
    default:
      if (digits_before_redirection() > 0) read_redirection();
      else read_word();
  }
  if (syntax_error.problem != 0) token.kind = END;
  token.length = (int)(rest - token.text);
}
