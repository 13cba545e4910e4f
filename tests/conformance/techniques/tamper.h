/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on the agent that confines the technique, and on no other: without INSTANCE nothing is attacked. */
#ifndef TAMPER_H
#define TAMPER_H

#include "bpf.h"
#include <dirent.h>
#include <signal.h>

SHARED void each_file(const char *directory, void (*act)(const char *path))
{
	char path[600];
	DIR *files = opendir(directory);
	for (struct dirent *each; files && (each = readdir(files));) {
		snprintf(path, sizeof(path), "%s/%s", directory, each->d_name);
		if (each->d_name[0] != '.')
			act(path);
	}
}

/* Calls `act` with everything that the agent has pinned. */
SHARED void each_pin(void (*act)(const char *path))
{
	const char *instance = getenv("INSTANCE"), *kinds[] = {"links", "programs", "maps"};
	char directory[256];
	for (int i = 0; i < 3 && instance && *instance && !strchr(instance, '/') && *instance != '.'; i++) {
		snprintf(directory, sizeof(directory), "/sys/fs/bpf/landfast/%s/%s", instance, kinds[i]);
		each_file(directory, act);
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

/* The words with which that instance's daemon was started; returns their length. 0 if there is none. */
SHARED int daemon_words(char *words, int room)
{
	const char *instance = getenv("INSTANCE");
	char path[300];
	DIR *processes = opendir("/proc");
	for (struct dirent *each; instance && *instance && processes && (each = readdir(processes));) {
		if (each->d_name[0] < '1' || each->d_name[0] > '9' || !is_daemon(each->d_name, instance))
			continue;
		snprintf(path, sizeof(path), "/proc/%.200s/cmdline", each->d_name);
		return read(must(open(path, O_RDONLY), path), words, room);
	}
	return 0;
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
