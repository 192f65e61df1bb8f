/*
 * Runs plugins as a runtime does, and tells what each call took. It is small
 * and static: a fork of a large process would be measured along with the
 * plugin, and what a child inherits would count as the plugin's memory.
 *
 * In:  "AT_ONCE COUNT", then COUNT lines "PLUGIN VERB CONTAINER_ID NETNS CONF OUT"
 * Out: COUNT lines "STATUS WALL_US CPU_US RSS_KB" in that order, then "WALL_US"
 *      of the whole
 *
 * CONF is standard input, OUT takes standard output and error. CPU and memory
 * are those of the plugin and of what it has waited for (IPAM plugins).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 6, LINE = 1024, RUNS = 1024 };

extern char **environ;

static struct run {
  char line[LINE], *words[WORDS];
  pid_t pid;
  long from_us, wall_us, cpu_us, rss_kb;
  int status;
} runs[RUNS];

static long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static long in_us(struct timeval time) { return time.tv_sec * 1000000L + time.tv_usec; }

static int read_run(struct run *run) {
  char *rest = run->line;
  if (fgets(run->line, LINE, stdin) == NULL) return -1;
  for (int at = 0; at < WORDS; at++)
    if ((run->words[at] = strtok_r(rest, " \n", &rest)) == NULL) return -1;
  return 0;
}

static int start(struct run *run) {
  char *argv[] = {run->words[0], NULL};
  int in = open(run->words[4], O_RDONLY | O_CLOEXEC);
  int out = open(run->words[5], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (in < 0 || out < 0) return -1;
  setenv("CNI_COMMAND", run->words[1], 1);
  setenv("CNI_CONTAINERID", run->words[2], 1);
  setenv("CNI_NETNS", run->words[3], 1);
  run->from_us = now_us();
  run->pid = vfork();
  if (run->pid == 0) {
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    execve(argv[0], argv, environ);
    _exit(127);
  }
  close(in);
  close(out);
  return run->pid < 0 ? -1 : 0;
}

static int finish_one(int count) {
  struct rusage used;
  int status;
  pid_t pid = wait4(-1, &status, 0, &used);
  long until = now_us();
  for (struct run *run = runs; run < runs + count; run++) {
    if (run->pid != pid) continue;
    run->wall_us = until - run->from_us;
    run->cpu_us = in_us(used.ru_utime) + in_us(used.ru_stime);
    run->rss_kb = used.ru_maxrss;
    run->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    run->pid = 0;
    return 0;
  }
  return -1;
}

static int run_all(int at_once, int count) {
  long from = now_us();
  for (int started = 0, ended = 0; ended < count;) {
    while (started < count && started - ended < at_once)
      if (start(&runs[started++]) != 0) return -1;
    if (finish_one(count) != 0) return -1;
    ended++;
  }
  long wall = now_us() - from;
  for (struct run *run = runs; run < runs + count; run++)
    printf("%d %ld %ld %ld\n", run->status, run->wall_us, run->cpu_us, run->rss_kb);
  printf("%ld\n", wall);
  return fflush(stdout);
}

int main(void) {
  int at_once, count;
  setenv("CNI_IFNAME", "eth0", 1);
  while (scanf("%d %d\n", &at_once, &count) == 2) {
    if (at_once < 1 || count > RUNS) return 2;
    for (int at = 0; at < count; at++)
      if (read_run(&runs[at]) != 0) return 2;
    if (run_all(at_once, count) != 0) return 1;
  }
  return 0;
}
