// title: passed socket that takes a descriptor's number while a write to it has begun
// row: SCM_RIGHTS from an untagged helper, pidfd_getfd
// helper: passer
// tag: late
// variants: udp corked
#include "technique.h"
#include <pthread.h>

enum { TRIES = 150 };

static int place; /* the number that is written to */
static volatile int turn;

/* One write for each turn: whoever looked at the number before it saw /dev/null. */
static void *writer(void *unused)
{
	for (int i = 1; i <= TRIES; i++) {
		while (turn < i)
			;
		write(place, mark(), strlen(mark()));
		turn = -i;
	}
	return unused;
}

int main(void)
{
	int channel = helper_stream("pass"), nothing = must(open("/dev/null", O_WRONLY), "/dev/null");
	pthread_t thread;
	place = must(dup(nothing), "dup");
	wait_for_tag();
	pthread_create(&thread, NULL, writer, NULL);
	for (int i = 1; i <= TRIES; i++) {
		int fd = passed(channel, env("VARIANT"));
		turn = i;
		for (volatile int pause = 0; pause < i * 4; pause++)
			;
		dup2(fd, place);
		dup2(nothing, place);
		while (turn != -i)
			;
		close(fd);
	}
	sleep(1);
	return WENT_OUT;
}
