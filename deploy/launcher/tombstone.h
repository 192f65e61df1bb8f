/* A request that waits for a daemon, as a file. */
#ifndef TOMBSTONE_H
#define TOMBSTONE_H

#include <stddef.h>

/* Writes all of it, or says -1 and why in errno. */
int write_all(int fd, const char *bytes, size_t length);

/*
 * Writes a request's body down in a folder, which it makes when it is missing:
 * durable, whole or not at all, and under a name that sorts by time. Says -1
 * and why in errno when it can't.
 */
int write_tombstone(const char *folder, const char *body, size_t length);

#endif
