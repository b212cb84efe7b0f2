/*
 * A compiler from end to end, over sources that it makes up itself: text, tokens, a tree, the tree folded, code for a
 * stack machine, that code tidied; then both the tree and the code are run and must agree. Many functions, none of them
 * hot alone: what runs is spread over several pages.
 */
#include "program.h"

#define SOURCE_BYTES 16384
#define MOST_NODES 8192
#define MOST_CODE 16384
#define VARIABLES 16
/* Loops are cut off there, in the tree and in the code alike. */
#define MOST_TURNS 12

/* ---- the source, made up ---- */

static char source[SOURCE_BYTES + 512];
static u32 source_bytes;
static u64 random_state;

static u32 below(u32 limit) { return (u32)(next_random(&random_state) >> 33) % limit; }

static void put_text(const char *words) {
  while (*words != '\0') source[source_bytes++] = *words++;
}

static void put_number(u32 number) {
  char digits[10];
  int count = 0;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  while (count > 0) source[source_bytes++] = digits[--count];
}

static void put_variable(void) {
  put_text("v");
  put_number(below(VARIABLES));
}

static void put_expression(u32 depth) {
  static const char *const operators[] = {" + ", " - ", " * ", " / ", " % ", " < ",  " > ", " <= ",
                                          " == ", " != ", " & ", " | ", " ^ ", " << ", " >> ", " && "};
  u32 kind = below(depth == 0 ? 2 : 8);
  if (kind == 0) {
    put_number(below(3) == 0 ? below(100000) : below(4));
  } else if (kind == 1) {
    put_variable();
  } else if (kind == 2) {
    put_text(below(2) == 0 ? "-" : "!");
    put_text("(");
    put_expression(depth - 1);
    put_text(")");
  } else {
    int bracketed = below(3) == 0;
    if (bracketed) put_text("(");
    put_expression(depth - 1);
    put_text(operators[below(16)]);
    put_expression(depth - 1);
    if (bracketed) put_text(")");
  }
}

static void put_statement(u32 depth) {
  u32 kind = below(depth == 0 ? 3 : 6);
  if (kind < 4) {
    put_variable();
    put_text(" = ");
    put_expression(3);
    put_text(";\n");
    return;
  }
  put_text(kind == 4 ? "if (" : "while (");
  put_expression(2);
  put_text(") {\n");
  for (u32 count = 1 + below(3); count > 0; count--) put_statement(depth - 1);
  put_text("}");
  if (kind == 4 && below(2) == 0) {
    put_text(" else {\n");
    put_statement(depth - 1);
    put_text("}");
  }
  put_text("\n");
}

/* ---- tokens ---- */

enum { END, NUMBER, NAME, IF, ELSE, WHILE, SHIFT_LEFT, SHIFT_RIGHT, NOT_MORE, NOT_LESS, EQUAL, UNEQUAL, BOTH, EITHER };

static const char *reading;
static u32 token;
static i64 token_value;

static int is_letter(char byte) { return (byte >= 'a' && byte <= 'z') || byte == '_'; }
static int is_digit(char byte) { return byte >= '0' && byte <= '9'; }

static u32 keyword(const char *from, u32 length) {
  static const struct {
    const char *word;
    u32 length, token;
  } keywords[] = {{"if", 2, IF}, {"else", 4, ELSE}, {"while", 5, WHILE}};
  for (u32 index = 0; index < 3; index++) {
    if (keywords[index].length != length) continue;
    u32 same = 0;
    while (same < length && from[same] == keywords[index].word[same]) same++;
    if (same == length) return keywords[index].token;
  }
  return NAME;
}

static u32 pair(char second, u32 both) {
  if (reading[1] != second) return (u8)*reading++;
  reading += 2;
  return both;
}

static void next_token(void) {
  while (*reading == ' ' || *reading == '\n') reading++;
  if (*reading == '\0') {
    token = END;
  } else if (is_digit(*reading)) {
    token = NUMBER;
    for (token_value = 0; is_digit(*reading); reading++) token_value = token_value * 10 + (*reading - '0');
  } else if (is_letter(*reading)) {
    const char *from = reading;
    while (is_letter(*reading)) reading++;
    token = keyword(from, (u32)(reading - from));
    for (token_value = 0; is_digit(*reading); reading++) token_value = token_value * 10 + (*reading - '0');
  } else {
    switch (*reading) {
      case '<': token = reading[1] == '<' ? pair('<', SHIFT_LEFT) : pair('=', NOT_MORE); break;
      case '>': token = reading[1] == '>' ? pair('>', SHIFT_RIGHT) : pair('=', NOT_LESS); break;
      case '=': token = pair('=', EQUAL); break;
      case '!': token = pair('=', UNEQUAL); break;
      case '&': token = pair('&', BOTH); break;
      case '|': token = pair('|', EITHER); break;
      default: token = (u8)*reading++;
    }
  }
}

static void expect(u32 wanted) {
  if (token != wanted) fail("compiler: a token is not where it should be");
  next_token();
}

/* ---- the tree ---- */

typedef struct node {
  u32 kind;
  i64 value;
  struct node *left, *right, *more, *next;
} node;

enum { ASSIGN = 256, NEGATE };

static node nodes[MOST_NODES];
static u32 nodes_used;

static node *make(u32 kind, node *left, node *right) {
  if (nodes_used == MOST_NODES) fail("compiler: the tree is too large");
  node *made = &nodes[nodes_used++];
  *made = (node){.kind = kind, .left = left, .right = right};
  return made;
}

static node *parse_binary(u32 level);

static node *parse_primary(void) {
  u32 kind = token;
  node *made;
  if (kind == NUMBER || kind == NAME) {
    made = make(kind, 0, 0);
    made->value = token_value;
    next_token();
    return made;
  }
  if (kind == '-' || kind == '!') {
    next_token();
    return make(kind == '-' ? NEGATE : '!', parse_primary(), 0);
  }
  expect('(');
  made = parse_binary(1);
  expect(')');
  return made;
}

/* How tightly an operator binds, 0 for what is none. */
static u32 level_of(u32 operator) {
  switch (operator) {
    case EITHER: return 1;
    case BOTH: return 2;
    case '|': return 3;
    case '^': return 4;
    case '&': return 5;
    case EQUAL: case UNEQUAL: return 6;
    case '<': case '>': case NOT_MORE: case NOT_LESS: return 7;
    case SHIFT_LEFT: case SHIFT_RIGHT: return 8;
    case '+': case '-': return 9;
    case '*': case '/': case '%': return 10;
    default: return 0;
  }
}

static node *parse_binary(u32 level) {
  node *left = parse_primary();
  for (u32 binds = level_of(token); binds >= level; binds = level_of(token)) {
    u32 operator = token;
    next_token();
    left = make(operator, left, parse_binary(binds + 1));
  }
  return left;
}

static node *parse_statement(void);

static node *parse_block(void) {
  node *first = 0;
  node **link = &first;
  expect('{');
  while (token != '}') {
    *link = parse_statement();
    link = &(*link)->next;
  }
  next_token();
  return first;
}

static node *parse_statement(void) {
  node *made;
  u32 kind = token;
  if (kind == NAME) {
    i64 variable = token_value;
    next_token();
    expect('=');
    made = make(ASSIGN, parse_binary(1), 0);
    made->value = variable;
    expect(';');
    return made;
  }
  if (kind != IF && kind != WHILE) fail("compiler: no statement begins so");
  next_token();
  expect('(');
  made = make(kind, parse_binary(1), 0);
  expect(')');
  made->right = parse_block();
  if (kind == IF && token == ELSE) {
    next_token();
    made->more = parse_block();
  }
  return made;
}

/* ---- what operators mean, for all who run them ---- */

static i64 apply(u32 operator, i64 a, i64 b) {
  switch (operator) {
    case '+': return (i64)((u64)a + (u64)b);
    case '-': return (i64)((u64)a - (u64)b);
    case '*': return (i64)((u64)a * (u64)b);
    case '/': return b == 0 || b == -1 ? (i64)-(u64)a : a / b;
    case '%': return b == 0 || b == -1 ? 0 : a % b;
    case '<': return a < b;
    case '>': return a > b;
    case NOT_MORE: return a <= b;
    case NOT_LESS: return a >= b;
    case EQUAL: return a == b;
    case UNEQUAL: return a != b;
    case '&': return a & b;
    case '|': return a | b;
    case '^': return a ^ b;
    case SHIFT_LEFT: return (i64)((u64)a << (b & 63));
    case SHIFT_RIGHT: return a >> (b & 63);
    case BOTH: return a != 0 && b != 0;
    case EITHER: return a != 0 || b != 0;
    default: fail("compiler: no such operator");
  }
}

/* ---- folding ---- */

static int is_number(const node *at, i64 value) { return at->kind == NUMBER && at->value == value; }

static node *fold(node *at) {
  if (at == 0 || at->kind == NUMBER || at->kind == NAME) return at;
  at->left = fold(at->left);
  if (at->kind == NEGATE || at->kind == '!') {
    if (at->left->kind == NUMBER) {
      at->value = at->kind == '!' ? at->left->value == 0 : (i64)-(u64)at->left->value;
      at->kind = NUMBER;
    }
    return at;
  }
  if (at->kind == ASSIGN) return at;
  at->right = fold(at->right);
  if (at->left->kind == NUMBER && at->right->kind == NUMBER) {
    at->value = apply(at->kind, at->left->value, at->right->value);
    at->kind = NUMBER;
    return at;
  }
  switch (at->kind) {
    case '+': case '|': case '^':
      if (is_number(at->left, 0)) return at->right;
      if (is_number(at->right, 0)) return at->left;
      break;
    case '*':
      if (is_number(at->left, 1)) return at->right;
      if (is_number(at->right, 1)) return at->left;
      break;
    case '-': case SHIFT_LEFT: case SHIFT_RIGHT:
      if (is_number(at->right, 0)) return at->left;
      break;
  }
  return at;
}

static void fold_statements(node *first) {
  for (node *at = first; at != 0; at = at->next) {
    at->left = fold(at->left);
    if (at->kind == ASSIGN) continue;
    fold_statements(at->right);
    fold_statements(at->more);
  }
}

/* ---- code ---- */

enum { PUSH, LOAD, STORE, STORE_KEEP, OPERATE, NEGATED, INVERTED, JUMP, JUMP_IF_ZERO, BEGIN_LOOP, COUNT_TURN, END_LOOP, STOP, NOTHING };

typedef struct {
  u32 operation;
  u32 operator;
  i64 operand;
} instruction;

static instruction code[MOST_CODE];
static u32 code_used;

static u32 emit(u32 operation, u32 operator, i64 operand) {
  if (code_used == MOST_CODE) fail("compiler: too much code");
  code[code_used] = (instruction){operation, operator, operand};
  return code_used++;
}

static void emit_expression(const node *at) {
  switch (at->kind) {
    case NUMBER: emit(PUSH, 0, at->value); return;
    case NAME: emit(LOAD, 0, at->value); return;
    case NEGATE:
      emit_expression(at->left);
      emit(NEGATED, 0, 0);
      return;
    case '!':
      emit_expression(at->left);
      emit(INVERTED, 0, 0);
      return;
    default:
      emit_expression(at->left);
      emit_expression(at->right);
      emit(OPERATE, at->kind, 0);
  }
}

static void emit_statements(const node *first) {
  for (const node *at = first; at != 0; at = at->next) {
    if (at->kind == ASSIGN) {
      emit_expression(at->left);
      emit(STORE, 0, at->value);
    } else if (at->kind == IF) {
      emit_expression(at->left);
      u32 skip = emit(JUMP_IF_ZERO, 0, 0);
      emit_statements(at->right);
      if (at->more != 0) {
        u32 end = emit(JUMP, 0, 0);
        code[skip].operand = code_used;
        emit_statements(at->more);
        skip = end;
      }
      code[skip].operand = code_used;
    } else {
      emit(BEGIN_LOOP, 0, 0);
      u32 top = code_used;
      emit_expression(at->left);
      u32 leave = emit(JUMP_IF_ZERO, 0, 0);
      u32 enough = emit(COUNT_TURN, 0, 0);
      emit_statements(at->right);
      emit(JUMP, 0, top);
      code[leave].operand = code_used;
      code[enough].operand = code_used;
      emit(END_LOOP, 0, 0);
    }
  }
}

static u8 is_target[MOST_CODE + 1];

/* A variable that is stored and loaded at once stays on the stack; jumps to jumps go to the end of the way. */
static u32 tidy(void) {
  u32 changed = 0;
  memset(is_target, 0, sizeof is_target);
  for (u32 at = 0; at < code_used; at++) {
    if (code[at].operation == JUMP || code[at].operation == JUMP_IF_ZERO || code[at].operation == COUNT_TURN) {
      while (code[code[at].operand].operation == JUMP) {
        if (code[at].operand == code[code[at].operand].operand) break;
        code[at].operand = code[code[at].operand].operand;
        changed++;
      }
      is_target[code[at].operand] = 1;
    }
  }
  for (u32 at = 0; at + 1 < code_used; at++) {
    if (code[at].operation != STORE || code[at + 1].operation != LOAD || is_target[at + 1]) continue;
    if (code[at].operand != code[at + 1].operand) continue;
    code[at].operation = STORE_KEEP;
    code[at + 1].operation = NOTHING;
    changed++;
  }
  return changed;
}

/* ---- both are run ---- */

static i64 variables[VARIABLES];

static i64 evaluate(const node *at) {
  switch (at->kind) {
    case NUMBER: return at->value;
    case NAME: return variables[at->value];
    case NEGATE: return (i64)-(u64)evaluate(at->left);
    case '!': return evaluate(at->left) == 0;
    default: {
      i64 left = evaluate(at->left);
      return apply(at->kind, left, evaluate(at->right));
    }
  }
}

static void execute(const node *first) {
  for (const node *at = first; at != 0; at = at->next) {
    if (at->kind == ASSIGN) variables[at->value] = evaluate(at->left);
    else if (at->kind == IF) execute(evaluate(at->left) != 0 ? at->right : at->more);
    else
      for (u32 turns = 0; evaluate(at->left) != 0 && turns < MOST_TURNS; turns++) execute(at->right);
  }
}

static void run_code(void) {
  i64 stack[64];
  u32 turns[16];
  i64 *top = stack;
  u32 *loop = turns;
  for (const instruction *at = code;; at++) {
    switch (at->operation) {
      case PUSH: *++top = at->operand; break;
      case LOAD: *++top = variables[at->operand]; break;
      case STORE: variables[at->operand] = *top--; break;
      case STORE_KEEP: variables[at->operand] = *top; break;
      case OPERATE: top--; top[0] = apply(at->operator, top[0], top[1]); break;
      case NEGATED: *top = (i64)-(u64)*top; break;
      case INVERTED: *top = *top == 0; break;
      case JUMP: at = code + at->operand - 1; break;
      case JUMP_IF_ZERO: if (*top-- == 0) at = code + at->operand - 1; break;
      case BEGIN_LOOP: *++loop = 0; break;
      case COUNT_TURN: if ((*loop)++ == MOST_TURNS) at = code + at->operand - 1; break;
      case END_LOOP: loop--; break;
      case NOTHING: break;
      case STOP: return;
    }
  }
}

static u64 digest(void) {
  u64 checksum = 0;
  for (u32 index = 0; index < VARIABLES; index++) checksum = mix(checksum, (u64)variables[index]);
  return checksum;
}

static void reset_variables(void) {
  for (u32 index = 0; index < VARIABLES; index++) variables[index] = index * 5;
}

u64 run(void) {
  u64 checksum = 0;
  random_state = 5495489203582975003ul;
  for (int round = 0; round < RUNS; round++) {
    node *program = 0;
    node **link = &program;
    source_bytes = nodes_used = code_used = 0;
    while (source_bytes < 2500) put_statement(2);
    source[source_bytes] = '\0';
    reading = source;
    next_token();
    while (token != END) {
      *link = parse_statement();
      link = &(*link)->next;
    }
    fold_statements(program);
    emit_statements(program);
    emit(STOP, 0, 0);
    checksum = mix(checksum, tidy() + code_used);
    reset_variables();
    execute(program);
    u64 expected = digest();
    reset_variables();
    run_code();
    if (digest() != expected) fail("compiler: the tree and its code disagree");
    checksum = mix(checksum, expected);
  }
  return checksum;
}
