/*
 * chaos SEED CALLS [PROCESSES]: random system calls with random arguments, until at least so many
 * have been made; the same seed makes the same calls wherever time goes by instructions.
 *
 * It goes by rounds. In each, so many processes (3 unless said) start in a small tree of files and
 * make calls, fork, execute this program again, and are killed, by each other or because they wait
 * for what never comes. Each knows what its answers and its memory must be (worker.c, memory.c);
 * rules.c says which calls are not made, and why. After a round the supervisor reaps all, removes
 * the tree and makes sure that nothing is left: no process, no file, no memory.
 *
 * It prints one line, and ends with 0 if all went well. Whoever finds something wrong prints a
 * line of it, on descriptor 2, with the seed. Nothing else should be started on the machine
 * meanwhile: processes kill by number.
 */
#include "chaos.h"

#define MOST_PROCESSES 8
/* Calls of a first process and those that it forks, in a round. */
#define BUDGET 250
/* A round that has not ended by then waits for something that never comes. */
#define PATIENCE_TICKS 20
/* Memory is compared after so many rounds: to count it takes all of it. */
#define ROUNDS_A_MEASURE 16
/* Rounds in a row that may go by without a call. */
#define MOST_IDLE 10

static const char usage[] = "chaos SEED CALLS [PROCESSES]";
static int failed;

#define say(format, ...) \
  (failed = 1, fprintf(COMPLAINTS, "chaos: %lu: " format "\n", worker.seed __VA_OPT__(, ) __VA_ARGS__))

/* ---- The tree ---- */

static void make_text(const char *path, int size) {
  int fd = open(path, O_CREATE | O_WRONLY);
  for (int i = 0; fd >= 0 && i < size; i += 100) {
    if (write(fd, text_start + i, 100) != 100) break;
  }
  if (fd < 0) say("%s cannot be made", path);
  close(fd);
}

static void make_tree(void) {
  static const char *const directories[] = {ROOM, ROOM "/1", HOME, HOME "/d", HOME "/d/e"};
  for (unsigned i = 0; i < sizeof directories / sizeof directories[0]; i++) {
    if (mkdir(directories[i]) != 0) say("%s cannot be made", directories[i]);
  }
  make_text(HOME "/a", 1000);
  make_text(HOME "/d/b", 3000);
  if (link(HOME "/a", HOME "/d/a") != 0) say("%s cannot be linked", HOME "/a");
  /* What begins as a program: exec must find out that the rest is missing. */
  int from = open(worker.self, O_RDONLY), to = open(HOME "/prog", O_CREATE | O_WRONLY);
  static char bytes[400];
  if (read(from, bytes, sizeof bytes) != sizeof bytes || write(to, bytes, sizeof bytes) != sizeof bytes) {
    say("%s cannot be copied", worker.self);
  }
  close(from);
  close(to);
}

static int root_entries(void) {
  static char bytes[512];
  static struct entry entry;
  struct reader root = {open("/", O_RDONLY), bytes, sizeof bytes, 0, 0};
  int count = 0;
  while (read_entry(&root, &entry) == 1) count++;
  close(root.fd);
  return count;
}

/* ---- Processes ---- */

/* fork() that gets its process, when process 1 has reaped those of the last round. */
static int fork_surely(void) {
  int pid = -1;
  for (int tries = 0; tries < 50 && (pid = fork()) < 0; tries++) sleep(1);
  if (pid < 0) {
    say("fork fails where all should be free");
    exit(1);
  }
  return pid;
}

/* Descriptors 0 and 1 are files of the tree, 2 and REPORT what they are, the others closed. */
static void take_descriptors(int report) {
  if (report != REPORT) {
    int fd;
    while ((fd = dup(report)) >= 0 && fd < REPORT) {
    }
  }
  for (int fd = 0; fd < REPORT; fd++) {
    if (fd != COMPLAINTS) close(fd);
  }
  open(HOME "/a", O_RDWR);
  open(HOME "/d/b", O_RDWR);
}

/* Whether a descriptor is open. Pipes have no status, and where all are open there is none for a copy. */
static int is_open(int fd) {
  struct stat status;
  if (fstat(fd, &status) == 0) return 1;
  int copy = dup(fd);
  if (copy >= 0) {
    close(copy);
    return 1;
  }
  copy = dup(COMPLAINTS);
  if (copy >= 0) close(copy);
  return copy < 0;
}

static void find_descriptors(void) {
  struct stat status;
  worker.open = worker.pipes = 0;
  for (int fd = 0; fd < DESCRIPTORS; fd++) {
    if (!is_open(fd)) continue;
    worker.open |= 1U << fd;
    if (fstat(fd, &status) != 0) worker.pipes |= 1U << fd;
  }
}

/* A first process: it begins when `go` ends. */
static void start(int number, int round, int go, int report) {
  char byte;
  read(go, &byte, 1);
  take_descriptors(report);
  if (chdir(HOME) != 0) exit(1);
  worker.pid = getpid();
  unsigned long which = (unsigned long)(round * MOST_PROCESSES + number + 1);
  worker.random = worker.seed * 0x9e3779b97f4a7c15UL + which * 0xbf58476d1ce4e5b9UL;
  if (worker.random == 0) worker.random = 1;
  worker.budget = BUDGET;
  worker.is_first = 1;
  find_descriptors();
  begin_memory();
  work();
}

/*
 * The one that has an end put to a round: kills all that the round can have started, until it is
 * killed itself. It has its pages for itself before any of the others runs, so that it goes on
 * when they have taken all memory.
 */
static void watch(int ready) {
  touch_image();
  write(ready, "r", 1);
  close(ready);
  sleep(PATIENCE_TICKS);
  for (;;) {
    for (int pid = worker.first_pid + 1; pid <= worker.last_pid; pid++) kill(pid);
    sleep(1);
  }
}

/* Reads what the processes tell until the last of them has ended; gives how many calls they made. */
static long listen(int report) {
  static char bytes[256];
  long calls = 0, count;
  while ((count = read(report, bytes, sizeof bytes)) > 0) {
    for (long i = 0; i < count; i++) {
      if (bytes[i] == SOME_CALLS) calls += CALLS_A_REPORT;
      else failed = 1;
    }
  }
  return calls;
}

static void reap_round(const int pids[], int count) {
  unsigned reaped = 0;
  for (int left = count; left > 0; left--) {
    int pid = wait(0), i = 0;
    while (i < count && (pids[i] != pid || (reaped >> i & 1) != 0)) i++;
    if (i == count) {
      /* Run as process 1, it is given others' children too. */
      if (getpid() == 1 && pid > 0) {
        left++;
        continue;
      }
      say("wait gave %d, with %d children left", pid, left);
      return;
    }
    reaped |= 1U << i;
  }
}

static long run_round(int round, int processes) {
  int ready[2], go[2], report[2], pids[MOST_PROCESSES + 1];
  char byte;
  make_tree();
  make_pipe(ready);
  int watcher = fork_surely();
  if (watcher == 0) {
    worker.first_pid = getpid();
    worker.last_pid = worker.first_pid + processes * (BUDGET + 1) + 1;
    watch(ready[1]);
  }
  close(ready[1]);
  if (read(ready[0], &byte, 1) != 1) say("the watcher did not start");
  close(ready[0]);

  worker.first_pid = pids[processes] = watcher;
  worker.last_pid = watcher + processes * (BUDGET + 1) + 1;
  make_pipe(go);
  make_pipe(report);
  for (int i = 0; i < processes; i++) {
    pids[i] = fork_surely();
    if (pids[i] == 0) {
      close(go[1]);
      close(report[0]);
      start(i, round, go[0], report[1]);
    }
  }
  /* As the watcher: nothing that this process stores to may need memory while the others run. */
  touch_image();
  close(go[0]);
  close(report[1]);
  close(go[1]);
  long calls = listen(report[0]);
  close(report[0]);
  kill(watcher);
  reap_round(pids, processes + 1);
  if (remove_tree(ROOM) != 0) say("%s cannot be removed", ROOM);
  return calls;
}

/* Free memory, when process 1 has had time to reap the orphans. */
static long settled_memory(void) {
  sleep(2);
  return free_bytes();
}

static void compare_memory(int round, long expected) {
  long free = settled_memory();
  for (int tries = 0; free != expected && tries < 20; tries++) free = settled_memory();
  if (free != expected) say("free memory after round %d (expected %ld, got %ld)", round, expected, free);
}

static long supervise(long calls, int processes) {
  int entries = root_entries();
  long made = 0, free_at_start = 0;
  int idle = 0;
  for (int round = 0; made < calls && !failed; round++) {
    long of_round = run_round(round, processes);
    /* All of a round may come to wait at its very start, but not time after time. */
    idle = of_round == 0 ? idle + 1 : 0;
    if (idle == MOST_IDLE) say("no call was made in %d rounds up to %d", idle, round);
    made += of_round;
    /* The first round is not measured: what it made the kernel keep is kept once. */
    if (round == 0) free_at_start = settled_memory();
    if (round % ROUNDS_A_MEASURE != ROUNDS_A_MEASURE - 1 && made < calls) continue;
    compare_memory(round, free_at_start);
    int left = root_entries();
    if (left != entries) say("entries of the root after round %d (expected %d, got %d)", round, entries, left);
  }
  return made;
}

/* ---- Being executed ---- */

/* Goes on in the process that a random call made this program of. */
static void go_on(char *argv[]) {
  long numbers[5];
  for (int i = 0; i < 5; i++) {
    if (!parse_number(argv[2 + i], &numbers[i])) exit(0);
  }
  worker.random = (unsigned long)numbers[0] | 1;
  worker.seed = (unsigned long)numbers[1];
  worker.first_pid = (int)numbers[2];
  worker.last_pid = (int)numbers[3];
  worker.budget = (int)numbers[4];
  worker.self = argv[0];
  worker.pid = getpid();
  /* Those of the program before are not known: as many as there can be. */
  worker.children = 64;
  find_descriptors();
  begin_memory();
  work();
}

int main(int argc, char *argv[]) {
  long seed, calls, processes = 3;
  if (argc == 7 && strcmp(argv[1], "--child") == 0) go_on(argv);
  /* The arguments were drawn too, where this descriptor is open: it is only in a round. */
  if (is_open(REPORT)) return 0;
  if (argc < 3 || argc > 4 || !parse_number(argv[1], &seed) || !parse_number(argv[2], &calls)) end_with_usage(usage);
  if (argc == 4 && !parse_number(argv[3], &processes)) end_with_usage(usage);
  if (seed < 0 || calls < 1 || processes < 1 || processes > MOST_PROCESSES) end_with_usage(usage);

  test_program_name = "chaos";
  worker.seed = (unsigned long)seed;
  worker.self = find_program(argv[0]);
  worker.pid = getpid();
  chdir("/");
  remove_tree(ROOM);
  long made = supervise(calls, (int)processes);
  if (failed) return 1;
  printf("chaos: %ld: %ld calls, %ld processes, ok\n", seed, made, processes);
  return 0;
}
