/* What the test programs have in place of a C library: output, and the memory functions that gcc calls. */
#ifndef RUNTIME_H
#define RUNTIME_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long i64;

void *memcpy(void *to, const void *from, u64 count);
void *memset(void *to, int byte, u64 count);

/* Text and numbers gather in a buffer, which `flush` writes to standard output. */
void print(const char *text);
void print_number(i64 value);
void print_hex(u64 value);
void flush(void);

int main(void);

#endif
