// title: loopback port of a helper bound to the device, behind a tagged listener that is not
// row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
// helper: relay
// variants: tcp udp udp_connected
#include "technique.h"

/* A lookup that does not say which device a packet comes from finds this socket; a packet finds the helper's. */
static void impersonate(int type, const struct sockaddr_in *at)
{
	int on = 1, fd = must(socket(AF_INET, type, 0), "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, (struct sockaddr *)at, sizeof(*at)) && type == SOCK_STREAM)
		listen(fd, 8);
}

int main(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(number("HELPER_PORT"))};
	int type = is("tcp") ? SOCK_STREAM : SOCK_DGRAM, fd = must(socket(AF_INET, type, 0), "socket");
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	impersonate(type, &to);
	if (is("udp")) {
		must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	} else {
		must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
		send_mark(fd);
	}
	usleep(200000);
	return WENT_OUT;
}
