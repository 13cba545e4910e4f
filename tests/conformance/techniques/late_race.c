// title: sockets that other threads and children keep opening while the tag is set
// row: sockets opened before the tag
// tag: late
// variants: threads children
#include "technique.h"
#include <pthread.h>

enum { SOCKETS = 20000 };

static int opened[SOCKETS];
static volatile int count, stop;

static void *open_more(void *unused)
{
	struct sockaddr_in to = to4("TARGET4");
	while (!stop && count < 1000) {
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (fd < 0)
			break;
		connect(fd, (struct sockaddr *)&to, sizeof(to));
		opened[count++] = fd;
		usleep(200);
	}
	return unused;
}

/* Each child opens a socket, and leaves it to a child of its own. */
static void go_on(int channel)
{
	for (int i = 0; i < 3000; i++) {
		struct pollfd told = {.fd = channel, .events = POLLIN};
		int fd = connected(SOCK_DGRAM, "TARGET4");
		if (poll(&told, 1, 0)) {
			send_mark(fd);
			_exit(WENT_OUT);
		}
		close(fd);
		if (fork())
			_exit(0);
	}
	_exit(0);
}

int main(void)
{
	int pipes[2];
	pthread_t thread;
	must(pipe(pipes), "pipe");
	if (is("children") && !must(fork(), "fork"))
		go_on(pipes[0]);
	if (is("threads"))
		pthread_create(&thread, NULL, open_more, NULL);
	wait_for_tag();
	must(write(pipes[1], "x", 1), "write");
	stop = 1;
	if (is("threads"))
		pthread_join(thread, NULL);
	for (int i = 0; i < count; i++)
		send(opened[i], mark(), strlen(mark()), 0);
	usleep(300000);
	return WENT_OUT;
}
