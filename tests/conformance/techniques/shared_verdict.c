// title: two threads with one socket, one of which sends where it may: a verdict must not be mistaken for the other's
// row: TCP connect, UDP sendto/sendmsg/sendmmsg, connected UDP, reconnect, AF_UNSPEC
// variants: sendto connect
#include "technique.h"
#include <pthread.h>

enum { TIMES = 5000 };

static int fd;

/* The approved address gets nothing that identifies this technique. */
static void *where_it_may(void *unused)
{
	struct sockaddr_in to = to4("APPROVED4");
	for (int i = 0; i < TIMES; i++)
		if (is("connect"))
			connect(fd, (struct sockaddr *)&to, sizeof(to));
		else
			sendto(fd, "approved", 8, 0, (struct sockaddr *)&to, sizeof(to));
	return unused;
}

/* Sends to wherever the socket is connected, at times in the middle of the other thread's connect. */
static void by_connect(const struct sockaddr_in *to)
{
	connect(fd, (struct sockaddr *)to, sizeof(*to));
	send(fd, "unknown", 7, 0);
}

int main(void)
{
	struct sockaddr_in to = to4("TARGET4");
	pthread_t thread;
	fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	pthread_create(&thread, NULL, where_it_may, NULL);
	for (int i = 0; i < TIMES; i++)
		if (is("connect"))
			by_connect(&to);
		else
			sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, sizeof(to));
	pthread_join(thread, NULL);
	return WENT_OUT;
}
