// title: race between two threads
// row: TCP connect, UDP sendto, reconnect, AF_UNSPEC
// variants: address_of_sendto address_of_connect connect_and_send connect_and_send_v6 vectors_of_sendmsg
#include "technique.h"
#include <pthread.h>
#include <time.h>

/* Only what goes to the forbidden address proves anything: the mark would be seen on its way to the approved one. */
static const char payload[] = "race";
static int fd;
static struct sockaddr_in ways[2], way;
static struct sockaddr_in6 ways6[2];
static struct msghdr message;
static volatile int stopping;

static void *flip(void *unused)
{
	for (unsigned turn = 0; !stopping; turn++) {
		if (is("connect_and_send"))
			connect(fd, (struct sockaddr *)&ways[turn & 1], sizeof(way));
		else if (is("connect_and_send_v6"))
			connect(fd, (struct sockaddr *)&ways6[turn & 1], sizeof(ways6[0]));
		else if (is("vectors_of_sendmsg"))
			*(void *volatile *)&message.msg_name = &ways[turn & 1];
		else
			*(volatile uint32_t *)&way.sin_addr.s_addr = ways[turn & 1].sin_addr.s_addr;
	}
	return NULL;
}

static int once(void)
{
	if (is("address_of_sendto"))
		return sendto(fd, payload, sizeof(payload), 0, (struct sockaddr *)&way, sizeof(way));
	if (is("vectors_of_sendmsg"))
		return sendmsg(fd, &message, 0);
	if (is("address_of_connect") && connect(fd, (struct sockaddr *)&way, sizeof(way)))
		return -1;
	return send(fd, payload, sizeof(payload), 0);
}

int main(void)
{
	pthread_t thread;
	struct iovec part = {(char *)payload, sizeof(payload)};
	time_t end = time(NULL) + 1;
	ways[0] = way = to4("APPROVED4"), ways[1] = to4("TARGET4");
	ways6[0] = to6("APPROVED6"), ways6[1] = to6("TARGET6");
	message = (struct msghdr){.msg_name = &ways[0], .msg_namelen = sizeof(way), .msg_iov = &part, .msg_iovlen = 1};
	fd = must(socket(is("connect_and_send_v6") ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), "socket");
	pthread_create(&thread, NULL, flip, NULL);
	for (int sent = 0; sent < 3000 && time(NULL) <= end;)
		sent += once() > 0;
	stopping = 1;
	pthread_join(thread, NULL);
	return WENT_OUT;
}
