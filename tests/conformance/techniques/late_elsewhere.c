// title: connected socket that was open before the tag, but not in the process's own table
// row: sockets opened before the tag
// tag: late
// variants: child thread_table exec in_flight dead_leader duplicate sleeping_child
#include "technique.h"
#include <pthread.h>
#include <sched.h>

static int pipes[2], fd;
static volatile int is_open;

static int rest(void)
{
	char byte;
	must(read(pipes[0], &byte, 1), "read");
	send_mark(fd);
	return WENT_OUT;
}

static void go(void)
{
	must(write(pipes[1], "x", 1), "write");
}

/* Its table of descriptors is its own: the leader has no such socket. */
static void *thread(void *unused)
{
	must(unshare(CLONE_FILES), "unshare");
	fd = connected(SOCK_DGRAM, "TARGET4");
	is_open = 1;
	must(read(pipes[0], &(char){0}, 1), "read");
	send_mark(fd);
	return unused;
}

static int in_thread(void)
{
	pthread_t made;
	pthread_create(&made, NULL, thread, NULL);
	while (!is_open)
		usleep(1000);
	wait_for_tag();
	go();
	pthread_join(made, NULL);
	return WENT_OUT;
}

static void *survivor(void *unused)
{
	usleep(100000); /* the leader is gone */
	fd = connected(SOCK_DGRAM, "TARGET4");
	wait_for_tag();
	send_mark(fd);
	_exit(WENT_OUT);
	return unused;
}

static int without_leader(void)
{
	pthread_t made;
	pthread_create(&made, NULL, survivor, NULL);
	pthread_exit(NULL);
}

/* The only reference lies in the queue of a unix socket. */
static int in_flight(void)
{
	int pair[2];
	fd = connected(SOCK_STREAM, "TARGET4");
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	send_descriptor(pair[0], fd);
	close(fd);
	wait_for_tag();
	fd = receive_descriptor(pair[1]);
	send_mark(fd);
	return WENT_OUT;
}

static int in_child(void)
{
	int status, child = must(fork(), "fork");
	if (!child) {
		fd = connected(SOCK_STREAM, "TARGET4");
		if (is("sleeping_child"))
			must(setsid(), "setsid");
		_exit(rest());
	}
	usleep(100000);
	wait_for_tag();
	go();
	must(waitpid(child, &status, 0), "waitpid");
	return WEXITSTATUS(status);
}

/* The socket is standard output of another program. */
static int over_exec(void)
{
	fd = connected(SOCK_STREAM, "TARGET4");
	wait_for_tag();
	must(dup2(fd, 1), "dup2");
	execl("/bin/echo", "echo", mark(), NULL);
	return REFUSED;
}

int main(void)
{
	must(pipe(pipes), "pipe");
	if (is("thread_table"))
		return in_thread();
	if (is("dead_leader"))
		return without_leader();
	if (is("in_flight"))
		return in_flight();
	if (is("exec"))
		return over_exec();
	if (is("child") || is("sleeping_child"))
		return in_child();
	int made = connected(SOCK_STREAM, "TARGET4");
	fd = must(dup(made), "dup");
	close(made);
	wait_for_tag();
	send_mark(fd);
	return WENT_OUT;
}
