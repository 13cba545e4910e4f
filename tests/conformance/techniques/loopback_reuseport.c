// title: loopback port shared with a helper (SO_REUSEPORT), whose filter gives it every packet
// row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
// helper: sharer
// variants: tcp udp
#include "technique.h"

enum { TRIES = 16 };

/* Joins the helper's group: a lookup without a packet picks by hash, and so this socket half of the time. */
static void join(int type, const struct sockaddr_in *at)
{
	int on = 1, fd = must(socket(AF_INET, type, 0), "socket");
	must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), "SO_REUSEPORT");
	must(bind(fd, (struct sockaddr *)at, sizeof(*at)), "bind");
	if (type == SOCK_STREAM)
		must(listen(fd, 8), "listen");
}

int main(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(number("HELPER_PORT"))};
	int type = is("tcp") ? SOCK_STREAM : SOCK_DGRAM;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	join(type, &to);
	for (int i = 0; i < TRIES; i++) {
		int fd = must(socket(AF_INET, type | SOCK_NONBLOCK, 0), "socket");
		connect(fd, (struct sockaddr *)&to, sizeof(to));
		usleep(10000);
		send(fd, mark(), strlen(mark()), MSG_NOSIGNAL);
	}
	usleep(200000);
	return WENT_OUT;
}
