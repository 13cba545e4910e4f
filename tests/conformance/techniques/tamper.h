/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on the agent that confines the technique, and on no other: without INSTANCE nothing is attacked. */
#ifndef TAMPER_H
#define TAMPER_H

#include "bpf.h"
#include <dirent.h>
#include <signal.h>

/* Calls `act` with each file that the agent has pinned. */
SHARED void each_pin(void (*act)(const char *path))
{
	const char *instance = getenv("INSTANCE");
	char directory[256], path[600];
	if (!instance || !*instance || strchr(instance, '/') || *instance == '.')
		return;
	snprintf(directory, sizeof(directory), "/sys/fs/bpf/landfast/%s", instance);
	DIR *pins = opendir(directory);
	for (struct dirent *each; pins && (each = readdir(pins));) {
		snprintf(path, sizeof(path), "%s/%s", directory, each->d_name);
		if (each->d_name[0] != '.')
			act(path);
	}
}

/* Whether a process is that instance's daemon. */
SHARED int is_daemon(const char *pid, const char *instance)
{
	char path[300], line[4096] = "";
	snprintf(path, sizeof(path), "/proc/%.200s/cmdline", pid);
	int fd = open(path, O_RDONLY), size = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1), has_name = 0, runs = 0;
	close(fd);
	for (char *word = line; word < line + size; word += strlen(word) + 1) {
		has_name |= !strcmp(word, instance);
		runs |= !strcmp(word, "run");
	}
	return has_name && runs;
}

SHARED void signal_agent(int number)
{
	const char *instance = getenv("INSTANCE");
	DIR *processes = opendir("/proc");
	for (struct dirent *each; instance && *instance && processes && (each = readdir(processes));)
		if (each->d_name[0] >= '1' && each->d_name[0] <= '9' && is_daemon(each->d_name, instance))
			must(kill(atoi(each->d_name), number), "signal the agent");
}

#endif
