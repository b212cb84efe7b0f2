/* Where commands come from, prompts, and what is said of commands that cannot be parsed. */
#include "sh.h"

static const char usage[] = "sh [-s | -c COMMANDS | FILE]";

/* What Ctrl-C types. */
#define INTERRUPTION '\003'

/* The lines of the command in hand, and the number of the first and of the latest. */
static char text[TEXT_MOST];
static int first_line, last_line;

/* What errors are said of, with `: ` after it. */
static const char *source_name = "", *source_colon = "";

/* Where lines come from. Descriptor 0 is read byte by byte: what follows a command may be for that command. */
static char bytes[512];
static struct reader source = {.bytes = bytes, .size = 1};

/* A shell needs descriptors 0, 1 and 2: where one is not open it is the console. */
static void open_descriptors(void) {
  int fd;
  while ((fd = open("/console", O_RDWR)) >= 0) {
    if (fd <= 2) continue;
    close(fd);
    return;
  }
}

static void open_source(int argc, char *argv[]) {
  struct stat status;
  if (argc == 1) {
    interactive = fstat(0, &status) == 0 && status.type == TYPE_DEVICE;
  } else if (strcmp(argv[1], "-s") == 0 && argc == 2) {
    interactive = 0;
  } else if (strcmp(argv[1], "-c") == 0 && argc == 3) {
    if (strlen(argv[2]) > COMMAND_ARGUMENT_MOST) {
      fprintf(2, "sh: -c: %d bytes at most: put more into a file\n", COMMAND_ARGUMENT_MOST);
      exit(WRONG_USAGE);
    }
    source = (struct reader){.fd = -1, .bytes = argv[2], .used = (int)strlen(argv[2])};
  } else if (argv[1][0] != '-' && argc == 2) {
    script = open(argv[1], O_RDONLY);
    if (script < 0) {
      fprintf(2, "sh: %s: %s\n", argv[1], why_not_opened(argv[1]));
      exit(NOT_FOUND);
    }
    if (fstat(script, &status) == 0 && status.type == TYPE_DIRECTORY) {
      fprintf(2, "sh: %s: it is a directory\n", argv[1]);
      exit(CANNOT_RUN);
    }
    source.fd = script;
    source.size = sizeof bytes;
    source_name = argv[1];
    source_colon = ": ";
  } else {
    end_with_usage(usage);
  }
}

/* ---- Errors ---- */

static void say_line(int line, const char *problem) {
  fprintf(2, "sh: %s%sline %d: %s\n", source_name, source_colon, line, problem);
}

static void say_syntax_error(void) {
  int line = first_line, column = 1;
  for (const char *at = text; at < syntax_error.at; at++) {
    column = *at == '\n' ? 1 : column + 1;
    if (*at == '\n') line++;
  }
  fprintf(2, "sh: %s%sline %d, column %d: %s%s\n", source_name, source_colon, line, column, syntax_error.subject,
          syntax_error.problem);
}

/* ---- Commands ---- */

enum reading { READ_COMMAND, READ_ERROR, READ_NOTHING };

/* Reads a line to the end of `text`. */
static enum reading add_line(long *length) {
  if (interactive) fprintf(2, *length == 0 ? "$ " : "> ");
  long room = (long)sizeof text - *length;
  long added = read_line(&source, text + *length, room);
  if (added == READ_END) return READ_NOTHING;
  last_line++;
  if (added == READ_FAILED) {
    say_line(last_line, "it cannot be read");
    exit(WRONG_USAGE);
  }
  if ((long)strlen(text + *length) != (added == LINE_TOO_LONG ? room - 1 : added)) {
    say_line(last_line, "a zero byte: this is no text");
  } else if (added == LINE_TOO_LONG) {
    say_line(first_line, "the command that starts here is longer than 4095 bytes");
  } else {
    *length += added;
    return READ_COMMAND;
  }
  return READ_ERROR;
}

static int is_interrupted(void) {
  return interactive && strchr(text, INTERRUPTION) != 0;
}

/* Reads as many lines as a command takes, and parses them. */
static enum reading read_command(struct job **jobs) {
  long length = 0;
  first_line = last_line + 1;
  for (;;) {
    enum reading reading = add_line(&length);
    if (reading == READ_ERROR || (reading == READ_NOTHING && length == 0)) return reading;
    if (reading == READ_COMMAND) {
      if (is_interrupted()) return READ_COMMAND;
      *jobs = parse(text);
      if (syntax_error.problem == 0) return READ_COMMAND;
      if (syntax_error.more) continue;
    }
    say_syntax_error();
    return READ_ERROR;
  }
}

int main(int argc, char *argv[]) {
  open_descriptors();
  open_source(argc, argv);
  for (;;) {
    struct job *jobs = 0;
    enum reading reading = read_command(&jobs);
    if (reading == READ_NOTHING) break;
    if (reading == READ_ERROR) {
      last_status = WRONG_USAGE;
      if (!interactive) break;
      continue;
    }
    run_jobs(jobs, COMES_BACK);
  }
  if (interactive) fprintf(2, "\n");
  return last_status == KILLED ? 255 : last_status;
}
