/*
 * Patterns of lines. A pattern is a row of items, each of them a set of bytes:
 *
 *   c       the byte itself         \c    the byte itself, whatever it means elsewhere
 *   .       any byte                [..]  one of these bytes, with ranges such as a-z
 *   item*   the item, any number of times, also none
 *                                   [^..] any byte but these
 *
 * `^` at the start holds the pattern to the start of the line, `$` at the end to its end. `*` at
 * the start, `]` outside of brackets, `]` first in them and `-` first or last there are themselves.
 */
#ifndef PATTERN_H
#define PATTERN_H

/* An item takes a bit of a long, and so does the pattern's end. */
#define ITEMS_MOST 63

/* Takes a pattern for matches(); null if that went well, else what is wrong with it. */
const char *set_pattern(const char *pattern, int any_case);

/* Whether the pattern is somewhere in so many bytes of a line, without its newline. */
int matches(const char *line, long length);

#endif
