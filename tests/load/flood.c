/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flood ADDRESS SECONDS PROCESSES: connects as fast as it can, each process on one socket that stays unconnected since
 * it is refused each time. Says "ready", waits for a line of input, and prints how often it was refused, and how often
 * it was not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct counts {
	long refused, other;
};

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void flood(const struct sockaddr_in *to, long seconds, struct counts *counts)
{
	int sock = socket(AF_INET, SOCK_STREAM, 0);
	long long end = now_ns() + seconds * 1000000000LL;

	while (now_ns() < end) {
		for (int i = 0; i < 100; i++) {
			if (connect(sock, (const struct sockaddr *)to, sizeof(*to)) && errno == EPERM)
				counts->refused++;
			else
				counts->other++;
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(443)};
	struct counts *counts, all = {0};
	int processes;

	if (argc != 4 || !inet_aton(argv[1], &to.sin_addr))
		return 2;
	processes = atoi(argv[3]);
	counts = mmap(NULL, processes * sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED)
		return 3;
	puts("ready");
	fflush(stdout);
	getchar();
	for (int i = 0; i < processes; i++) {
		if (fork() == 0) {
			flood(&to, atol(argv[2]), &counts[i]);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	for (int i = 0; i < processes; i++) {
		all.refused += counts[i].refused;
		all.other += counts[i].other;
	}
	printf("%ld %ld\n", all.refused, all.other);
	return 0;
}
