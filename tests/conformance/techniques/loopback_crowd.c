// title: datagram on the loopback device that a tagged socket and an untagged helper receive alike
// row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
// helper: crowd
// variants: broadcast multicast
#include "technique.h"

/* The tagged one among those who listen. */
static void attend(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(number("HELPER_PORT"))};
	int on = 1, fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
}

int main(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(number("HELPER_PORT"))};
	struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
	int on = 1, fd = must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	attend();
	inet_pton(AF_INET, is("broadcast") ? "127.255.255.255" : "239.76.70.1", &to.sin_addr);
	must(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), "SO_BROADCAST");
	must(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof(loopback)), "IP_MULTICAST_IF");
	must(sendto(fd, mark(), strlen(mark()), 0, (struct sockaddr *)&to, sizeof(to)), "sendto");
	usleep(200000);
	return WENT_OUT;
}
