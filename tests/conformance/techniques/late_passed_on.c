// title: socket from before the tag, handed to a process that is made after it
// row: sockets opened before the tag
// tag: late
// variants: vfork_exec clone_parent thread grandchild
#include "technique.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>

static int fd;

static void *in_thread(void *unused)
{
	send_mark(fd);
	return unused;
}

static int in_child(void *unused)
{
	(void)unused;
	send_mark(fd);
	return WENT_OUT;
}

int main(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	pthread_t thread;
	fd = connected(SOCK_DGRAM, "TARGET4");
	wait_for_tag();
	if (is("thread")) {
		pthread_create(&thread, NULL, in_thread, NULL);
		pthread_join(thread, NULL);
	} else if (is("clone_parent")) {
		must(clone(in_child, stack + sizeof(stack), CLONE_PARENT | SIGCHLD, NULL), "clone");
	} else if (is("grandchild")) {
		if (!must(fork(), "fork") && (setsid(), !must(fork(), "fork")))
			_exit(in_child(NULL));
	} else if (!vfork()) {
		dup2(fd, 1);
		execl("/bin/echo", "echo", mark(), NULL);
		_exit(REFUSED);
	}
	usleep(300000);
	return WENT_OUT;
}
