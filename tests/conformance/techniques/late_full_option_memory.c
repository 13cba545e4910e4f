// title: socket from before the tag that has no room for a tag
// row: sockets opened before the tag
// tag: late
#include "full_option_memory.h"

int main(void)
{
	struct sockaddr_in6 to = to6("TARGET6");
	int fd = must(socket(AF_INET6, SOCK_DGRAM, 0), "socket");
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)), "connect");
	fill_option_memory(fd);
	wait_for_tag();
	send_mark(fd);
	return WENT_OUT;
}
