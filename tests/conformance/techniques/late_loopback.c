// title: loopback connection to an untagged helper that was open before the tag
// row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
// helper: relay
// tag: late
// variants: tcp udp
#include "technique.h"

int main(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(number("HELPER_PORT"))};
	int fd = must(socket(AF_INET, is("tcp") ? SOCK_STREAM : SOCK_DGRAM, 0), "socket");
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	wait_for_tag();
	send_mark(fd);
	usleep(200000);
	return WENT_OUT;
}
