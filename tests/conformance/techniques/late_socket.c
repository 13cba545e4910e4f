// title: socket that was open before the tag
// row: sockets opened before the tag
// tag: late
// variants: tcp udp udp_unconnected udplite mptcp
#include "technique.h"

static int opened(void)
{
	if (is("udp_unconnected"))
		return must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	int is_stream = is("tcp") || is("mptcp");
	int protocol = is("udplite") ? IPPROTO_UDPLITE : is("mptcp") ? 262 : 0;
	int fd = must(socket(AF_INET, is_stream ? SOCK_STREAM : SOCK_DGRAM, protocol), "socket");
	connect4(fd, "TARGET4");
	return fd;
}

int main(void)
{
	int fd = opened();
	wait_for_tag();
	if (is("udp_unconnected"))
		sendto4(fd, "TARGET4");
	else
		send_mark(fd);
	return WENT_OUT;
}
