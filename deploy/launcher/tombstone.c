/* A request that waits for a daemon, as a file: modes/cni/tombstone.ts in C. */
#define _POSIX_C_SOURCE 200809L
#include "tombstone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 512 };

int write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t count = write(fd, bytes, length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -1;
    bytes += count;
    length -= count;
  }
  return 0;
}

/* What can't be made shows when the file is made. */
static void make_folders(const char *folder) {
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%s", folder);
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(path, 0700);
    *slash = '/';
  }
  mkdir(path, 0700);
}

static int sync_folder(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = fsync(fd);
  close(fd);
  return result;
}

static int write_durably(const char *path, const char *body, size_t length) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  int result = write_all(fd, body, length) == 0 ? fsync(fd) : -1;
  int error = errno;
  if (close(fd) != 0) return -1;
  errno = error;
  return result;
}

int write_tombstone(const char *folder, const char *body, size_t length) {
  char name[64], draft[PATH_SIZE], path[PATH_SIZE], parent[PATH_SIZE];
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  snprintf(name, sizeof name, "%012lld%03ld-%ld-%06ld", (long long)now.tv_sec,
           now.tv_nsec / 1000000, (long)getpid(), now.tv_nsec % 1000000);
  snprintf(draft, sizeof draft, "%s/.%s", folder, name);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  snprintf(parent, sizeof parent, "%s/..", folder);
  make_folders(folder);
  if (write_durably(draft, body, length) != 0 || rename(draft, path) != 0) {
    int error = errno;
    unlink(draft);
    errno = error;
    return -1;
  }
  /* The new name, and the folder's own if it was just made. */
  return sync_folder(folder) == 0 ? sync_folder(parent) : -1;
}
